//! Backlogs of a size that stops stock apalis-redis.

use crate::harness::{Handled, Worker, plain, queue, queue_with, tickets, within};
use apalis::prelude::{TaskSink, WorkerBuilder};
use apalis_redis::RedisStorage;
use hive_local::testing::PrivateRedis;
use hive_queue::Lane;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_waiting_tickets_are_handled_once_each() {
    let redis = PrivateRedis::start().unwrap();
    let queue = queue_with(redis.url(), "t", 100_000);
    let all = tickets(20_000, Lane::Normal);
    queue.announce(&all).await;
    assert_eq!(queue.depth().await.unwrap(), [0, 0, 20_000, 0, 0]);

    let (handled, start) = (Handled::default(), Instant::now());
    let worker = Worker::noting(&queue, "w", &handled);
    handled.until(all.len(), Duration::from_secs(60)).await;
    println!("{:.0} tickets/s", 20_000.0 / start.elapsed().as_secs_f64());
    worker.stop().await;
    handled.assert_each_once(&all);
}

#[tokio::test]
async fn a_backlog_that_bricked_stock_apalis_does_not_brick_this_worker() {
    const DUE: usize = 8_500;
    let redis = PrivateRedis::start().unwrap();
    let queue = queue(redis.url(), "t");
    let mut conn = plain(redis.url()).await;

    let config = apalis_redis::Config::default().queue("{t:normal}").batch_size(1).lock_tasks(false);
    let manager = redis::Client::open(redis.url()).unwrap().get_connection_manager().await.unwrap();
    let mut stock: RedisStorage<String> = RedisStorage::new(manager).with_config(config);
    for chunk in (0..DUE).collect::<Vec<_>>().chunks(500) {
        stock.push_bulk(chunk.iter().map(ToString::to_string).collect()).await.unwrap();
    }
    let scheduled: usize =
        redis::cmd("ZCARD").arg("{t:normal}:scheduled").query_async(&mut conn).await.unwrap();
    assert_eq!(scheduled, DUE);

    // The defect is real: without a guard each poll of every worker ends it.
    let worker = WorkerBuilder::new("stock").backend(stock).build(|_: String| async {});
    let end = tokio::time::timeout(Duration::from_secs(10), worker.run()).await.unwrap();
    assert!(end.unwrap_err().to_string().contains("too many results to unpack"));

    let (handled, ticket) = (Handled::default(), tickets(1, Lane::Normal));
    let worker = Worker::noting(&queue, "w", &handled);
    within(Duration::from_secs(30), "our ticket is handled", async || {
        queue.announce(&ticket).await; // over the cap until the backlog is gone
        handled.len() > 0
    })
    .await;
    worker.stop().await;
}
