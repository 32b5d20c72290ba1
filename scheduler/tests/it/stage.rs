//! A database and a Redis prefix of a test's own, and tasks in the states that the scheduler repairs.

use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use hive_domain::{
    Priority, TaskId, TaskStatus,
    task::{NewTask, Performer, Task},
};
use hive_local::testing::{TestDatabase, TestStores};
use hive_scheduler::{Config, Doors, duties};
use hive_store::{MIGRATOR, Store};
use tokio::task::JoinSet;

/// How long a test waits for what must come at last.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Stage {
    pub database: TestDatabase,
    pub prefix: String,
    pub redis_url: String,
}

impl Stage {
    pub async fn set() -> Self {
        let stores = tokio::task::spawn_blocking(TestStores::get).await.unwrap();
        Self::with_redis(stores.redis_url()).await
    }

    /// With another Redis than the one that all tests share.
    pub async fn with_redis(redis_url: &str) -> Self {
        let stores = tokio::task::spawn_blocking(TestStores::get).await.unwrap();
        Self {
            database: stores.database(&MIGRATOR).await.unwrap(),
            prefix: TestStores::redis_prefix(),
            redis_url: redis_url.to_owned(),
        }
    }

    pub fn arguments(&self) -> Vec<String> {
        let options = [
            ("--database-url", self.database.url.as_str()),
            ("--redis-url", &self.redis_url),
            ("--redis-prefix", &self.prefix),
            ("--listen", "127.0.0.1:0"),
            ("--log-format", "json"),
            ("--data", env!("CARGO_TARGET_TMPDIR")),
        ];
        options.map(|(name, value)| format!("{name}={value}")).to_vec()
    }

    /// What a scheduler of this stage works with; each call opens doors of its own.
    pub fn doors(&self) -> Doors {
        let program = std::iter::once("hive-scheduler".to_owned());
        Doors::open(&Config::parse_from(program.chain(self.arguments()))).unwrap()
    }
}

pub async fn enqueue(store: &Store, priority: i64, delay: Option<Duration>) -> Task {
    let new = NewTask {
        priority: Priority::try_from(priority).unwrap(),
        run_at: delay.map(|delay| (SystemTime::now() + delay).into()),
        ..NewTask::titled("A task", Performer::Noop, "test")
    };
    store.enqueue(&new).await.unwrap()
}

/// Tasks that are ready and never had a ticket, as many as asked for of each priority: released by passes that find no
/// room in the lanes.
pub async fn ready_without_ticket(doors: &Doors, wanted: &[(i64, usize)]) {
    const AT_ONCE: usize = 8;
    // Longer than the store waits for a connection: a task that is due when it arrives counts as announced.
    const DELAY: Duration = Duration::from_secs(3);
    let priorities = wanted.iter().flat_map(|&(priority, n)| std::iter::repeat_n(priority, n));
    let priorities: Vec<_> = priorities.collect();
    let (tasks, mut enqueued) = (priorities.len(), JoinSet::new());
    for priority in priorities {
        if enqueued.len() >= AT_ONCE {
            enqueued.join_next().await.unwrap().unwrap();
        }
        let store = doors.store.clone();
        enqueued.spawn(async move { enqueue(&store, priority, Some(DELAY)).await });
    }
    enqueued.join_all().await;
    let full = Doors { feed_cap: 0, ..doors.clone() };
    let (mut released, start) = (0, Instant::now());
    while released < tasks {
        assert!(start.elapsed() < PATIENCE, "{released} of {tasks} tasks became ready");
        let pass = duties::reconcile(&full).await.unwrap();
        assert_eq!(pass.announced, 0, "a full lane takes no ticket");
        released += pass.released;
    }
}

/// Polls until the task has this status.
pub async fn becomes(store: &Store, task: TaskId, status: TaskStatus) -> Task {
    let start = Instant::now();
    loop {
        let now = store.task(task).await.unwrap();
        if now.status == status {
            return now;
        }
        assert!(start.elapsed() < PATIENCE, "the task stays {}", now.status);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Tickets in all lanes.
pub async fn tickets(doors: &Doors) -> u64 {
    doors.queue.depth().await.unwrap().iter().sum()
}
