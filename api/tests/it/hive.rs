//! The harness: a database and a Redis prefix of a test's own, and any number of API processes over them, reached
//! over real sockets.

use std::{path::Path, process::Command, time::Duration};

use hive_api::Config;
use hive_domain::{AgentDefinition, AgentId, Limits, ProjectId, TaskId, task::Task};
use hive_local::testing::{TestDatabase, TestStores};
use hive_queue::Queue;
use hive_store::{MIGRATOR, NewAgent, Store, TaskFilter};
use hive_telemetry::{LogConfig, LogFormat};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

pub const TOKEN: &str = "a-token-of-the-tests";
/// Nothing in these tests takes this long unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The stores of one test.
pub struct Hive {
    pub store: Store,
    pub queue: Queue,
    pub config: Config,
    files: TempDir,
    // Dropped last: it takes the connections of the others with it.
    database: TestDatabase,
}

impl Hive {
    /// Stores with the shared Redis.
    pub async fn start() -> Self {
        Self::over(TestStores::get().redis_url()).await
    }

    /// Stores with another Redis.
    pub async fn over(redis_url: &str) -> Self {
        let database = TestStores::get().database(&MIGRATOR).await.unwrap();
        let files = TempDir::new().unwrap();
        let roots = files.path().join("roots");
        std::fs::create_dir(&roots).unwrap();
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database_url: database.url.clone(),
            redis_url: redis_url.to_owned(),
            redis_prefix: TestStores::redis_prefix(),
            token: TOKEN.to_owned(),
            repo_roots: roots.display().to_string(),
            data: files.path().join("data"),
            provider: "double".to_owned(),
            metrics_open: false,
            admission_seconds: 600,
            db_connections: 8,
            memory_mib: 64,
            embed: hive_embed::Config::embedded(),
            log: LogConfig { filter: "info".to_owned(), format: Some(LogFormat::Text) },
        };
        let store = Store::connect_lazy(&hive_store::Config::new(config.database_url.clone())).unwrap();
        let queue = Queue::connect(hive_queue::Config {
            prefix: config.redis_prefix.clone(),
            ..hive_queue::Config::new(redis_url)
        });
        Self { store, queue: queue.unwrap(), config, files, database }
    }

    /// One more process over the same stores.
    pub async fn api(&self) -> Api {
        Api::start(self.config.clone()).await
    }

    /// An agent of the type that tasks get unless they name another.
    pub async fn agent(&self, kind: &str, name: &str) -> AgentId {
        let definition = AgentDefinition {
            role: String::new(),
            system_prompt: "You work.".to_owned(),
            model: "work".to_owned(),
            fallback_models: Vec::new(),
            tools: vec!["finish".to_owned()],
            capabilities: Vec::new(),
            limits: Limits::default(),
        };
        let new = NewAgent {
            id: AgentId::new(),
            project: ProjectId::DEFAULT,
            name: name.to_owned(),
            kind: kind.to_owned(),
            definition,
        };
        self.store.create_agent(&new).await.unwrap().id
    }

    /// All tasks of the database.
    pub async fn tasks(&self) -> Vec<Task> {
        self.store.tasks(&TaskFilter::default(), None, 200).await.unwrap().items
    }

    /// Behind the door: what only time would do.
    pub async fn execute(&self, sql: &str) {
        sqlx::raw_sql(sql).execute(&self.database.pool().await.unwrap()).await.unwrap();
    }

    /// That time by the clock of the database, as a query of the api gives it.
    pub async fn hours_ago(&self, hours: i32) -> String {
        let sql = "SELECT to_char((now() - make_interval(hours => $1)) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
        sqlx::query_scalar(sql).bind(hours).fetch_one(&self.database.pool().await.unwrap()).await.unwrap()
    }

    /// How many rows there are of what stands behind FROM.
    pub async fn count(&self, from: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {from}");
        sqlx::query_scalar(&sql).fetch_one(&self.database.pool().await.unwrap()).await.unwrap()
    }

    /// One more commit on `main` of [`Hive::repository`].
    pub fn commit(&self, message: &str) -> String {
        let work = self.files.path().join("work");
        git(&work, &["commit", "--quiet", "--allow-empty", "--message", message]);
        git(&work, &["push", "--quiet", "origin", "HEAD:main"]);
        git(&work, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// A repository below the configured root with one commit on `main`; its URL and that commit.
    pub fn repository(&self) -> (String, String) {
        let path = self.files.path().join("roots/shop.git");
        let work = self.files.path().join("work");
        git(self.files.path(), &["init", "--quiet", "--bare", "--initial-branch=main", text(&path)]);
        git(self.files.path(), &["clone", "--quiet", text(&path), text(&work)]);
        std::fs::write(work.join("read.me"), "hello\n").unwrap();
        git(&work, &["add", "."]);
        git(&work, &["commit", "--quiet", "--message", "First"]);
        git(&work, &["push", "--quiet", "origin", "HEAD:main"]);
        let commit = git(&work, &["rev-parse", "HEAD"]);
        (format!("file://{}", path.display()), commit.trim().to_owned())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.invalid"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// One API process, stopped when dropped.
pub struct Api {
    pub url: String,
    pub client: reqwest::Client,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Api {
    pub async fn start(config: Config) -> Self {
        let listener = TcpListener::bind(config.listen).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let running = tokio::spawn(hive_api::serve(config, listener, stop.clone()));
        Self { url, client: reqwest::Client::new(), stop, running }
    }

    /// A request without the token.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).timeout(PATIENCE)
    }

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(TOKEN)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    /// A POST with an Idempotency-Key.
    pub async fn post_keyed(&self, path: &str, key: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).header("idempotency-key", key).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(&body)).await
    }

    /// Posts a task that must be accepted.
    pub async fn task(&self, body: Value) -> TaskId {
        let answer = self.post("/api/v1/tasks", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["id"].as_str().unwrap().parse().unwrap()
    }

    /// Stops in good order.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.running).await.expect("it ends")?
    }

    /// Waits for it to end by itself.
    pub async fn ended(self) -> anyhow::Result<()> {
        tokio::time::timeout(PATIENCE, self.running).await.expect("it ends")?
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// Null when the text is no JSON.
    pub body: Value,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        Self::read(request.send().await.unwrap()).await
    }

    pub async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    /// Demands a problem of this kind.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        assert_eq!(self.body["code"], code, "{self:?}");
        for member in ["type", "title", "detail"] {
            assert!(self.body[member].is_string(), "{self:?}");
        }
    }

    /// The pointers or parameters at fault.
    pub fn places(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str().or(error["parameter"].as_str())).collect()
    }
}

/// Asks until `look` finds something.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
