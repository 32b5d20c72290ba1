//! The Redis that a test may break.

use std::time::{Duration, Instant};

use hive_local::{
    RedisData,
    testing::{PrivateRedis, TestStores},
};

use crate::client::{get, set, try_get};

#[tokio::test]
async fn a_private_redis_is_not_the_shared_one_and_takes_what_a_test_does_to_it() {
    let mut redis = PrivateRedis::start().unwrap();
    let url = redis.url().to_owned();
    assert_ne!(url, TestStores::get().redis_url());

    set(&url, "key", "kept").await;
    redis.stop();
    assert!(try_get(&url, "key").await.is_err());
    redis.start(RedisData::Keep).unwrap();
    assert_eq!(get(&url, "key").await.as_deref(), Some("kept"));

    redis.freeze();
    let frozen = tokio::time::timeout(Duration::from_millis(200), try_get(&url, "key")).await;
    assert!(!matches!(frozen, Ok(Ok(_))), "a frozen Redis answered");
    redis.thaw();
    assert_eq!(get(&url, "key").await.as_deref(), Some("kept"));

    redis.kill();
    redis.start(RedisData::Wipe).unwrap();
    assert_eq!(get(&url, "key").await, None);
}

#[test]
fn a_frozen_redis_can_be_stopped() {
    let mut redis = PrivateRedis::start().unwrap();
    let pid = redis.pid().unwrap();
    redis.freeze();
    let begun = Instant::now();
    redis.stop();
    assert!(begun.elapsed() < Duration::from_secs(8), "it was killed after its time, not stopped");
    assert!(!crate::process::is_alive(pid));
}
