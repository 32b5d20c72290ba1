//! The rate of the fleet: what one wrong figure or a clock that jumps can do to it, and when those who are sent away come
//! back.

use std::{collections::BTreeMap, time::Duration};

use hive_local::testing::PrivateRedis;
use hive_queue::{Ask, Bucket, Ended, Grant, Minute, Queue, Settlement};

use crate::harness::{plain, queue};

const BUCKET: Bucket<'_> = Bucket { key: "k", model: "m" };
const LONGEST_WAIT: Duration = Duration::from_millis(1_700);
const FAR: Duration = Duration::from_secs(600);

fn ask(limits: Minute, longest_wait: Duration) -> Ask {
    Ask { input: 10, output: 10, limits, repeats: false, longest_wait, repeats_allowed: (10, 10) }
}

async fn settle(queue: &Queue, limits: Minute, charged: [u64; 2]) {
    let settlement = Settlement {
        asked: [10, 10],
        charged,
        is_sent: true,
        limits,
        said: [0; 3],
        left: [None; 3],
        ended: Ended::Answered,
        too_many: (10, 20, Duration::from_secs(30)),
    };
    queue.settle_call(BUCKET, &settlement).await.unwrap();
}

#[tokio::test]
async fn one_wrong_figure_holds_for_ten_minutes_at_most() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [0, 1_000, 0]);
    assert_eq!(queue.reserve(BUCKET, &ask(limits, LONGEST_WAIT)).await.unwrap(), Grant::Go(Duration::ZERO));
    settle(&queue, limits, [u64::MAX, 1]).await;
    let grant = queue.reserve(BUCKET, &ask(limits, FAR)).await.unwrap();
    assert!(matches!(grant, Grant::Go(wait) if wait > FAR / 2), "{grant:?}");
    // The place that was just taken lies beyond, and goes no farther either.
    let mut huge = ask(limits, FAR);
    huge.input = u64::MAX;
    queue.reserve(BUCKET, &huge).await.unwrap();
    let grant = queue.reserve(BUCKET, &ask(limits, FAR)).await.unwrap();
    assert!(matches!(grant, Grant::Go(_)), "{grant:?}");
}

#[tokio::test]
async fn a_clock_that_jumps_back_stops_nobody() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [60, 0, 0]);
    queue.reserve(BUCKET, &ask(limits, LONGEST_WAIT)).await.unwrap();
    let mut conn = plain(redis.url()).await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*:rate").query_async(&mut conn).await.unwrap();
    let [state] = keys.as_slice() else { panic!("{keys:?}") };
    // As if all of it had been written a day ahead.
    for field in ["r", "last", "parked"] {
        let till: f64 = redis::cmd("HGET")
            .arg(state)
            .arg(field)
            .query_async::<Option<f64>>(&mut conn)
            .await
            .unwrap()
            .unwrap_or(0.0);
        redis::cmd("HSET")
            .arg(state)
            .arg(field)
            .arg(till + 86_400_000.0)
            .exec_async(&mut conn)
            .await
            .unwrap();
    }
    settle(&queue, limits, [10, 10]).await;
    let grant = queue.reserve(BUCKET, &ask(limits, LONGEST_WAIT)).await.unwrap();
    assert!(matches!(grant, Grant::Go(_)), "{grant:?}");
}

#[tokio::test]
async fn a_lone_call_without_a_place_is_told_its_place() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [1, 0, 0]);
    queue.reserve(BUCKET, &ask(limits, LONGEST_WAIT)).await.unwrap();
    let lone = queue.reserve(BUCKET, &ask(limits, LONGEST_WAIT)).await.unwrap();
    let place = queue.reserve(BUCKET, &ask(limits, FAR)).await.unwrap();
    let (Grant::Full(wait), Grant::Go(place)) = (lone, place) else { panic!("{lone:?}, {place:?}") };
    assert!(wait.abs_diff(place) < LONGEST_WAIT, "told {wait:?}, and the place is at {place:?}");
}

#[tokio::test]
async fn those_who_find_no_place_are_told_different_times() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [60, 0, 0]);
    let mut told: BTreeMap<u64, usize> = BTreeMap::new();
    for _ in 0..240 {
        if let Grant::Full(wait) = queue.reserve(BUCKET, &ask(limits, LONGEST_WAIT)).await.unwrap() {
            *told.entry(wait.as_secs()).or_default() += 1;
        }
    }
    let most = told.values().max().unwrap();
    assert!(*most <= 10, "{most} of 240 come back in one second: {told:?}");
    assert!(*told.keys().max().unwrap() <= 300, "{told:?}");
}

#[tokio::test]
async fn a_hold_can_be_asked_for_and_lifted() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    assert_eq!(queue.held(BUCKET).await.unwrap(), Duration::ZERO);
    queue.hold(BUCKET, Duration::from_secs(60)).await.unwrap();
    let held = queue.held(BUCKET).await.unwrap();
    assert!(held > Duration::from_secs(50) && held <= Duration::from_secs(60), "{held:?}");
    let grant = queue.reserve(BUCKET, &ask([0; 3], LONGEST_WAIT)).await.unwrap();
    assert!(matches!(grant, Grant::Held(_)), "{grant:?}");
    queue.lift_hold(BUCKET).await.unwrap();
    let grant = queue.reserve(BUCKET, &ask([0; 3], LONGEST_WAIT)).await.unwrap();
    assert_eq!((grant, queue.held(BUCKET).await.unwrap()), (Grant::Go(Duration::ZERO), Duration::ZERO));
}
