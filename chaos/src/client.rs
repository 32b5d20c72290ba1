//! A sound client: it retries what failed, under the same key, and keeps the number of open tasks even.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use reqwest::{
    StatusCode,
    header::{IF_MATCH, RETRY_AFTER},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::fleet::TOKEN;

/// How long one submission is tried.
const PATIENCE: Duration = Duration::from_secs(90);
/// Submissions on their way at the same time.
const AT_ONCE: usize = 16;
/// The label that carries the number of a submission.
pub(crate) const LABEL: &str = "chaos";

/// What is submitted.
pub(crate) struct Work {
    pub(crate) tasks: usize,
    /// Open tasks at most: what is orphaned must not wait behind a backlog, or its recovery could not be measured.
    pub(crate) open: usize,
    pub(crate) files_every: usize,
    pub(crate) repository: Value,
}

/// A submission that the hive answered with a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) number: usize,
    pub(crate) id: Uuid,
    pub(crate) has_files: bool,
}

/// The client's books.
#[derive(Default)]
pub(crate) struct Books {
    // Protects the list of what was accepted; held for a push.
    accepted: Mutex<Vec<Accepted>>,
    pub(crate) given_up: AtomicUsize,
    /// Set when the strikes are over: then the client stops as soon as it has submitted enough.
    pub(crate) enough: AtomicBool,
}

impl Books {
    pub(crate) fn accepted(&self) -> Vec<Accepted> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn accept(&self, accepted: Accepted) {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(accepted);
    }
}

pub(crate) struct Client {
    http: reqwest::Client,
    apis: Vec<String>,
    run: String,
    pub(crate) tries: AtomicUsize,
}

impl Client {
    pub(crate) fn new(apis: Vec<String>, run: &str) -> anyhow::Result<Self> {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert(reqwest::header::AUTHORIZATION, format!("Bearer {TOKEN}").parse()?);
        let http = reqwest::Client::builder().default_headers(headers).no_proxy();
        Ok(Self {
            http: http.timeout(Duration::from_secs(10)).build()?,
            apis,
            run: run.to_owned(),
            tries: AtomicUsize::new(0),
        })
    }

    /// Submits until there is enough, never with more open tasks than the work allows.
    pub(crate) async fn submit_all(self: Arc<Self>, work: Work, pool: PgPool, books: Arc<Books>) {
        let mut sending = FuturesUnordered::new();
        let mut number = 0;
        loop {
            if number >= work.tasks && books.enough.load(Ordering::Relaxed) {
                break;
            }
            let open =
                "SELECT count(*) FROM tasks WHERE status IN ('pending', 'ready', 'running', 'waiting')";
            // A database that is away is asked again; meanwhile nothing is sent.
            let open: i64 = sqlx::query_scalar(open).fetch_one(&pool).await.unwrap_or(i64::MAX);
            let room = work.open.saturating_sub(usize::try_from(open).unwrap_or(usize::MAX));
            for _ in sending.len()..room.min(AT_ONCE) {
                number += 1;
                sending.push(self.submit(number, &work, &books));
            }
            tokio::select! {
                Some(()) = sending.next(), if !sending.is_empty() => {}
                () = sleep(Duration::from_millis(50)) => {}
            }
        }
        while sending.next().await.is_some() {}
    }

    async fn submit(&self, number: usize, work: &Work, books: &Books) {
        let has_files = number.is_multiple_of(work.files_every);
        let mut task = if has_files {
            with_files(&format!("Files {number}"), &work.repository)
        } else {
            json!({ "title": format!("Words {number}"), "agent_type": "strategic_partner", "max_attempts": 100 })
        };
        task["labels"] = json!({ LABEL: self.label(&number.to_string()) });
        match self.submit_task(&number.to_string(), number, &task).await {
            Some(id) => books.accept(Accepted { number, id, has_files }),
            None => drop(books.given_up.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// What marks a submission of this run.
    pub(crate) fn label(&self, name: &str) -> String {
        format!("{}-{name}", self.run)
    }

    /// Submits until the hive answers with the task, in turn to each api. `None`: it did not within the patience.
    pub(crate) async fn submit_task(&self, name: &str, first_api: usize, task: &Value) -> Option<Uuid> {
        let label = self.label(name);
        let deadline = Instant::now() + PATIENCE;
        let mut turn = first_api;
        while Instant::now() < deadline {
            turn += 1;
            self.tries.fetch_add(1, Ordering::Relaxed);
            match self.post(&self.apis[turn % self.apis.len()], &label, task).await {
                Ok(id) => return Some(id),
                Err(pause) => sleep(pause).await,
            }
            // The answer was lost, perhaps, and not the task.
            let found = self.look_up(&self.apis[(turn + 1) % self.apis.len()], &label).await;
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// One submission to one of the apis: the task, or how long to wait before the next try.
    pub(crate) async fn post_to(&self, api: usize, name: &str, task: &Value) -> Result<Uuid, Duration> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        self.post(&self.apis[api % self.apis.len()], &self.label(name), task).await
    }

    /// The task, or how long to wait before the next try.
    async fn post(&self, api: &str, key: &str, task: &Value) -> Result<Uuid, Duration> {
        let soon = Duration::from_millis(200);
        let post = self.http.post(format!("{api}/api/v1/tasks")).header("Idempotency-Key", key).json(task);
        let answer = post.send().await.map_err(|_| soon)?;
        if answer.status().is_success() {
            let task: Value = answer.json().await.map_err(|_| soon)?;
            return id_of(&task).ok_or(soon);
        }
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        if answer.status() == StatusCode::UNPROCESSABLE_ENTITY || answer.status() == StatusCode::BAD_REQUEST {
            eprintln!("hive-chaos: {} refuses {key}: {}", api, answer.text().await.unwrap_or_default());
        }
        Err(asked.map_or(soon, Duration::from_secs).min(Duration::from_secs(5)))
    }

    /// What stands under this path of the API.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(format!("{}/api/v1/{path}", self.apis[0])).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Makes something under this path of the API.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.http.post(format!("{}/api/v1/{path}", self.apis[0])).json(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Stops a schedule.
    pub(crate) async fn disable(&self, schedule: &Value) -> anyhow::Result<()> {
        let url =
            format!("{}/api/v1/schedules/{}", self.apis[0], schedule["id"].as_str().unwrap_or_default());
        let version = format!("W/\"{}\"", schedule["version"]);
        let change = self.http.patch(url).header(IF_MATCH, version).json(&json!({ "enabled": false }));
        change.send().await?.error_for_status()?;
        Ok(())
    }

    async fn look_up(&self, api: &str, label: &str) -> Option<Uuid> {
        let found = self.http.get(format!("{api}/api/v1/tasks"));
        let found = found.query(&[("label", format!("{LABEL}:{label}"))]).send().await.ok()?;
        let found: Value = found.error_for_status().ok()?.json().await.ok()?;
        id_of(found["items"].get(0)?)
    }

    /// A task that does nothing; `false` when it was not accepted.
    pub(crate) async fn noop(&self, number: usize) -> bool {
        let api = &self.apis[number % self.apis.len()];
        self.post(api, &format!("{}-noop-{number}", self.run), &json!({ "title": "Noop", "duty": "noop" }))
            .await
            .is_ok()
    }
}

/// A task that adds two lines to a file of its branch, and a command that checks them.
pub(crate) fn with_files(title: &str, repository: &Value) -> Value {
    let check = "test \"$(cat lines)\" = \"$(printf 'first\\nsecond')\"";
    json!({
        "title": title, "agent_type": "backend", "repository": repository, "max_attempts": 100,
        "acceptance": [{ "name": "lines", "command": check }],
    })
}

fn id_of(task: &Value) -> Option<Uuid> {
    task["id"].as_str()?.parse().ok()
}
