//! What a story's hive is made of.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, time::Duration};

use hive_domain::Limits;
use hive_double::{Double, DoubleConfig, Recording, Script};
use hive_local::testing::{PrivateRedis, TestStores};
use hive_store::Store;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;

use crate::{
    hive::TestHive,
    stores::{Database, Tickets},
};

/// The token of every story's hive, long enough and found nowhere else.
pub(crate) const TOKEN: &str = "story-token-4f1c9a6e2b7d";
/// The key that the double takes.
pub(crate) const CLAUDE_KEY: &str = "sk-ant-story-key-91c2d4e8f0";

/// The rules of a user of Redis, for this prefix of keys and this password.
type RulesOfUser = fn(&str, &str) -> Vec<String>;

/// Settings of a [`TestHive`]; the defaults are one process of each kind and a worker with four slots.
pub struct Builder {
    script: Option<Script>,
    recording: Option<Recording>,
    apis: usize,
    workers: usize,
    schedulers: usize,
    own_redis: bool,
    redis_user: Option<RulesOfUser>,
    own_postgres: bool,
    latency: Duration,
    pub(crate) worker_env: BTreeMap<String, String>,
    scheduler_env: BTreeMap<String, String>,
    pub(crate) hosts_apart: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            script: None,
            recording: None,
            apis: 1,
            workers: 1,
            schedulers: 1,
            own_redis: false,
            redis_user: None,
            own_postgres: false,
            latency: Duration::ZERO,
            worker_env: BTreeMap::from([("HIVE_SLOTS".to_owned(), "4".to_owned())]),
            scheduler_env: BTreeMap::new(),
            hosts_apart: false,
        }
    }
}

impl Builder {
    /// What the double answers; without it plays its default part.
    #[must_use]
    pub fn script(mut self, script: Script) -> Self {
        self.script = Some(script);
        self
    }

    /// What the double answers from, and from nothing else.
    #[must_use]
    pub fn recording(mut self, recording: Recording) -> Self {
        self.recording = Some(recording);
        self
    }

    /// How many api processes.
    #[must_use]
    pub fn apis(mut self, count: usize) -> Self {
        self.apis = count;
        self
    }

    /// How many workers.
    #[must_use]
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// Tasks that one worker runs at a time.
    #[must_use]
    pub fn slots(self, count: usize) -> Self {
        self.worker_env("HIVE_SLOTS", &count.to_string())
    }

    /// How many schedulers.
    #[must_use]
    pub fn schedulers(mut self, count: usize) -> Self {
        self.schedulers = count;
        self
    }

    /// A variable of every worker.
    #[must_use]
    pub fn worker_env(mut self, name: &str, value: &str) -> Self {
        self.worker_env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A variable of every scheduler.
    #[must_use]
    pub fn scheduler_env(mut self, name: &str, value: &str) -> Self {
        self.scheduler_env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The double waits this long before each answer.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// A Redis that the story may flush, freeze and kill.
    #[must_use]
    pub fn own_redis(mut self) -> Self {
        self.own_redis = true;
        self
    }

    /// A Redis in which the hive is the user `hive` with these rules, made of the prefix of its keys and a password.
    #[must_use]
    pub fn redis_user(mut self, rules: RulesOfUser) -> Self {
        self.redis_user = Some(rules);
        self
    }

    /// A Postgres that the story may stop and crash.
    #[must_use]
    pub fn own_postgres(mut self) -> Self {
        self.own_postgres = true;
        self
    }

    /// Each worker has a data directory of its own, as on hosts that share nothing but the stores and the hubs.
    #[must_use]
    pub fn hosts_apart(mut self) -> Self {
        self.hosts_apart = true;
        self
    }

    /// Starts everything and waits until all of it is ready.
    ///
    /// # Panics
    /// When a part of it does not start.
    pub async fn start(self) -> TestHive {
        let directory = open_directory("hive-story-");
        for name in ["data", "logs", "repos"] {
            std::fs::create_dir(directory.path().join(name)).unwrap();
        }
        let database = if self.own_postgres { Database::own().await } else { Database::shared().await };
        let prefix = TestStores::redis_prefix();
        let tickets = if let Some(rules) = self.redis_user {
            Tickets::user(&rules(&prefix, "story-password"), "story-password")
        } else if self.own_redis {
            Tickets::Own(Box::new(PrivateRedis::start().unwrap()))
        } else {
            Tickets::Shared
        };
        seed(&database.url()).await;
        let pool = pool(&database);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = DoubleConfig {
            script: self.script,
            recording: self.recording,
            keys: vec![CLAUDE_KEY.to_owned()],
            latency: self.latency,
            ..DoubleConfig::default()
        };
        // On a thread of its own: the story may block, and the model answers all the same.
        let double = runtime.spawn(Double::start(config)).await.unwrap().unwrap();
        let mut hive = TestHive {
            apis: Vec::new(),
            workers: Vec::new(),
            schedulers: Vec::new(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            pool,
            double,
            runtime: Some(runtime),
            database,
            tickets,
            prefix,
            worker_env: self.worker_env,
            scheduler_env: self.scheduler_env,
            hosts_apart: self.hosts_apart,
            expects_unmatched: false,
            directory,
        };
        for _ in 0..self.apis {
            hive.spawn_api();
        }
        for _ in 0..self.schedulers {
            hive.spawn_scheduler();
        }
        for _ in 0..self.workers {
            hive.launch_worker();
        }
        hive.all_ready().await;
        hive
    }
}

/// Connections of the story itself.
pub(crate) fn pool(database: &Database) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(30));
    pool.connect_lazy(&database.url()).unwrap()
}

/// A temporary directory that the sandbox's users may pass through.
pub(crate) fn open_directory(prefix: &str) -> TempDir {
    let directory = tempfile::Builder::new().prefix(prefix).tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    directory
}

async fn seed(url: &str) {
    let store = Store::connect_lazy(&hive_store::Config::new(url.to_owned())).unwrap();
    let mut roster = hive_agent::roster().unwrap();
    for agent in &mut roster {
        // Stories set the limits of tasks; those of an agent would hide them.
        agent.definition.limits =
            Limits { max_turns: None, max_cost_usd: None, max_tokens: None, max_seconds: None };
    }
    store.seed_agents(&roster).await.unwrap();
    store.close().await;
}
