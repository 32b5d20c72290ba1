//! What a model may answer besides what was asked for. None of it ends as a success when nothing was done.

use hive_tests::{Repo, TestHive, answer, branch, finish, rules, say, shell, write};
use serde_json::{Value, json};

async fn post(hive: &TestHive, repo: &Repo, title: &str) -> uuid::Uuid {
    hive.post_task(json!({ "title": title, "repository": repo.json() })).await
}

/// Tokens that each reply of a task could have had.
fn rooms(hive: &TestHive, id: uuid::Uuid) -> Vec<u64> {
    let asked = hive.double.requests().into_iter();
    asked
        .filter(|request| request.user_id == Some(id.to_string()))
        .map(|request| request.body["max_tokens"].as_u64().unwrap())
        .collect()
}

/// A rule for every turn of a task with this title.
fn always(title: &str, mut answer: Value) -> Value {
    answer["name"] = json!(title);
    answer["when"] = json!({ "first_text": title });
    answer
}

#[tokio::test]
async fn odd_ends_of_a_reply_each_have_their_way() {
    let cut_tools = json!([write("half", "half")]);
    let script = rules(json!([
        always("Cut text", json!({ "say": "I was about to", "stop_reason": "max_tokens" })),
        always("Cut call", json!({ "tools": cut_tools, "stop_reason": "max_tokens" })),
        always("Declined", json!({ "say": "I will not.", "stop_reason": "refusal" })),
        always("Nothing", json!({ "say": "" })),
        always("Paused", json!({ "say": "Searching.", "stop_reason": "pause_turn" })),
        always("Full", json!({ "say": "No room.", "stop_reason": "model_context_window_exceeded" })),
        always("Unknown", json!({ "say": "Hm.", "stop_reason": "a_reason_of_tomorrow" })),
        always("Broken", json!({ "tools": [write("half", "half")], "broken_json": true })),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("odd", &[("README", "Odd.\n")]);
    let mut tasks = Vec::new();
    for (title, reason, calls) in [
        ("Cut text", "max_tokens", 3),
        ("Cut call", "max_tokens", 3),
        ("Declined", "refused", 1),
        ("Nothing", "empty_reply", 3),
        ("Paused", "unexpected_reply", 6),
        ("Full", "context_window", 1),
        ("Unknown", "unexpected_reply", 1),
        ("Broken", "bad_tool_input", 3),
    ] {
        tasks.push((post(&hive, &repo, title).await, title, reason, calls));
    }
    for (id, title, reason, calls) in tasks {
        let task = hive.wait_end(id, 60).await;
        assert_eq!(
            (&task["status"], &task["status_reason"]),
            (&json!("failed"), &json!(reason)),
            "{title}: {task:#}"
        );
        assert_eq!(hive.calls(id).len(), calls, "{title}");
        let room: Vec<u64> = rooms(&hive, id);
        match title {
            "Cut text" => {
                assert_eq!(room, [16_000, 32_000, 16_000], "text that was cut gets more room, once");
            }
            _ => assert!(room.iter().all(|room| *room == 16_000), "{title}: {room:?}"),
        }
        assert_eq!(repo.files(&branch(id)), ["README"], "{title}: nothing was done");
        assert_eq!(hive.booked(id).await, hive.charged(id), "{title}");
        hive.assert_whole(id).await;
    }
}

#[tokio::test]
async fn an_agent_that_recovers_from_an_odd_answer_goes_on() {
    let mut cut = answer("Recovers", 0, json!([write("half", "half")]));
    cut["stop_reason"] = json!("max_tokens");
    let mut empty = say("Recovers", 1, "");
    empty["times"] = json!(1);
    let mut broken = answer("Recovers", 4, json!([write("half", "half")]));
    broken["broken_json"] = json!(true);
    let mut paused = say("Recovers", 5, "Searching.");
    paused["stop_reason"] = json!("pause_turn");
    let script = rules(json!([
        cut,
        empty,
        broken,
        paused,
        // An empty reply is no message of the conversation: the request after it has as many as the one before.
        answer("Recovers", 1, json!([{ "name": "teleport", "input": { "to": "done" } }])),
        answer("Recovers", 2, json!([{ "name": "write_file", "input": { "file": "x" } }])),
        answer(
            "Recovers",
            3,
            json!([{ "name": "edit_file", "input":
            { "path": "README", "old_text": "absent", "new_text": "x" } }, shell("exit 3")])
        ),
        answer("Recovers", 6, json!([write("whole", "whole\n")])),
        answer("Recovers", 7, json!([finish("It is whole.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("odd", &[("README", "Odd.\n")]);
    let id = post(&hive, &repo, "Recovers").await;
    let task = hive.wait_succeeded(id, 60).await;
    assert_eq!(task["result"]["summary"], "It is whole.");
    assert_eq!(repo.files(&branch(id)), ["README", "whole"]);
    let steps = hive.steps(id).await;
    let results: Vec<&Value> = steps
        .iter()
        .filter(|step| step["kind"] == "tool_results")
        .flat_map(|step| step["content"]["results"].as_array().unwrap())
        .collect();
    let content = |index: usize| results[index]["content"].as_str().unwrap();
    let errors: Vec<bool> = results.iter().map(|result| result["is_error"] == true).collect();
    assert_eq!(errors, [true, true, true, true, false, true, false, false], "{results:#?}");
    assert!(content(0).contains("cut at the output limit"));
    assert!(content(1).contains("there is no tool \"teleport\""));
    assert!(content(2).contains("file"), "the model reads what is wrong with its input: {}", content(2));
    assert!(content(3).contains("does not occur"));
    assert!(content(4).contains("exit code: 3"), "a command that fails is a result, not an error");
    assert!(content(5).contains("not a JSON object"));
    hive.assert_whole(id).await;
}
