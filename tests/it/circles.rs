//! Agents that go in circles are stopped, with the pattern named and the work kept.

use hive_tests::{TestHive, answer, branch, rules, say, shell, write};
use serde_json::{Value, json};

#[tokio::test]
async fn each_circle_is_stopped_named_and_its_work_is_kept() {
    const TURNS: usize = 9;
    let absent = json!({ "name": "read_file", "input": { "path": "absent" } });
    let mut script: Vec<Value> = ["Same", "Pair", "Error", "Talk"]
        .map(|title| answer(title, 0, json!([write("kept", "work\n")])))
        .into();
    for turn in 1..TURNS {
        script.push(answer("Same", turn, json!([shell("echo same")])));
        script.push(answer("Pair", turn, json!([shell(["echo one", "echo two"][turn % 2])])));
        script.push(answer("Error", turn, json!([absent])));
        script.push(say("Talk", turn, &format!("I think that it is done, {turn}.")));
    }
    let hive = TestHive::builder().script(rules(json!(script))).start().await;
    let repo = hive.repo("circles", &[("README", "Round.\n")]);
    let mut tasks = Vec::new();
    // The calls of the first turn, and of the circle: none beyond its fourth repeat.
    for (title, pattern, calls) in [
        ("Same", "repeated_call", 5),
        ("Pair", "ping_pong", 7),
        ("Error", "repeated_error", 4),
        ("Talk", "monologue", 4),
    ] {
        let body =
            json!({ "title": title, "repository": repo.json(), "acceptance": [{ "command": "false" }] });
        tasks.push((hive.post_task(body).await, pattern, calls));
    }
    for (id, pattern, calls) in tasks {
        let task = hive.wait_end(id, 60).await;
        assert_eq!(
            (&task["status"], &task["status_reason"]),
            (&json!("failed"), &json!("loop_detected")),
            "{task:#}"
        );
        let detail = task["status_detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("{pattern}: ")), "{detail}");
        assert_eq!(hive.calls(id).len(), calls, "{pattern}");
        assert_eq!(repo.file(&branch(id), "kept"), "work\n");
        assert_eq!(task["error_class"], "loop_detected");
        hive.assert_whole(id).await;
    }
}
