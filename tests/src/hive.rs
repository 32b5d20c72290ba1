//! A hive for one story.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use hive_double::DoubleHandle;
use hive_local::Postgres;
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    builder::{Builder, CLAUDE_KEY, TOKEN, open_directory},
    program::Program,
    stores::{Database, Tickets},
};

/// Processes, stores and the double of one story. Dropping it ends all of them and fails the story when something is
/// left over: a running lease, a process that does not end well, a request that no rule of the script matched.
pub struct TestHive {
    /// The api processes.
    pub apis: Vec<Program>,
    /// The workers, in the order of their start; ended ones stay.
    pub workers: Vec<Program>,
    /// The schedulers.
    pub schedulers: Vec<Program>,
    /// A connection to the story's tables.
    pub pool: PgPool,
    /// What answers the agents.
    pub double: DoubleHandle,
    pub(crate) http: reqwest::Client,
    pub(crate) runtime: Option<Runtime>,
    pub(crate) database: Database,
    pub(crate) tickets: Tickets,
    pub(crate) prefix: String,
    pub(crate) worker_env: BTreeMap<String, String>,
    pub(crate) scheduler_env: BTreeMap<String, String>,
    pub(crate) hosts_apart: bool,
    pub(crate) expects_unmatched: bool,
    // Last, so that everybody who uses it has ended when it is removed.
    pub(crate) directory: TempDir,
}

impl TestHive {
    /// The settings, to be changed and started.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A directory of the story, enterable by the sandbox's users.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The story's own Postgres.
    pub fn postgres(&mut self) -> &mut Postgres {
        self.database.postgres()
    }

    /// What callers present.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// What workers present to the double.
    #[must_use]
    pub fn claude_key(&self) -> &'static str {
        CLAUDE_KEY
    }

    /// The URLs of both stores; they hold passwords.
    #[must_use]
    pub fn store_urls(&self) -> [String; 2] {
        [self.database.url(), self.tickets.url()]
    }

    /// For a story that means to send what no rule matches.
    pub fn expect_unmatched(&mut self) {
        self.expects_unmatched = true;
    }

    /// Starts another worker and waits until it takes tickets.
    pub async fn start_worker(&mut self) -> usize {
        self.launch_worker();
        let http = self.http.clone();
        let index = self.workers.len() - 1;
        self.workers[index].ready(&http).await;
        index
    }

    /// Starts another api process and waits until it answers.
    pub async fn start_api(&mut self) -> usize {
        self.spawn_api();
        let http = self.http.clone();
        let index = self.apis.len() - 1;
        self.apis[index].ready(&http).await;
        index
    }

    /// Changes a variable for workers that are started from now on.
    pub fn set_worker_env(&mut self, name: &str, value: &str) {
        self.worker_env.insert(name.to_owned(), value.to_owned());
    }

    /// Starts another worker without waiting for it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn launch_worker(&mut self) {
        let number = self.workers.len() + 1;
        let data = if self.hosts_apart { format!("data/host-{number}") } else { "data/host".to_owned() };
        let data = self.path(&data);
        std::fs::create_dir_all(&data).unwrap();
        let mut env = self.env(&data);
        env.extend([
            ("HIVE_WORKER_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("HIVE_WORKER_NAME".to_owned(), format!("worker-{number}")),
            ("ANTHROPIC_BASE_URL".to_owned(), self.double.url()),
            ("ANTHROPIC_API_KEY".to_owned(), CLAUDE_KEY.to_owned()),
            ("HIVE_SANDBOX".to_owned(), "auto".to_owned()),
            ("HIVE_CHECKPOINTS".to_owned(), self.path("checkpoints").to_str().unwrap().to_owned()),
        ]);
        env.extend(self.worker_env.clone());
        let program = Program::start("worker", format!("worker-{number}"), &env, &self.path("logs"));
        self.workers.push(program);
    }

    /// Starts another scheduler and waits until it is at work.
    pub async fn launch_scheduler(&mut self) -> usize {
        self.spawn_scheduler();
        let http = self.http.clone();
        let index = self.schedulers.len() - 1;
        self.schedulers[index].ready(&http).await;
        index
    }

    pub(crate) fn spawn_api(&mut self) {
        let number = self.apis.len() + 1;
        let data = self.path(&format!("data/api-{number}"));
        let mut env = self.env(&data);
        env.extend([
            ("HIVE_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("HIVE_TOKEN".to_owned(), TOKEN.to_owned()),
            ("HIVE_PROVIDER".to_owned(), "double".to_owned()),
            ("HIVE_METRICS_OPEN".to_owned(), "true".to_owned()),
        ]);
        self.apis.push(Program::start("api", format!("api-{number}"), &env, &self.path("logs")));
    }

    pub(crate) fn spawn_scheduler(&mut self) {
        let number = self.schedulers.len() + 1;
        let mut env = self.env(&self.path("data"));
        env.insert("HIVE_SCHEDULER_LISTEN".to_owned(), "127.0.0.1:0".to_owned());
        env.extend(self.scheduler_env.clone());
        self.schedulers.push(Program::start(
            "scheduler",
            format!("scheduler-{number}"),
            &env,
            &self.path("logs"),
        ));
    }

    /// Waits until everything that runs is ready.
    pub async fn all_ready(&mut self) {
        let http = self.http.clone();
        for program in self.apis.iter_mut().chain(&mut self.schedulers).chain(&mut self.workers) {
            if !program.ended_by_story {
                program.ready(&http).await;
            }
        }
    }

    /// What all processes share.
    fn env(&self, data: &Path) -> BTreeMap<String, String> {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        BTreeMap::from([
            ("DATABASE_URL".to_owned(), self.database.url()),
            ("REDIS_URL".to_owned(), self.tickets.url()),
            ("HIVE_REDIS_PREFIX".to_owned(), self.prefix.clone()),
            ("HIVE_DATA".to_owned(), path(data)),
            ("HIVE_REPO_ROOTS".to_owned(), path(&self.path("repos"))),
            ("HIVE_LOG_FORMAT".to_owned(), "json".to_owned()),
            ("HIVE_LOG".to_owned(), "info".to_owned()),
        ])
    }

    /// A directory beside the story's, outside of every root.
    #[must_use]
    pub fn elsewhere() -> TempDir {
        open_directory("hive-elsewhere-")
    }
}
