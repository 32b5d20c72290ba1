//! Live events.

use crate::counted::counted;
use crate::harness::{queue, within};
use hive_local::{RedisData, testing::PrivateRedis};
use hive_queue::{Notice, Queue, Subscription};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(8);

async fn next(subscription: &mut Subscription) -> Notice {
    tokio::time::timeout(SOON, subscription.recv()).await.expect("a notice in time")
}

fn message(channel: &str, payload: &str) -> Notice {
    Notice::Message { channel: channel.to_owned(), payload: payload.to_owned() }
}

async fn subscribed(queue: &Queue, channels: &[&str]) -> Subscription {
    let mut subscription = queue.subscribe(channels);
    assert_eq!(next(&mut subscription).await, Notice::Gap, "the first notice says that it begins here");
    subscription
}

#[tokio::test]
async fn events_arrive_in_order_on_their_channels_only() {
    let redis = PrivateRedis::start().unwrap();
    let (ours, other) = (queue(redis.url(), "t"), queue(redis.url(), "other"));
    let mut subscription = subscribed(&ours, &["task_updates", "system_events"]).await;
    other.notify("task_updates", "not ours").await;
    ours.notify("elsewhere", "not asked for").await;
    for n in 0..200 {
        ours.notify("task_updates", &n.to_string()).await;
    }
    ours.notify("system_events", "last").await;
    for n in 0..200 {
        assert_eq!(next(&mut subscription).await, message("task_updates", &n.to_string()));
    }
    assert_eq!(next(&mut subscription).await, message("system_events", "last"));
}

#[tokio::test]
async fn a_subscription_says_when_it_may_have_missed_something() {
    let mut redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let mut subscription = subscribed(&queue, &["task_updates"]).await;
    redis.kill();
    redis.start(RedisData::Wipe).unwrap();
    assert_eq!(next(&mut subscription).await, Notice::Gap);
    within(SOON, "events flow again", async || {
        queue.notify("task_updates", "again").await;
        tokio::time::timeout(Duration::from_millis(50), subscription.recv()).await
            == Ok(message("task_updates", "again"))
    })
    .await;
}

#[tokio::test]
async fn a_slow_reader_is_told_of_its_gap_and_costs_no_memory() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let mut slow = subscribed(&queue, &["task_updates"]).await;
    let mut quick = subscribed(&queue, &["task_updates"]).await;
    for n in 0..3_000 {
        queue.notify("task_updates", &n.to_string()).await;
        if n % 500 == 499 {
            while next(&mut quick).await != message("task_updates", &n.to_string()) {}
        }
    }
    let mut seen = 0;
    while next(&mut slow).await != Notice::Gap {
        seen += 1;
    }
    assert!((1_000..1_100).contains(&seen), "{seen}");
}

#[tokio::test]
async fn notifying_does_not_wait_for_redis() {
    let mut redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    queue.notify("task_updates", "first").await;
    let dropped = counted("hive_queue_notify_dropped_total");
    redis.freeze();
    let start = std::time::Instant::now();
    for n in 0..20_000 {
        queue.notify("task_updates", &n.to_string()).await;
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(counted("hive_queue_notify_dropped_total") >= dropped + 10_000, "the outbox is bounded");
    redis.thaw();

    let mut subscription = subscribed(&queue, &["task_updates"]).await;
    within(SOON, "the newest survive", async || {
        queue.notify("task_updates", "after").await;
        tokio::time::timeout(Duration::from_millis(50), async {
            while subscription.recv().await != message("task_updates", "after") {}
        })
        .await
        .is_ok()
    })
    .await;
}
