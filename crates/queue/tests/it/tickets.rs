//! The ordinary way of a ticket.

use crate::harness::{Handled, Worker, plain, queue, queue_with, tickets, within};
use hive_local::testing::PrivateRedis;
use hive_queue::{Lane, Ticket};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn each_lane_carries_its_tickets() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let all: Vec<Ticket> = Lane::ALL.into_iter().zip(1..).flat_map(|(lane, n)| tickets(n, lane)).collect();

    queue.announce(&all).await;
    assert_eq!(queue.depth().await.unwrap(), [1, 2, 3, 4, 5]);

    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    handled.until(15, SOON).await;
    worker.stop().await;

    handled.assert_each_once(&all);
    assert_eq!(queue.depth().await.unwrap(), [0; 5]);
}

#[tokio::test]
async fn a_waiting_ticket_is_not_added_twice_and_a_spent_one_can_come_again() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let ticket = tickets(1, Lane::Normal);
    queue.announce(&ticket).await;
    queue.announce(&ticket).await;
    assert_eq!(queue.depth().await.unwrap(), [0, 0, 1, 0, 0]);

    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    handled.until(1, SOON).await;
    let mut conn = plain(redis.url()).await;
    within(SOON, "apalis knows that it is spent", async || {
        redis::cmd("SCARD").arg("{t:normal}:done").query_async(&mut conn).await == Ok(1)
    })
    .await;
    // Stock apalis would refuse the id for as long as it remembers it, which is for ever.
    queue.announce(&ticket).await;
    handled.until(2, SOON).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_full_lane_takes_no_more_until_it_drains() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue_with(redis.url(), "t", 50);
    let all = tickets(80, Lane::High);

    queue.announce(&all).await;
    assert_eq!(queue.depth().await.unwrap(), [0, 50, 0, 0, 0]);

    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    handled.until(50, SOON).await;
    queue.announce(&all[50..]).await;
    handled.until(80, SOON).await;
    worker.stop().await;
    handled.assert_each_once(&all);
}

#[tokio::test]
async fn an_idle_worker_hears_of_a_ticket_at_once() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    queue.announce(&tickets(1, Lane::Normal)).await;
    handled.until(1, SOON).await;

    let mut latencies = Vec::new();
    for n in 2..42 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let start = Instant::now();
        queue.announce(&tickets(1, Lane::Normal)).await;
        while handled.len() < n {
            assert!(start.elapsed() < SOON);
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        latencies.push(start.elapsed());
    }
    latencies.sort();
    println!("idle latency p50 {:?}, max {:?}", latencies[20], latencies[39]);
    // The tick alone would give 100 ms, apalis' own polling seconds.
    assert!(latencies[20] < Duration::from_millis(20), "{latencies:?}");
    worker.stop().await;
}

#[tokio::test]
async fn a_handler_that_panics_costs_one_ticket() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let handled = Handled::default();
    let (noted, n) = (handled.clone(), Arc::new(AtomicUsize::new(0)));
    let worker = Worker::start(&queue, "w", move |ticket| {
        let first = n.fetch_add(1, Ordering::SeqCst) == 0;
        let noted = noted.clone();
        async move {
            assert!(!first, "a panic that the test wants");
            noted.note(ticket);
        }
    });
    let all = tickets(3, Lane::Normal);
    queue.announce(&all).await;
    handled.until(2, SOON).await;
    worker.stop().await;
    // Stock apalis loses the worker, or keeps the ticket as dead; here it is spent like any other.
    assert_eq!(handled.times(&all[0]), 0);
    assert_eq!(queue.depth().await.unwrap(), [0; 5]);
}

#[tokio::test]
async fn what_a_stopped_worker_did_not_hand_over_goes_back() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let all = tickets(3, Lane::Urgent);
    queue.announce(&all).await;

    let (slots, waiting) = (Arc::new(Semaphore::new(0)), Handled::default());
    let noted = waiting.clone();
    let worker = Worker::start(&queue, "w", move |ticket| {
        let slots = Arc::clone(&slots);
        noted.note(ticket);
        async move { slots.acquire().await.unwrap().forget() }
    });
    waiting.until(1, SOON).await;
    assert_eq!(queue.depth().await.unwrap(), [2, 0, 0, 0, 0], "one at a time");
    worker.stop().await;
    assert_eq!(queue.depth().await.unwrap(), [3, 0, 0, 0, 0]);

    // At once, under the same name: apalis refuses a name until its last heartbeat is old.
    let (handled, start) = (Handled::default(), Instant::now());
    let worker = Worker::noting(&queue, "w", &handled);
    handled.until(3, SOON).await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    worker.stop().await;
    handled.assert_each_once(&all);
}

#[tokio::test]
async fn the_janitor_leaves_nothing_that_grows() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    queue.announce(&tickets(300, Lane::Low)).await;
    handled.until(300, SOON).await;
    worker.stop().await;

    let mut conn = plain(redis.url()).await;
    // A ticket that lies nowhere, one that lies nowhere yet, and a worker that died and whose tickets nobody
    // took over, because no neighbour beats in this lane.
    for command in [
        "HSET {t:low}:data old:1 old:1 new:1 new:1 held:1 held:1",
        "HSET {t:low}:meta:old:1 at 1",
        "HSET {t:low}:meta:new:1 at 4294967295",
        "ZADD {t:low}:names 1 gone",
        "HSET {t:low}:workers:metadata:gone service long",
        "SADD {t:low}:inflight:gone held:1",
    ] {
        let mut words = command.split(' ');
        let mut cmd = redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            cmd.arg(word);
        });
        cmd.exec_async(&mut conn).await.unwrap();
    }
    assert!(queue.janitor().await.unwrap() > 0);

    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut conn).await.unwrap();
    keys.retain(|key| key != "core:apalis:queues:list");
    keys.sort();
    assert_eq!(keys, ["{t:low}:active", "{t:low}:data", "{t:low}:meta:new:1"]);
    let waiting: Vec<String> =
        redis::cmd("LRANGE").arg("{t:low}:active").arg(0).arg(-1).query_async(&mut conn).await.unwrap();
    assert_eq!(waiting, ["held:1"]);
    let mut left: Vec<String> = redis::cmd("HKEYS").arg("{t:low}:data").query_async(&mut conn).await.unwrap();
    left.sort();
    assert_eq!(left, ["held:1", "new:1"]);
}

/// The tick finds what no wake told of, as when the connection for wakes is down.
#[tokio::test]
async fn a_ticket_without_a_wake_is_found_within_the_tick() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    queue.announce(&tickets(1, Lane::Normal)).await;
    handled.until(1, SOON).await;

    let mut conn = plain(redis.url()).await;
    let mut latencies = Vec::new();
    for n in 2..8 {
        let id = format!("{}:0", uuid::Uuid::now_v7());
        let start = Instant::now();
        redis::pipe()
            .cmd("HSET")
            .arg("{t:normal}:data")
            .arg(&id)
            .arg(&id)
            .cmd("HSET")
            .arg(format!("{{t:normal}}:meta:{id}"))
            .arg(&["attempts", "0", "max_attempts", "1", "status", "Pending"])
            .cmd("RPUSH")
            .arg("{t:normal}:active")
            .arg(&id)
            .exec_async(&mut conn)
            .await
            .unwrap();
        handled.until(n, SOON).await;
        latencies.push(start.elapsed());
    }
    latencies.sort();
    // The heartbeat alone would find it after 1 s on average.
    assert!(latencies[2] < Duration::from_millis(500), "{latencies:?}");
    worker.stop().await;
}

#[tokio::test]
async fn what_lies_in_a_lane_is_listed_and_left_alone() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let waiting = tickets(3, Lane::High);
    queue.announce(&waiting).await;
    let mut conn = plain(redis.url()).await;
    redis::cmd("RPUSH").arg("{t:high}:active").arg("no ticket").exec_async(&mut conn).await.unwrap();

    for _ in 0..2 {
        let lanes = queue.list().await.unwrap();
        assert_eq!(lanes.iter().map(|list| list.waiting).collect::<Vec<_>>(), [0, 4, 0, 0, 0]);
        let high = &lanes[Lane::High.index()];
        assert_eq!(high.tickets.iter().map(|listed| listed.ticket).collect::<Vec<_>>(), waiting);
        assert!(high.tickets.iter().all(|listed| !listed.held && listed.age.unwrap() < SOON));
        assert_eq!(high.unreadable, ["no ticket"]);
    }
    redis::cmd("LREM").arg("{t:high}:active").arg(0).arg("no ticket").exec_async(&mut conn).await.unwrap();

    // A handler that waits for a slot holds its ticket.
    let (held, free) = (Arc::new(Semaphore::new(0)), Handled::default());
    let worker = Worker::start(&queue, "w", {
        let (held, free) = (Arc::clone(&held), free.clone());
        move |ticket| {
            let (held, free) = (Arc::clone(&held), free.clone());
            async move {
                free.note(ticket);
                held.acquire().await.unwrap().forget();
            }
        }
    });
    free.until(1, SOON).await;
    within(SOON, "one is held and two wait", async || {
        let high = &queue.list().await.unwrap()[Lane::High.index()];
        high.waiting == 2 && high.tickets.iter().filter(|listed| listed.held).count() == 1
    })
    .await;
    held.add_permits(3);
    within(SOON, "none is left", async || {
        let high = &queue.list().await.unwrap()[Lane::High.index()];
        high.waiting == 0 && high.tickets.is_empty()
    })
    .await;
    worker.stop().await;
}
