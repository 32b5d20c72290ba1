//! A Redis for the test, workers on it, and a record of what they handled.

use hive_queue::{Config, Error, Lane, Queue, Ticket, WorkerConfig};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub fn queue_with(url: &str, prefix: &str, feed_cap: usize) -> Queue {
    let config = Config { prefix: prefix.to_owned(), feed_cap, ..Config::new(url) };
    Queue::connect(config).unwrap()
}

pub fn queue(url: &str, prefix: &str) -> Queue {
    queue_with(url, prefix, 2_000)
}

pub fn tickets(n: usize, lane: Lane) -> Vec<Ticket> {
    (0..n).map(|_| Ticket { task_id: Uuid::now_v7(), epoch: 0, lane }).collect()
}

/// Polls until `met` or fails the test with `what`.
pub async fn within<F: AsyncFnMut() -> bool>(limit: Duration, what: &str, mut met: F) {
    let start = Instant::now();
    while !met().await {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What handlers were given, in order.
#[derive(Clone, Default)]
pub struct Handled(Arc<Mutex<Vec<Ticket>>>);

impl Handled {
    pub fn note(&self, ticket: Ticket) {
        self.0.lock().unwrap().push(ticket);
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn forget(&self) {
        self.0.lock().unwrap().clear();
    }

    pub fn times(&self, ticket: &Ticket) -> usize {
        self.0.lock().unwrap().iter().filter(|t| *t == ticket).count()
    }

    /// How often each ticket was handled.
    pub fn counts(&self) -> HashMap<Ticket, usize> {
        let mut counts = HashMap::new();
        for ticket in self.0.lock().unwrap().iter() {
            *counts.entry(*ticket).or_default() += 1;
        }
        counts
    }

    pub async fn until(&self, n: usize, limit: Duration) {
        within(limit, &format!("{n} tickets handled"), async || self.len() >= n).await;
    }

    pub fn assert_each_once(&self, expected: &[Ticket]) {
        let counts = self.counts();
        assert_eq!(counts.len(), expected.len());
        for ticket in expected {
            assert_eq!(counts.get(ticket), Some(&1), "{ticket:?}");
        }
    }
}

/// A running worker; dropping it cuts it off without a goodbye, `stop` ends it as a process would.
pub struct Worker {
    stop: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
}

impl Worker {
    pub fn start<F, Fut>(queue: &Queue, name: &str, handler: F) -> Self
    where
        F: Fn(Ticket) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let (queue, config, token) =
            (queue.clone(), WorkerConfig { name: name.to_owned(), lanes: &Lane::ALL }, stop.clone());
        Self { stop, running: tokio::spawn(async move { queue.run(config, handler, token).await }) }
    }

    /// A worker that notes each ticket and returns at once.
    pub fn noting(queue: &Queue, name: &str, handled: &Handled) -> Self {
        let handled = handled.clone();
        Self::start(queue, name, move |ticket| {
            handled.note(ticket);
            async {}
        })
    }

    pub async fn stop(self) {
        assert!(!self.running.is_finished(), "a worker runs until it is stopped");
        self.stop.cancel();
        let start = Instant::now();
        self.running.await.unwrap().unwrap();
        assert!(start.elapsed() < Duration::from_secs(4), "the stop took {:?}", start.elapsed());
    }
}

/// A plain connection, to look at what lies in Redis or to put something wrong there.
pub async fn plain(url: &str) -> redis::aio::MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}
