//! What a task began with is what it ends with: the agent's version, and how its journal is written.

use std::time::Duration;

use hive_tests::{TestHive, answer, branch, finish, rules, write};
use reqwest::Method;
use serde_json::{Value, json};

async fn roll_out(hive: &TestHive, agent: &str, prompt: &str) -> i64 {
    let path = format!("/api/v1/agents/{agent}");
    let body = json!({ "system_prompt": prompt });
    let answer = hive.send(0, Method::PUT, &path, Some(&body)).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    hive.get(&path).await["version"].as_i64().unwrap()
}

#[tokio::test]
async fn a_task_ends_on_the_version_that_it_began_with() {
    let under = |prompt: &str, mut rule: Value| {
        rule["name"] = json!(format!("{prompt}: {}", rule["name"].as_str().unwrap()));
        rule["when"]["system"] = json!(prompt);
        rule
    };
    let mut hangs = under("Prompt three", answer("Pinned", 1, json!([write("f1", "1\n")])));
    hangs["delay_ms"] = json!(120_000);
    hangs["times_per_user"] = json!(1);
    let script = rules(json!([
        under("Prompt three", answer("Pinned", 0, json!([write("f0", "0\n")]))),
        hangs,
        under("Prompt three", answer("Pinned", 1, json!([write("f1", "1\n")]))),
        under("Prompt three", answer("Pinned", 2, json!([finish("By three.")]))),
        under("Prompt four", answer("Fresh", 0, json!([finish("By four.")]))),
    ]));
    let mut hive = TestHive::builder().script(script).start().await;
    let agents = hive.get("/api/v1/agents").await;
    let backend =
        agents["items"].as_array().unwrap().iter().find(|agent| agent["type"] == "backend").unwrap();
    let backend = backend["id"].as_str().unwrap().to_owned();
    roll_out(&hive, &backend, "Prompt two.").await;
    assert_eq!(roll_out(&hive, &backend, "Prompt three.").await, 3);

    let repo = hive.repo("pinned", &[("README", "Pinned.\n")]);
    let id = hive.post_task(json!({ "title": "Pinned", "repository": repo.json() })).await;
    hive.wait_steps(id, 30, 2).await;
    assert_eq!(roll_out(&hive, &backend, "Prompt four.").await, 4);
    hive.wait_asked(id, 20, 2).await;
    hive.workers[0].kill9();
    hive.start_worker().await;
    let task = hive.wait_succeeded(id, 60).await;
    assert_eq!((&task["result"]["summary"], &task["agent"]["version"]), (&json!("By three."), &json!(3)));
    assert!(task["run"].as_str().unwrap() > format!("{id}.1").as_str(), "another worker ended it");
    for commit in repo.commits(&branch(id)) {
        assert_eq!(repo.trailer(&commit, "Hive-Agent"), "Backend v3");
    }
    let fresh = hive.post_task(json!({ "title": "Fresh" })).await;
    let task = hive.wait_succeeded(fresh, 30).await;
    assert_eq!((&task["result"]["summary"], &task["agent"]["version"]), (&json!("By four."), &json!(4)));
}

#[tokio::test]
async fn a_journal_that_this_build_cannot_read_is_left_alone() {
    let script = rules(json!([
        answer("Strange", 0, json!([write("f0", "0\n")])),
        answer("Strange", 1, json!([finish("Read.")])),
    ]));
    let mut hive = TestHive::builder().script(script).workers(0).start().await;
    let repo = hive.repo("strange", &[("README", "Strange.\n")]);
    let body = json!({ "title": "Strange", "repository": repo.json(), "max_attempts": 1 });
    let id = hive.post_task(body).await;
    let set = async |format: i16| {
        let update = "UPDATE tasks SET journal_format = $2, run_at = now() WHERE id = $1";
        sqlx::query(update).bind(id).bind(format).execute(&hive.pool).await.unwrap();
    };
    set(99).await;
    hive.launch_worker();
    hive.all_ready().await;
    let task = hive.wait_status(id, 30, "waiting").await;
    assert_eq!((&task["status_reason"], &task["attempt"]), (&json!("journal_format"), &json!(0)), "{task:#}");
    assert!(task["status_detail"].as_str().unwrap().contains("99"), "{task:#}");
    assert_eq!(
        (hive.step_count(id).await, hive.double.requests().len()),
        (0, 0),
        "nothing was replayed or asked"
    );
    assert!(!repo.branches().contains(&branch(id)));
    let format = "SELECT journal_format::bigint FROM tasks WHERE id = $1";
    assert_eq!(hive.count(format, id).await, 99, "what is pinned stays");

    let update = "UPDATE tasks SET journal_format = 1, run_at = now() WHERE id = $1";
    sqlx::query(update).bind(id).execute(&hive.pool).await.unwrap();
    // What starts next stands for a build that reads this format.
    hive.start_worker().await;
    hive.wait_succeeded(id, 40).await;
    tokio::time::timeout(Duration::from_secs(5), hive.assert_whole(id)).await.unwrap();
}
