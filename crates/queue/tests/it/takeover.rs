//! Two workers, and what happens to a ticket whose worker dies.

use crate::harness::{Handled, Worker, queue, tickets};
use hive_local::testing::PrivateRedis;
use hive_queue::{Lane, Ticket};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const URL: &str = "HIVE_QUEUE_TEST_URL";

/// Not a test: the worker process that the next test kills. It says which ticket it holds and keeps it.
#[tokio::test]
#[ignore = "started as a process of its own by the test below"]
async fn worker_process() {
    let Ok(url) = std::env::var(URL) else { return };
    let queue = queue(&url, "t");
    let worker = Worker::start(&queue, "child", |ticket| async move {
        println!("holding {}", ticket.task_id);
        std::future::pending::<()>().await;
    });
    std::future::pending::<()>().await;
    drop(worker);
}

#[tokio::test]
async fn a_ticket_of_a_killed_worker_is_taken_over() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "takeover::worker_process", "--ignored", "--nocapture"])
        .env(URL, redis.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let all = tickets(1, Lane::Normal);
    queue.announce(&all).await;
    let out = child.stdout.take().unwrap();
    let held = tokio::task::spawn_blocking(move || {
        BufReader::new(out).lines().map_while(Result::ok).any(|line| line.contains("holding"))
    });
    let held = tokio::time::timeout(Duration::from_secs(20), held).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(held.unwrap().unwrap(), "the child took the ticket");
    assert_eq!(queue.depth().await.unwrap(), [0; 5]);

    let (handled, start) = (Handled::default(), Instant::now());
    let worker = Worker::noting(&queue, "child", &handled);
    // The next activation does not wait for the old ticket.
    let next = Ticket { epoch: 1, ..all[0] };
    queue.announce(&[next]).await;
    handled.until(1, Duration::from_secs(3)).await;
    assert_eq!(handled.times(&next), 1);

    handled.until(2, Duration::from_secs(20)).await;
    assert_eq!(handled.times(&all[0]), 1);
    println!("taken over after {:?}", start.elapsed());
    worker.stop().await;
}

/// With a batch of ten, the first worker would hold all ten without a heartbeat for 15 s, and after 10 s the
/// second would be given them too.
#[tokio::test]
async fn two_workers_behind_a_slow_handler_share_the_tickets() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let all = tickets(10, Lane::Normal);
    queue.announce(&all).await;

    let handled = Handled::default();
    let start = |name| {
        let handled = handled.clone();
        Worker::start(&queue, name, move |ticket| {
            handled.note(ticket);
            tokio::time::sleep(Duration::from_millis(1_500))
        })
    };
    let workers = [start("a"), start("b")];
    handled.until(10, Duration::from_secs(14)).await;
    for worker in workers {
        worker.stop().await;
    }
    handled.assert_each_once(&all);
}

/// A handler that waits longer than the window in which a silent worker is given up.
#[tokio::test]
async fn a_handler_that_waits_long_keeps_its_ticket() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let all = tickets(1, Lane::Normal);
    let handled = Handled::default();
    let start = |name| {
        let handled = handled.clone();
        Worker::start(&queue, name, move |ticket| {
            handled.note(ticket);
            tokio::time::sleep(Duration::from_secs(13))
        })
    };
    let workers = [start("a"), start("b")];
    queue.announce(&all).await;
    handled.until(1, Duration::from_secs(5)).await;
    tokio::time::sleep(Duration::from_secs(14)).await;
    for worker in workers {
        worker.stop().await;
    }
    handled.assert_each_once(&all);
}
