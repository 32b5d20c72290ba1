//! The front door.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::{builder::TOKEN, hive::TestHive, wait::within};

/// The states in which nothing more happens by itself.
const ENDS: [&str; 4] = ["succeeded", "failed", "cancelled", "dead"];

impl TestHive {
    /// A request to the api process `api`, with the token.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn send(&self, api: usize, method: Method, path: &str, body: Option<&Value>) -> Response {
        let url = format!("{}{path}", self.apis[api].url());
        let mut request = self.http.request(method, url).bearer_auth(TOKEN).timeout(Duration::from_secs(30));
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    /// A GET whose answer is JSON.
    ///
    /// # Panics
    /// When it is not 200.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.send(0, Method::GET, path, None).await;
        assert_eq!(answer.status(), StatusCode::OK, "GET {path}");
        answer.json().await.unwrap()
    }

    /// Posts a task and returns its id.
    ///
    /// # Panics
    /// When it is not accepted.
    pub async fn post_task(&self, task: Value) -> Uuid {
        let answer = self.send(0, Method::POST, "/api/v1/tasks", Some(&task)).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::CREATED, "{text}");
        let view: Value = serde_json::from_str(&text).unwrap();
        view["id"].as_str().unwrap().parse().unwrap()
    }

    /// The task as a user sees it.
    pub async fn task(&self, id: Uuid) -> Value {
        self.get(&format!("/api/v1/tasks/{id}")).await
    }

    /// The whole journal as a user sees it.
    ///
    /// # Panics
    /// When a page is not of the documented form.
    pub async fn steps(&self, id: Uuid) -> Vec<Value> {
        let mut steps = Vec::new();
        let mut path = format!("/api/v1/tasks/{id}/steps?limit=200");
        loop {
            let mut page = self.get(&path).await;
            steps.append(page["items"].as_array_mut().unwrap());
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/api/v1/tasks/{id}/steps?limit=200&cursor={cursor}"),
                None => return steps,
            }
        }
    }

    /// The diff of a task.
    ///
    /// # Panics
    /// When there is none.
    pub async fn diff(&self, id: Uuid) -> String {
        let answer = self.send(0, Method::GET, &format!("/api/v1/tasks/{id}/diff"), None).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }

    /// The task as soon as `met` holds of it.
    ///
    /// # Panics
    /// When that takes longer than `seconds`.
    pub async fn wait_for(&self, id: Uuid, seconds: u64, what: &str, met: impl Fn(&Value) -> bool) -> Value {
        let what = format!("task {id}: {what}");
        let mut last = Value::Null;
        let seen = async || {
            let task = self.task(id).await;
            last = task.clone();
            met(&task).then_some(task)
        };
        let outcome = within_or(Duration::from_secs(seconds), seen).await;
        outcome.unwrap_or_else(|| panic!("not within {seconds} s: {what}; it is {last:#}"))
    }

    /// The task in this state.
    pub async fn wait_status(&self, id: Uuid, seconds: u64, status: &str) -> Value {
        self.wait_for(id, seconds, status, |task| task["status"] == status || is_end(task)).await
    }

    /// The task after its end.
    pub async fn wait_end(&self, id: Uuid, seconds: u64) -> Value {
        self.wait_for(id, seconds, "its end", is_end).await
    }

    /// The task after its end, which must be `succeeded`.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub async fn wait_succeeded(&self, id: Uuid, seconds: u64) -> Value {
        let task = self.wait_end(id, seconds).await;
        assert_eq!(task["status"], "succeeded", "{task:#}");
        task
    }

    /// Waits until the model was asked `count` times for the task, if only by a call that hangs.
    pub async fn wait_asked(&self, id: Uuid, seconds: u64, count: usize) {
        let user = id.to_string();
        within(Duration::from_secs(seconds), &format!("task {id}: model call {count}"), async || {
            let requests = self.double.requests();
            let ours = requests.iter().filter(|request| request.user_id.as_ref() == Some(&user));
            (ours.count() >= count).then_some(())
        })
        .await;
    }

    /// Waits until `count` steps of the task are in the journal.
    pub async fn wait_steps(&self, id: Uuid, seconds: u64, count: i64) {
        let what = format!("{count} steps of task {id}");
        within(Duration::from_secs(seconds), &what, async || {
            (self.step_count(id).await >= count).then_some(())
        })
        .await;
    }

    /// Asks for a task's cancellation.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn cancel(&self, id: Uuid) {
        let answer = self.send(0, Method::POST, &format!("/api/v1/tasks/{id}/cancel"), None).await;
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// A POST with a body: its status and its answer.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.send(0, Method::POST, path, Some(body)).await;
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Tells the agent of a task something, and demands that it is accepted.
    ///
    /// # Panics
    /// When it is not.
    pub async fn tell(&self, id: Uuid, text: &str, policy: &str) -> Value {
        let body = serde_json::json!({ "text": text, "policy": policy });
        let (status, message) = self.post(&format!("/api/v1/tasks/{id}/messages"), &body).await;
        assert_eq!(status, 201, "{message:#}");
        message
    }

    /// A page of any process, without the token.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn page(&self, base: &str, path: &str) -> String {
        let request = self.http.get(format!("{base}{path}")).timeout(Duration::from_secs(10));
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Status code and body of a health page, of any process.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn health(&self, base: &str) -> (u16, Value) {
        let request = self.http.get(format!("{base}/health/ready")).timeout(Duration::from_secs(10));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// True when nothing more happens by itself.
fn is_end(task: &Value) -> bool {
    task["status"].as_str().is_some_and(|status| ENDS.contains(&status))
}

async fn within_or<T>(limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let start = std::time::Instant::now();
    loop {
        if let Some(value) = look().await {
            return Some(value);
        }
        if start.elapsed() > limit {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
