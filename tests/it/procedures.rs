//! A procedure that one task learns is followed by the next, and how well that goes is counted.

use hive_double::Script;
use hive_tests::{TestHive, finish, rules, shell};
use serde_json::{Value, json};
use uuid::Uuid;

/// What only works in the right order, which nothing in the repository tells.
const RELEASE: &str = "#!/bin/sh\ncase $1 in freeze) echo yes > frozen ;;\n\
                       ship) grep -q yes frozen && echo shipped > released ;; esac\n";
const PROCEDURE: &str = "To release the shop: run sh release freeze first, then sh release ship.";

/// Ships as it was told to, and without being told in the way that seems right and is not.
fn script() -> Script {
    let remember = json!({ "name": "remember",
                           "input": { "text": PROCEDURE, "scope": "project", "kind": "procedure", "title": "Release" } });
    let told = "(?s)remembered earlier.*kind=\"procedure\".*sh release freeze first, then sh release ship";
    let ship = |name: &str, last: &str, command: &str| {
        let when = json!({ "turn": 0, "first_text": "Ship", "last_text": last });
        json!({ "name": name, "when": when, "tools": [shell(command)] })
    };
    rules(json!([
        { "name": "learns", "when": { "turn": 0, "first_text": "Learn" }, "tools": [remember] },
        { "name": "noted", "when": { "last_result": "remembered as" }, "tools": [finish("Noted.")] },
        ship("follows", told, "sh release freeze; sh release ship"),
        { "name": "guesses", "when": { "turn": 0, "first_text": "Ship" }, "tools": [shell("sh release ship")] },
        { "name": "ends", "when": { "first_text": "Ship" }, "tools": [finish("It is shipped.")] },
    ]))
}

async fn ship(hive: &TestHive, name: &str, check: &str) -> Uuid {
    let repo = hive.repo(name, &[("release", RELEASE)]);
    let task = json!({ "title": "Ship", "description": "Release the shop.", "agent_type": "backend",
                       "repository": repo.json(), "acceptance": [{ "command": check }] });
    hive.post_task(task).await
}

fn counted(entry: &Value) -> Value {
    entry["outcomes"].clone()
}

#[tokio::test]
async fn a_procedure_is_followed_by_the_next_task_and_its_rate_is_counted() {
    const CHECK: &str = "grep -q shipped released";
    let hive = TestHive::builder().script(script()).start().await;
    // Nobody knows how: the same task fails.
    let untold = ship(&hive, "untold", CHECK).await;
    assert_eq!(hive.wait_end(untold, 120).await["status_reason"], "verification_failed");

    let learnt = hive.post_task(json!({ "title": "Learn", "agent_type": "backend" })).await;
    hive.wait_succeeded(learnt, 60).await;
    let entry: Uuid = sqlx::query_scalar("SELECT id FROM contexts WHERE kind = 'procedure' AND content = $1")
        .bind(PROCEDURE)
        .fetch_one(&hive.pool)
        .await
        .unwrap();
    let path = format!("/api/v1/context/{entry}");
    let none = json!({ "used": 0, "succeeded": 0, "failed": 0, "rate": null });
    assert_eq!(counted(&hive.get(&path).await), none, "those who were not told do not count");

    let told = ship(&hive, "told", CHECK).await;
    hive.wait_succeeded(told, 120).await;
    let steps = hive.steps(told).await;
    assert_eq!(steps[0]["content"]["receipt"]["included"][0]["id"], entry.to_string(), "{:#}", steps[0]);
    let once = json!({ "used": 1, "succeeded": 1, "failed": 0, "rate": 1.0 });
    assert_eq!(counted(&hive.get(&path).await), once);

    // It is followed once more, by a task that wants something else besides.
    let wrong = ship(&hive, "wrong", "grep -q announced released").await;
    assert_eq!(hive.wait_end(wrong, 120).await["status_reason"], "verification_failed");
    let half = json!({ "used": 2, "succeeded": 1, "failed": 1, "rate": 0.5 });
    assert_eq!(counted(&hive.get(&path).await), half);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM context_receipts WHERE context_id = $1")
        .bind(entry)
        .fetch_one(&hive.pool)
        .await
        .unwrap();
    assert_eq!(rows, 2);

    // People see the same.
    assert_eq!(counted(&hive.says_json(&["memory", "show", &entry.to_string()]).await), half);
    let found =
        hive.says_json(&["memory", "search", "How is the shop released?", "--kind", "procedure"]).await;
    assert_eq!(counted(&found["hits"][0]["context"]), half, "{found:#}");
    let shown = hive.says(&["memory", "search", "How is the shop released?"]).await;
    assert!(shown.contains("50 % of 2"), "{shown}");
}
