//! Logs are for machines, know what they speak about, and hold no secret.

use hive_tests::{TestHive, answer, finish, rules, shell};
use serde_json::{Value, json};

/// Where the lines of a run come from.
const OF_A_RUN: [&str; 5] =
    ["hive_agent", "hive_claude", "hive_sandbox", "hive_workspace", "hive_worker::jobs"];

#[tokio::test]
async fn every_line_is_json_with_ids_and_without_secrets() {
    let limited = json!({ "name": "limited", "when": { "turn": 1 }, "times": 1, "fault": 529 });
    let look = "env; cat /proc/self/environ /proc/1/environ /proc/*/environ | tr '\\0' '\\n'";
    let script = rules(json!([
        limited,
        answer("Look", 0, json!([shell(look)])),
        answer("Look", 1, json!([finish("Looked.")])),
        { "name": "refused", "when": { "first_text": "Refused" }, "fault": { "status": 401,
          "message": "invalid x-api-key: sk-ant-story-key-91c2d4e8f0" } },
    ]));
    let hive = TestHive::builder().script(script).worker_env("HIVE_LOG", "debug").start().await;
    let repo = hive.repo("look", &[("README", "Look.\n")]);
    let id = hive.post_task(json!({ "title": "Look", "repository": repo.json() })).await;
    hive.wait_succeeded(id, 30).await;
    let refused = hive.post_task(json!({ "title": "Refused" })).await;
    let parked = hive.wait_status(refused, 30, "waiting").await;
    assert_eq!(parked["status_reason"], "provider_unavailable", "{parked:#}");

    let passwords = hive.store_urls().map(|url| password(&url));
    let mut secrets = vec![hive.token().to_owned(), hive.claude_key().to_owned()];
    secrets.extend(passwords.into_iter().flatten());
    assert_eq!(secrets.len(), 4, "both stores of the run ask for a password");
    let mut of_runs = 0;
    for program in hive.apis.iter().chain(&hive.workers).chain(&hive.schedulers) {
        let text = program.log_text();
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{} logged a secret", program.name);
        }
        for line in program.log() {
            let line = line.unwrap_or_else(|line| panic!("{}: not JSON: {line}", program.name));
            let target = line["target"].as_str().unwrap();
            let mentions = line["message"].as_str().is_some_and(|text| text.contains(&id.to_string()));
            let of_run = line.contains_key("run.id") || mentions;
            if program.name.starts_with("worker")
                && of_run
                && OF_A_RUN.iter().any(|own| target.starts_with(own))
            {
                of_runs += 1;
                for (field, start) in [("task.id", 36), ("run.id", 38), ("trace.id", 32)] {
                    let value = line.get(field).and_then(Value::as_str).unwrap_or_default();
                    assert!(value.len() >= start, "{field} is missing: {line:?}");
                }
            }
        }
    }
    assert!(of_runs >= 5, "{of_runs} lines of runs");
    let again = hive.workers[0]
        .log()
        .into_iter()
        .flatten()
        .find(|line| line["message"].as_str().is_some_and(|text| text.contains("is made again")));
    assert_eq!(again.unwrap()["task.id"], id.to_string(), "a line from deep inside knows its task");

    // Nor did the sandbox hand them to the command, and through it to the model.
    let journal: Vec<Value> = hive.rows(id).await;
    let told =
        json!([journal, hive.double.requests().iter().map(|request| &request.body).collect::<Vec<_>>()]);
    let told = told.to_string();
    assert!(told.contains("PATH="), "the command printed its environment");
    for secret in &secrets {
        assert!(!told.contains(secret.as_str()), "a secret reached the journal or the model");
    }
    let view = hive.task(refused).await.to_string();
    assert!(!view.contains(hive.claude_key()), "{view}");
}

/// The password in the URL of a store, in either of the two forms that URLs have.
fn password(url: &str) -> Option<String> {
    let in_query = url.split_once("pass=").map(|(_, after)| after.split('&').next().unwrap_or(after));
    let in_authority =
        || url.split_once("://")?.1.split_once('@')?.0.split_once(':').map(|(_, password)| password);
    in_query.or_else(in_authority).filter(|password| password.len() > 8).map(str::to_owned)
}
