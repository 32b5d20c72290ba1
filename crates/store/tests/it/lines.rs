//! Connections that a kind of statement keeps: nobody waits for them, and nobody is forgotten beside them.

use std::time::Duration;

use futures::future::join_all;
use hive_store::{Config, Store};
use rand::Rng;
use tokio::time::{sleep, timeout};

use crate::bed::Bed;

/// How long a connection is kept without a request.
const REST: Duration = Duration::from_millis(100);

/// With a single connection every other statement would come too late if it were kept.
#[tokio::test]
async fn a_connection_that_others_need_is_given_back() {
    let bed = Bed::make().await;
    let config = Config {
        lookups: true,
        max_connections: 1,
        acquire_timeout: Duration::from_secs(30),
        ..Config::new(bed.database.url.clone())
    };
    let store = Store::connect_lazy(&config).unwrap();
    store.ping().await.unwrap();
    for _ in 0..20 {
        store.enqueue(&bed.new_task()).await.unwrap();
        let begun = std::time::Instant::now();
        store.ping().await.unwrap();
        let took = begun.elapsed();
        if took < REST / 2 {
            return;
        }
    }
    panic!("another statement waits for the rest of each");
}

/// Requests that come as a connection is about to be given back are answered like all others.
#[tokio::test]
async fn whoever_comes_at_the_end_of_a_rest_is_answered() {
    let bed = Bed::make().await;
    let callers = (0..6).map(|_| async {
        for _ in 0..12 {
            timeout(Duration::from_secs(30), bed.enqueue()).await.expect("an answer");
            let millis = rand::rng().random_range(95..106);
            sleep(Duration::from_millis(millis)).await;
        }
    });
    join_all(callers).await;
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, 72);
}

/// What is kept does not outlive the store.
#[tokio::test]
async fn a_store_that_is_closed_keeps_nothing() {
    let bed = Bed::make().await;
    bed.enqueue().await;
    timeout(Duration::from_secs(30), bed.store.close()).await.expect("it ends");
    let ours = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'hive' AND pid <> pg_backend_pid()";
    let gone = async {
        while bed.number(ours).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), gone).await.expect("no connection stays");
}
