//! A deployment with something of everything in it.

use std::time::Duration;

use hive_tests::{Builder, Repo, TestHive, answer, finish, rules, within, write};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// The machine is shared.
const SOON: Duration = Duration::from_secs(180);

/// A hive whose script knows the tasks of [`Life`], and whose batches go out at once.
pub(super) fn builder() -> Builder {
    let mut slow = answer("Long work", 1, json!([finish("Went on to its end.")]));
    slow["delay_ms"] = json!(600_000);
    let script = rules(json!([
        { "name": "night", "when": { "first_text": "^<(facts|excerpts)>" }, "mode": "night" },
        answer("Write", 0, json!([write("written", "by a task\n")])),
        answer("Write", 1, json!([finish("Written.")])),
        answer("Long work", 0, json!([write("begun", "1\n")])),
        slow,
        { "name": "mail", "when": { "turn": 0, "first_text": "message" }, "tools": [finish("Read.")] },
    ]));
    TestHive::builder()
        .script(script)
        .worker_env("HIVE_BATCH_AFTER_SECONDS", "0.2")
        .worker_env("HIVE_BATCH_POLL_SECONDS", "0.3")
}

/// The same script in which nothing is slow.
pub(super) fn quick() -> hive_double::Script {
    rules(json!([
        answer("Write", 0, json!([write("written", "by a task\n")])),
        answer("Write", 1, json!([finish("Written.")])),
        answer("Long work", 1, json!([finish("Went on to its end.")])),
    ]))
}

/// What was done in it.
pub(super) struct Life {
    pub(super) repo: Repo,
    /// A task whose second call of the model hangs.
    pub(super) running: Uuid,
}

async fn post(hive: &TestHive, path: &str, body: Value) -> Value {
    let (status, made) = hive.post(path, &body).await;
    assert!((200..300).contains(&status), "POST {path}: {status} {made:#}");
    made
}

async fn put(hive: &TestHive, path: &str, body: Value) {
    let answer = hive.send(0, Method::PUT, path, Some(&body)).await;
    assert!(answer.status().is_success(), "PUT {path}: {}", answer.text().await.unwrap());
}

async fn agent(hive: &TestHive, kind: &str) -> Uuid {
    let query = "SELECT id FROM agents WHERE type = $1";
    sqlx::query_scalar(query).bind(kind).fetch_one(&hive.pool).await.unwrap()
}

impl Life {
    /// Lives until nothing moves any more but the task that hangs.
    pub(super) async fn of(hive: &mut TestHive) -> Self {
        let repo = hive.repo("shop", &[("README", "A shop: naïve \\N \t text\n")]);
        repo.git(&["tag", "--annotate", "v1", "--message", "First"]);
        let session = post(hive, "/api/v1/sessions", json!({ "name": "Tuesday" })).await;
        let write = json!({ "title": "Write", "agent_type": "backend", "repository": repo.json(),
                            "session_id": session["id"], "labels": { "of": "life\\n\t\"quoted\"" },
                            "acceptance": [{ "name": "there", "command": "cat written", "timeout_seconds": 60 }] });
        let id = hive.post_task(write).await;
        hive.wait_succeeded(id, 180).await;
        let cancelled = json!({ "title": "Never", "duty": "noop", "run_at": "2100-01-01T00:00:00Z" });
        let never = hive.post_task(cancelled).await;
        hive.cancel(never).await;
        let waits =
            json!({ "title": "Write later", "agent_type": "backend", "run_at": "2100-01-01T00:00:00Z" });
        hive.post_task(waits).await;
        Self::remembers(hive).await;
        let (qa, backend) = (agent(hive, "qa").await, agent(hive, "backend").await);
        let mail = json!({ "content": "A message for you.", "to_agent_id": qa });
        let (status, sent) = hive.post("/api/v1/messages/send", &mail).await;
        assert_eq!(status, 201, "{sent:#}");
        put(hive, "/api/v1/budgets", json!({ "scope": "org", "period": "total", "cap_usd": 900.0 })).await;
        let schedule = json!({ "name": "probe", "cron": "0 0 1 1 *", "task": {
            "title": "Probe", "agent_type": "qa", "repository": repo.json() } });
        post(hive, "/api/v1/schedules", schedule).await;
        post(hive, "/api/v1/queue/pause", json!({ "scope": "agent", "name": backend, "mode": "drain" }))
            .await;
        post(hive, "/api/v1/queue/resume", json!({ "scope": "agent", "name": backend })).await;
        hive.says(&["housekeeping", "run", "records"]).await;
        hive.says(&["housekeeping", "run", "partitions_ahead"]).await;
        within(SOON, "nothing is at work", async || {
            let open: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM tasks WHERE status IN ('ready', 'running', 'waiting')",
            )
            .fetch_one(&hive.pool)
            .await
            .unwrap();
            (open == 0).then_some(())
        })
        .await;
        let long = json!({ "title": "Long work", "agent_type": "devops", "repository": repo.json() });
        let running = hive.post_task(long).await;
        hive.wait_asked(running, 180, 2).await;
        hive.tell(running, "Take your time.", "enqueue").await;
        Self { repo, running }
    }

    async fn remembers(hive: &TestHive) {
        for content in
            ["The shop listens on port 8080", "Port 8080 is the port the shop listens on", "Tulips bloom"]
        {
            post(hive, "/api/v1/context/store", json!({ "content": content })).await;
        }
        within(SOON, "all entries have vectors", async || {
            let due = "SELECT count(*) FROM context_vectors_due";
            let due: i64 = sqlx::query_scalar(due).fetch_one(&hive.pool).await.unwrap();
            (due == 0).then_some(())
        })
        .await;
        let begun = post(hive, "/api/v1/sleep-cycles", json!({})).await;
        let path = format!("/api/v1/sleep-cycles/{}", begun["id"].as_str().unwrap());
        let cycle = within(SOON, "the night is over", async || {
            let cycle = hive.get(&path).await;
            (!cycle["finished_at"].is_null()).then_some(cycle)
        })
        .await;
        assert_eq!(cycle["state"], "completed", "{cycle:#}");
    }
}
