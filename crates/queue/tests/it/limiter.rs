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
    Ask {
        input: 10,
        output: 10,
        is_guess: false,
        limits,
        repeats: false,
        longest_wait,
        repeats_allowed: (10, 10),
    }
}

fn settlement(limits: Minute, charged: [u64; 2]) -> Settlement {
    Settlement {
        asked: [10, 10],
        guessed: None,
        charged,
        is_sent: true,
        limits,
        said: [0; 3],
        left: [None; 3],
        ended: Ended::Answered,
        too_many: (10, 20, Duration::from_secs(30)),
    }
}

async fn settle(queue: &Queue, limits: Minute, charged: [u64; 2]) {
    queue.settle_call(BUCKET, &settlement(limits, charged)).await.unwrap();
}

#[tokio::test]
async fn one_wrong_figure_holds_for_ten_minutes_at_most() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [0, 1_000, 0]);
    assert_eq!(
        queue.reserve(BUCKET, &mut ask(limits, LONGEST_WAIT)).await.unwrap(),
        Grant::Go(Duration::ZERO)
    );
    settle(&queue, limits, [u64::MAX, 1]).await;
    let grant = queue.reserve(BUCKET, &mut ask(limits, FAR)).await.unwrap();
    assert!(matches!(grant, Grant::Go(wait) if wait > FAR / 2), "{grant:?}");
    // The place that was just taken lies beyond, and goes no farther either.
    let mut huge = ask(limits, FAR);
    huge.input = u64::MAX;
    queue.reserve(BUCKET, &mut huge).await.unwrap();
    let grant = queue.reserve(BUCKET, &mut ask(limits, FAR)).await.unwrap();
    assert!(matches!(grant, Grant::Go(_)), "{grant:?}");
}

#[tokio::test]
async fn a_clock_that_jumps_back_stops_nobody() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [60, 0, 0]);
    queue.reserve(BUCKET, &mut ask(limits, LONGEST_WAIT)).await.unwrap();
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
    let grant = queue.reserve(BUCKET, &mut ask(limits, LONGEST_WAIT)).await.unwrap();
    assert!(matches!(grant, Grant::Go(_)), "{grant:?}");
}

#[tokio::test]
async fn a_lone_call_without_a_place_is_told_its_place() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [1, 0, 0]);
    queue.reserve(BUCKET, &mut ask(limits, LONGEST_WAIT)).await.unwrap();
    let lone = queue.reserve(BUCKET, &mut ask(limits, LONGEST_WAIT)).await.unwrap();
    let place = queue.reserve(BUCKET, &mut ask(limits, FAR)).await.unwrap();
    let (Grant::Full(wait), Grant::Go(place)) = (lone, place) else { panic!("{lone:?}, {place:?}") };
    assert!(wait.abs_diff(place) < LONGEST_WAIT, "told {wait:?}, and the place is at {place:?}");
}

#[tokio::test]
async fn those_who_find_no_place_are_told_different_times() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [60, 0, 0]);
    let mut told: BTreeMap<u64, usize> = BTreeMap::new();
    for _ in 0..240 {
        if let Grant::Full(wait) = queue.reserve(BUCKET, &mut ask(limits, LONGEST_WAIT)).await.unwrap() {
            *told.entry(wait.as_secs()).or_default() += 1;
        }
    }
    let most = told.values().max().unwrap();
    assert!(*most <= 10, "{most} of 240 come back in one second: {told:?}");
    assert!(*told.keys().max().unwrap() <= 300, "{told:?}");
}

#[tokio::test]
async fn a_guess_makes_no_line() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [0, 6_000, 0]);
    let mut guess = Ask { input: 1_000, is_guess: true, ..ask(limits, LONGEST_WAIT) };
    queue.reserve(BUCKET, &mut guess).await.unwrap();
    let mut told = BTreeMap::new();
    for _ in 0..100 {
        let grant = queue.reserve(BUCKET, &mut guess).await.unwrap();
        let Grant::Full(wait) = grant else { panic!("{grant:?}") };
        *told.entry(wait.as_secs()).or_insert(0) += 1;
    }
    // The place of the first, which takes 10.9 s, and at most five more.
    assert!(told.keys().all(|second| (9..16).contains(second)), "{told:?}");
    assert!(told.len() >= 4, "not all at once: {told:?}");
    // Who knows stands in line at once, behind nobody.
    let known = queue.reserve(BUCKET, &mut ask(limits, LONGEST_WAIT)).await.unwrap();
    assert!(matches!(known, Grant::Full(wait) if wait < Duration::from_secs(11)), "{known:?}");
}

#[tokio::test]
async fn what_a_guess_took_too_much_is_given_back_while_nobody_stands_behind_it() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [0, 60_000, 0]);
    let guess = Ask { input: 1_000, is_guess: true, ..ask(limits, LONGEST_WAIT) };
    let place = async |mut ask: Ask| match queue.reserve(BUCKET, &mut ask).await.unwrap() {
        Grant::Go(wait) => (wait, ask),
        other => panic!("{other:?}"),
    };
    let failed = async || {
        let settlement = Settlement {
            asked: [1_000, 10],
            guessed: Some(Duration::ZERO),
            ended: Ended::Failed,
            ..settlement(limits, [0, 0])
        };
        queue.settle_call(BUCKET, &settlement).await.unwrap();
    };
    assert_eq!(place(guess).await.0, Duration::ZERO);
    failed().await;
    assert!(place(guess).await.0 < Duration::from_millis(100), "it has taken nothing");
    // This one waits for the one before, which ends now: its own place stays, and so does the one behind it.
    let (second, asked) = place(guess).await;
    assert!(second > Duration::from_millis(500) && asked.is_guess, "{second:?} {asked:?}");
    failed().await;
    let (third, _) = place(ask(limits, FAR)).await;
    assert!(third > Duration::from_millis(1_500), "{third:?}");
}

#[tokio::test]
async fn what_one_guess_was_charged_with_is_known_to_all() {
    let redis = PrivateRedis::start().unwrap();
    let (queue, limits) = (queue(redis.url(), "t"), [0, 60_000, 60_000]);
    let guess = Ask { input: 1_000, output: 100, is_guess: true, ..ask(limits, FAR) };
    queue.reserve(BUCKET, &mut { guess }).await.unwrap();
    let settlement =
        Settlement { asked: [1_000, 100], guessed: Some(Duration::ZERO), ..settlement(limits, [250, 10]) };
    queue.settle_call(BUCKET, &settlement).await.unwrap();
    let mut next = Ask { input: 2_000, output: 200, ..guess };
    queue.reserve(BUCKET, &mut next).await.unwrap();
    assert_eq!((next.input, next.output, next.is_guess), (500, 20, false));
}

#[tokio::test]
async fn a_hold_can_be_asked_for_and_lifted() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    assert_eq!(queue.held(BUCKET).await.unwrap(), Duration::ZERO);
    queue.hold(BUCKET, Duration::from_secs(60)).await.unwrap();
    let held = queue.held(BUCKET).await.unwrap();
    assert!(held > Duration::from_secs(50) && held <= Duration::from_secs(60), "{held:?}");
    let grant = queue.reserve(BUCKET, &mut ask([0; 3], LONGEST_WAIT)).await.unwrap();
    assert!(matches!(grant, Grant::Held(_)), "{grant:?}");
    queue.lift_hold(BUCKET).await.unwrap();
    let grant = queue.reserve(BUCKET, &mut ask([0; 3], LONGEST_WAIT)).await.unwrap();
    assert_eq!((grant, queue.held(BUCKET).await.unwrap()), (Grant::Go(Duration::ZERO), Duration::ZERO));
}
