//! Redis loses everything, stands still, is away, comes back.

use crate::counted::counted;
use crate::harness::{Handled, Worker, plain, queue, tickets, within};
use hive_local::{RedisData, testing::PrivateRedis};
use hive_queue::Lane;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Long enough for a busy machine, short against the half minute stock apalis sleeps.
const RECOVERY: Duration = Duration::from_secs(8);

#[tokio::test]
async fn after_flushall_announced_tickets_flow_again() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    queue.announce(&tickets(5, Lane::Normal)).await;
    handled.until(5, RECOVERY).await;

    let mut conn = plain(redis.url()).await;
    redis::cmd("FLUSHALL").exec_async(&mut conn).await.unwrap();
    let all = tickets(50, Lane::Normal);
    queue.announce(&all).await;
    handled.until(55, RECOVERY).await;
    worker.stop().await;
    assert!(all.iter().all(|ticket| handled.times(ticket) == 1));
}

#[tokio::test]
async fn a_redis_that_stands_still_for_three_seconds_ends_no_handler() {
    let mut redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let (begun, ended) = (Handled::default(), Handled::default());
    let (b, e) = (begun.clone(), ended.clone());
    let worker = Worker::start(&queue, "w", move |ticket| {
        b.note(ticket);
        let e = e.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(4)).await;
            e.note(ticket);
        }
    });
    let all = tickets(1, Lane::Normal);
    queue.announce(&all).await;
    begun.until(1, RECOVERY).await;

    // Long enough for a heartbeat to be due and to wait; with redis-rs' 500 ms it would end the worker.
    redis.freeze();
    tokio::time::sleep(Duration::from_secs(3)).await;
    redis.thaw();

    ended.until(1, RECOVERY).await;
    let next = tickets(1, Lane::High);
    queue.announce(&next).await;
    ended.until(2, RECOVERY).await;
    worker.stop().await;
    begun.assert_each_once(&[all, next].concat());
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_is_used_again() {
    let mut redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    queue.announce(&tickets(1, Lane::Normal)).await;
    handled.until(1, RECOVERY).await;

    redis.kill();
    assert!(queue.ping().await.is_err());
    let all = tickets(20, Lane::Normal);
    let failed = counted("hive_queue_announce_failed_total");
    queue.announce(&all).await;
    assert!(counted("hive_queue_announce_failed_total") >= failed + 20);
    redis.start(RedisData::Wipe).unwrap();
    // The reconciler's part: announce again until it is handled.
    within(RECOVERY, "tickets flow again", async || {
        queue.announce(&all).await;
        handled.len() >= 21
    })
    .await;
    assert!(queue.ping().await.unwrap() < Duration::from_secs(1));
    worker.stop().await;
}

/// The worker ends, its handler with it, and the ticket is handed out again without waiting for the window in
/// which silent workers are given up.
#[tokio::test]
async fn a_worker_that_apalis_ends_hands_its_ticket_to_the_next() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let (begun, ended, slots) = (Handled::default(), Handled::default(), Arc::new(Semaphore::new(0)));
    let (b, e, s) = (begun.clone(), ended.clone(), Arc::clone(&slots));
    let worker = Worker::start(&queue, "w", move |ticket| {
        b.note(ticket);
        let (e, s) = (e.clone(), Arc::clone(&s));
        async move {
            s.acquire().await.unwrap().forget();
            e.note(ticket);
        }
    });
    let all = tickets(1, Lane::Normal);
    queue.announce(&all).await;
    begun.until(1, RECOVERY).await;

    let mut conn = plain(redis.url()).await;
    for kind in ["normal", "pubsub"] {
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg(kind).exec_async(&mut conn).await.unwrap();
    }
    // As after ten seconds of silence: the next heartbeat is refused.
    redis::cmd("DEL").arg("{t:normal}:workers").exec_async(&mut conn).await.unwrap();
    begun.until(2, RECOVERY).await;
    slots.add_permits(2);
    ended.until(1, RECOVERY).await;
    worker.stop().await;
    assert_eq!((begun.len(), ended.len()), (2, 1));
}

#[tokio::test]
async fn a_worker_that_starts_before_redis_waits_for_it() {
    let mut redis = PrivateRedis::start().unwrap();
    redis.kill();
    let queue = queue(redis.url(), "t");
    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.start(RedisData::Wipe).unwrap();
    queue.announce(&tickets(3, Lane::Normal)).await;
    handled.until(3, RECOVERY).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_stops_promptly_while_redis_is_away() {
    let mut redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    queue.announce(&tickets(1, Lane::Normal)).await;
    handled.until(1, RECOVERY).await;
    redis.freeze();
    worker.stop().await;
    redis.thaw();
}

#[tokio::test]
async fn an_announcement_waits_a_second_for_redis_and_no_more() {
    let mut redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    queue.announce(&tickets(1, Lane::Normal)).await;
    redis.freeze();
    let mut took = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        queue.announce(&tickets(1, Lane::Normal)).await;
        took.push(start.elapsed());
    }
    assert!(took[0] < Duration::from_secs(2), "{took:?}");
    assert!(
        took[1] + took[2] < Duration::from_millis(200),
        "nobody waits for a Redis known to be stuck: {took:?}"
    );
    redis.thaw();
    within(RECOVERY, "what stood in line arrives", async || queue.depth().await.is_ok_and(|d| d[2] == 4))
        .await;
}

#[tokio::test]
async fn many_single_announcements_share_few_calls() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    queue.announce(&tickets(1, Lane::Low)).await;
    let mut conn = plain(redis.url()).await;
    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut conn).await.unwrap();

    let done = Arc::new(AtomicUsize::new(0));
    let callers = tickets(1_000, Lane::Normal).into_iter().map(|ticket| {
        let (queue, done) = (queue.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            queue.announce(&[ticket]).await;
            done.fetch_add(1, Ordering::SeqCst);
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert_eq!(done.load(Ordering::SeqCst), 1_000);
    assert_eq!(queue.depth().await.unwrap(), [0, 0, 1_000, 1, 0], "returned means sent");
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut conn).await.unwrap();
    let calls: usize = stats
        .split("cmdstat_evalsha:calls=")
        .nth(1)
        .and_then(|rest| rest.split(',').next())
        .and_then(|n| n.parse().ok())
        .unwrap();
    assert!(calls <= 100, "{calls} script calls for 1,000 announcements");
}
