//! What every handler works with.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use hive_domain::{Channel, MessagePolicy, StatusReason, TaskId, TaskStatus, task::Task};
use hive_embed::Embedder;
use hive_memory::Memory;
use hive_queue::{Queue, Ticket, agent_events};
use hive_store::{Changed, Sleep, Store};
use hive_telemetry::{Health, MetricsHandle};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    admission::Admission, auth::Token, bases::Bases, config::Config, live::Live, observe, tail::Tail,
};

/// The channel on which changes of tasks are told.
pub const TASK_UPDATES: &str = "task_updates";

/// Who asks, until there are several tokens.
pub const ACTOR: &str = "operator";

/// Bodies of up to 8 MiB that one process holds at once; further ones wait for their turn.
const LARGE_BODIES: usize = 8;

/// How often Postgres and Redis are asked whether they answer.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// One process' share of the work: doors to the stores, and nothing that another process would miss.
#[derive(Debug)]
pub struct App {
    /// Postgres.
    pub store: Store,
    /// Redis.
    pub queue: Queue,
    /// What is remembered.
    pub memory: Memory,
    /// Git, for looking up the base of a task.
    pub bases: Bases,
    /// Whether more work of low priority is taken.
    pub admission: Admission,
    /// Who watches which task.
    pub live: Live,
    /// The last event of the system, for those who watch it.
    pub tail: Tail,
    /// What callers must present.
    pub token: Token,
    /// Whether this process can do its work.
    pub health: Health,
    /// What was counted.
    pub metrics: MetricsHandle,
    /// What answers the agents.
    pub provider: String,
    /// Large bodies that may be held at once.
    pub large_bodies: Arc<Semaphore>,
    /// Cancelled when the process is about to end.
    pub stop: CancellationToken,
}

impl App {
    /// Opens the doors; Postgres and Redis may be away.
    ///
    /// # Errors
    /// A setting that cannot be used, named.
    pub async fn open(config: &Config, stop: CancellationToken) -> anyhow::Result<Self> {
        let store = Store::connect_lazy(&hive_store::Config {
            max_connections: config.db_connections,
            ..hive_store::Config::new(config.database_url.clone())
        })
        .context("DATABASE_URL cannot be used")?;
        let queue = Queue::connect(hive_queue::Config {
            prefix: config.redis_prefix.clone(),
            ..hive_queue::Config::new(config.redis_url.clone())
        })
        .context("REDIS_URL or HIVE_REDIS_PREFIX cannot be used")?;
        let embedder = Embedder::open(&config.embed)?;
        let memory = Memory::new(store.clone(), embedder, config.memory());
        let health = Health::new("api");
        health.essential("postgres");
        health.optional("redis");
        Ok(Self {
            bases: Bases::open(config).await?,
            admission: Admission::new(Duration::from_secs(config.admission_seconds)),
            live: Live::default(),
            tail: Tail::default(),
            token: Token::new(&config.token),
            metrics: observe::install_metrics(),
            provider: config.provider.clone(),
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES)),
            health,
            memory,
            store,
            queue,
            stop,
        })
    }

    /// Keeps the health page true and the watchers awake, until it is dropped.
    pub async fn look_after(&self) {
        let (postgres, redis) = (self.health.clone(), self.health.clone());
        let channels = [Channel::SystemEvents, Channel::HealthChecks].map(Channel::as_str);
        let told = self.health.clone().tell(|process, notice| {
            let store = self.store.clone();
            async move {
                let (state, reason) = (notice.state.as_str(), notice.state.reason());
                store.note_health(&process, notice.component, state, reason, notice.at.into()).await
            }
        });
        let ping_redis = || async {
            let answer = self.queue.ping().await;
            self.live.hints_arrive(answer.is_ok());
            answer
        };
        tokio::join!(
            postgres.watch("postgres", PROBE_EVERY, || self.store.ping()),
            redis.watch("redis", PROBE_EVERY, ping_redis),
            self.live.listen(self.queue.subscribe(&[TASK_UPDATES])),
            self.tail.keep(&self.store, self.queue.subscribe(&channels)),
            told,
            self.admission.watch(&self.store),
            self.memory.tend(),
        );
    }

    /// After the commit: puts a ticket of a task that may run into its lane, and tells the watchers.
    pub async fn announce(&self, task: &Task) {
        self.announce_all(std::slice::from_ref(task)).await;
    }

    /// After the commit: puts the tickets of all that may run into their lanes, gives free places of their concurrency
    /// keys away, and tells the watchers. What fails here is done by the reconciler.
    pub async fn announce_all(&self, tasks: &[Task]) {
        let ready = tasks.iter().filter(|task| task.status == TaskStatus::Ready);
        let mut tickets: Vec<Ticket> = ready
            .map(|task| Ticket::new(task.id.uuid(), task.epoch, task.priority.into(), task.isolated))
            .collect();
        let waits = tasks.iter().filter(|task| task.reason == Some(StatusReason::Concurrency));
        let keys: Vec<String> = waits.filter_map(|task| task.concurrency_key.clone()).collect();
        match self.store.admit(&keys).await {
            Ok(admitted) => tickets.extend(
                admitted
                    .iter()
                    .map(|to| Ticket::new(to.task.uuid(), to.epoch, to.priority.into(), to.isolated)),
            ),
            Err(error) => tracing::debug!(%error, "Places of keys are given away later"),
        }
        self.queue.announce(&tickets).await;
        for task in tasks {
            self.tell(task).await;
        }
    }

    /// Tells the watchers of every process that a task changed.
    pub async fn tell(&self, task: &Task) {
        self.tell_changed(Changed { task: task.id, event_seq: task.event_seq, status: task.status }).await;
    }

    /// Tells the watchers of every process that a task changed, and a worker that it was cancelled.
    pub async fn tell_changed(&self, changed: Changed) {
        let update = json!({ "task_id": changed.task, "seq": changed.event_seq, "status": changed.status });
        self.queue.notify(TASK_UPDATES, &update.to_string()).await;
    }

    /// Tells who watches an agent that it falls asleep or wakes.
    pub async fn tell_sleeps(&self, sleeps: &[Sleep]) {
        for sleep in sleeps {
            let event = json!({ "sleep_id": sleep.id, "state": sleep.state });
            self.queue.notify(&agent_events(sleep.agent), &event.to_string()).await;
        }
    }

    /// Tells the watchers, and the worker that runs the task, that a person wrote.
    pub async fn tell_message(&self, task: TaskId, policy: MessagePolicy) {
        let update = json!({ "task_id": task, "message": policy });
        self.queue.notify(TASK_UPDATES, &update.to_string()).await;
    }
}
