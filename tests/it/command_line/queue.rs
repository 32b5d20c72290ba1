//! `hive queue …` and `hive task why`.

use std::time::Duration;

use hive_tests::{TestHive, within};
use serde_json::{Value, json};

/// Each pause that stands, as `scope/name/mode/reason`.
async fn pauses(hive: &TestHive) -> Vec<String> {
    let query = "SELECT concat_ws('/', scope, name, mode::text, reason) FROM pauses ORDER BY 1";
    sqlx::query_scalar(query).fetch_all(&hive.pool).await.unwrap()
}

#[tokio::test]
async fn a_pause_is_made_explained_and_ended() {
    let mut hive = TestHive::builder().workers(0).start().await;
    let id = hive.post_task(json!({ "title": "Held", "duty": "noop" })).await;
    let id = id.to_string();
    let why = hive.says_json(&["task", "why", &id]).await;
    assert_ne!(why["cause"], "paused", "{why:#}");

    let made = hive.says(&["queue", "pause", "--reason", "an upgrade"]).await;
    let lines: Vec<Vec<&str>> = made.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["SCOPE", "NAME", "MODE", "UNTIL", "CREATED_BY", "REASON"], "{made}");
    assert_eq!(lines[1], ["fleet", "pause", "operator", "an", "upgrade"], "{made}");
    assert_eq!(pauses(&hive).await, ["fleet//pause/an upgrade"]);

    let why = hive.says_json(&["task", "why", &id]).await;
    assert_eq!((&why["status"], &why["cause"]), (&json!("ready"), &json!("paused")), "{why:#}");
    let told = hive.says(&["task", "why", &id]).await;
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "ready (paused)", "{told}");
    assert!(lines[1].starts_with("why      ") && lines[1].contains("an upgrade"), "{told}");
    assert!(lines[2].starts_with("clears   "), "{told}");

    let listed = hive.says(&["task", "list"]).await;
    let line = listed.lines().find(|line| line.starts_with(&id)).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert!(words[1].ends_with('Z') && words[2..] == ["ready", "paused", "5", "$0.0000", "Held"], "{listed}");
    let shown = hive.says(&["task", "show", &id]).await;
    assert!(shown.contains("\nstatus   ready (paused)\n"), "{shown}");
    assert!(shown.contains("\ntimes    created 2") && shown.contains("\nattempts 0 of 3"), "{shown}");

    let drained =
        hive.says_json(&["queue", "drain", "--lane", "low", "--until", "2999-01-01T00:00:00Z"]).await;
    assert_eq!(
        (&drained["scope"], &drained["name"], &drained["mode"]),
        (&json!("lane"), &json!("low"), &json!("drain"))
    );
    assert_eq!(pauses(&hive).await, ["fleet//pause/an upgrade", "lane/low/drain/"]);
    let listed = hive.says_json(&["queue", "list"]).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed:#}");
    assert_eq!(hive.says(&["queue", "list"]).await.lines().count(), 3);

    assert_eq!(hive.says(&["queue", "resume"]).await, "");
    assert_eq!(pauses(&hive).await, ["lane/low/drain/"]);
    let listed = hive.says(&["task", "list"]).await;
    assert!(!listed.contains("paused"), "the pause of another lane is not its own: {listed}");
    // Nothing happens to it, and what is there is told all the same.
    let events = ["task", "events", &id, "--no-follow"];
    let told = hive.says(&events).await;
    assert_eq!(told.lines().count(), 1);
    let words: Vec<&str> = told.split_whitespace().take(3).collect();
    assert!(words[0] == "1" && words[1].ends_with('Z') && words[2] == "task.created", "{told}");
    assert_eq!(hive.says(&[&events[..], &["--after", "1"]].concat()).await, "");
    hive.start_worker().await;
    hive.wait_succeeded(id.parse().unwrap(), 60).await;
    let why = hive.says(&["task", "why", &id]).await;
    assert!(why.starts_with("succeeded ("), "{why}");

    let again = hive.complains(1, &["queue", "resume"]).await;
    assert!(again.starts_with("hive: ") && again.contains("no pause covers this fleet"), "{again}");
    let sideways = hive.complains(1, &["queue", "pause", "--lane", "sideways"]).await;
    assert!(sideways.contains("/name: must be urgent, high, normal or low"), "{sideways}");
    hive.complains(2, &["queue", "pause", "--lane", "low", "--agent", "x"]).await;
    let nobody = hive.complains(1, &["task", "why", &uuid::Uuid::now_v7().to_string()]).await;
    assert!(nobody.contains("does not exist"), "{nobody}");
    assert_eq!(pauses(&hive).await, ["lane/low/drain/"], "what was refused left nothing");
}

#[tokio::test]
async fn limits_are_set_and_servers_that_are_away_or_deny_have_their_codes() {
    let hive = TestHive::builder().workers(0).start().await;
    let limit = "SELECT concat_ws('/', kind, name, max_running, max_starts, per_seconds) FROM task_limits";
    let limits = async || -> Vec<String> { sqlx::query_scalar(limit).fetch_all(&hive.pool).await.unwrap() };
    let set = ["queue", "limit", "--key", "release", "--running", "1", "--rate", "30/60"];
    assert_eq!(hive.says(&set).await, "");
    assert_eq!(limits().await, ["key/release/1/30/60"]);
    let shown = hive.says_json(&["queue", "limits"]).await;
    assert_eq!(shown["items"][0]["max_running"], 1, "{shown:#}");
    let table = hive.says(&["queue", "limits"]).await;
    assert!(table.lines().nth(1).unwrap().ends_with("  30/60"), "{table}");
    let odd = hive.complains(2, &["queue", "limit", "--key", "release", "--rate", "often"]).await;
    assert!(odd.contains("30/60"), "{odd}");
    hive.complains(2, &["queue", "limit", "--running", "1"]).await;
    let zero = hive.complains(1, &["queue", "limit", "--key", "release", "--running", "0"]).await;
    assert!(zero.contains("/max_running"), "{zero}");
    assert_eq!(limits().await, ["key/release/1/30/60"]);
    hive.says(&["queue", "limit", "--key", "a & b", "--running", "2"]).await;
    assert_eq!(hive.says(&["queue", "drop-limit", "--key", "a & b"]).await, "");
    assert_eq!(limits().await, ["key/release/1/30/60"]);
    let none = hive.complains(1, &["queue", "drop-limit", "--agent", "release"]).await;
    assert!(none.contains("--agent: no agent has the id or the name release"), "{none}");
    hive.complains(2, &["queue", "drop-limit"]).await;
    hive.complains(2, &["queue", "drop-limit", "--key", "release", "--agent", "release"]).await;
    assert_eq!(limits().await, ["key/release/1/30/60"]);

    let denied = hive.complains(5, &["queue", "list", "--token", "another-token-of-some-length"]).await;
    assert!(denied.contains("(401)"), "{denied}");
    // Nobody listens on port 1.
    let away = hive.complains(4, &["queue", "list", "--url", "http://127.0.0.1:1"]).await;
    assert!(away.contains("does not answer"), "{away}");
    within(Duration::from_secs(5), "nothing changed", async || {
        let listed: Value = hive.says_json(&["queue", "list"]).await;
        listed["items"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
}
