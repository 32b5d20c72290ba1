//! Tickets nobody can handle must not stop those that can be.

use crate::counted::counted;
use crate::harness::{Handled, Worker, plain, queue, tickets};
use hive_local::testing::PrivateRedis;
use hive_queue::Lane;
use redis::aio::MultiplexedConnection;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

async fn run(conn: &mut MultiplexedConnection, command: &[&[u8]]) {
    let mut cmd = redis::Cmd::new();
    for part in command {
        cmd.arg(*part);
    }
    cmd.exec_async(conn).await.unwrap();
}

/// Puts an id at the head of the normal lane, with the payload and bookkeeping given.
async fn plant(conn: &mut MultiplexedConnection, id: &[u8], payload: Option<&[u8]>, attempts: Option<&[u8]>) {
    if let Some(payload) = payload {
        run(conn, &[b"HSET", b"{t:normal}:data", id, payload]).await;
    }
    if let Some(attempts) = attempts {
        let meta = [b"{t:normal}:meta:", id].concat();
        run(conn, &[b"HSET", &meta, b"attempts", attempts, b"max_attempts", b"1", b"status", b"Pending"])
            .await;
    }
    run(conn, &[b"LPUSH", b"{t:normal}:active", id]).await;
}

async fn left(conn: &mut MultiplexedConnection) -> Vec<String> {
    let mut left = Vec::new();
    for (command, key) in [("LRANGE", "active"), ("HKEYS", "data")] {
        let mut cmd = redis::cmd(command);
        cmd.arg(format!("{{t:normal}}:{key}"));
        if command == "LRANGE" {
            cmd.arg(0).arg(-1);
        }
        let ids: Vec<String> = cmd.query_async(conn).await.unwrap();
        left.extend(ids);
    }
    left
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_costs_only_itself() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let mut conn = plain(redis.url()).await;
    let all = tickets(2, Lane::Normal);
    let bad = counted("hive_queue_bad_tickets_total");
    queue.announce(&all).await;
    plant(&mut conn, b"bad:1", Some(b"\xff\x00 no ticket"), Some(b"0")).await;
    plant(&mut conn, b"bad:2", Some(b""), Some(b"0")).await;

    let handled = Handled::default();
    let worker = Worker::noting(&queue, "w", &handled);
    handled.until(2, SOON).await;
    worker.stop().await;
    handled.assert_each_once(&all);
    assert!(counted("hive_queue_bad_tickets_total") >= bad + 2);
}

#[tokio::test]
async fn ids_without_payload_or_bookkeeping_are_removed_and_the_rest_flows() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let mut conn = plain(redis.url()).await;
    let handled = Handled::default();
    // Before the worker starts, where the start finds them, and under it, where one ends a worker first.
    for _ in 0..2 {
        let all = tickets(2, Lane::Normal);
        plant(&mut conn, b"ghost:1", None, None).await;
        plant(&mut conn, b"ghost:2", None, Some(b"0")).await;
        plant(&mut conn, b"bare:1", Some(b"bare:1"), None).await;
        plant(&mut conn, b"odd:1", Some(b"odd:1"), Some(b"many")).await;
        plant(&mut conn, b"", Some(b"x"), Some(b"0")).await;
        plant(&mut conn, b"\xff", Some(b"x"), Some(b"0")).await;
        queue.announce(&all).await;
        let worker = Worker::noting(&queue, "w", &handled);
        handled.until(2, SOON).await;

        let more = tickets(1, Lane::Normal);
        plant(&mut conn, b"ghost:3", None, None).await;
        queue.announce(&more).await;
        within_handled(&handled, &more[0]).await;
        worker.stop().await;
        assert!(all.iter().all(|ticket| handled.times(ticket) == 1));
        queue.janitor().await.unwrap();
        assert_eq!(left(&mut conn).await, Vec::<String>::new());
        handled.forget();
    }
}

async fn within_handled(handled: &Handled, ticket: &hive_queue::Ticket) {
    crate::harness::within(SOON, "the ticket behind the ghost", async || handled.times(ticket) == 1).await;
}
