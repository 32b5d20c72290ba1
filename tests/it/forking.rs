//! A fork goes on from a step of another task: its files, its words, and none of its bill.

use hive_tests::{TestHive, answer, branch, finish, rules, write};
use serde_json::{Value, json};
use uuid::Uuid;

fn by(model: &str, mut rule: Value) -> Value {
    rule["name"] = json!(format!("{model}: {}", rule["name"].as_str().unwrap()));
    rule["when"]["model"] = json!(model);
    rule
}

async fn fork(hive: &TestHive, id: Uuid, body: &Value) -> Value {
    let (status, task) = hive.post(&format!("/api/v1/tasks/{id}/fork"), body).await;
    assert_eq!(status, 201, "{task:#}");
    task
}

fn id_of(task: &Value) -> Uuid {
    task["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_fork_has_the_files_of_its_step_and_pays_for_its_own_calls() {
    let file = |turn: usize| json!([write(&format!("f{turn}"), &format!("{turn}\n"))]);
    let script = rules(json!([
        by("sonnet", answer("Line", 0, file(0))),
        by("sonnet", answer("Line", 1, file(1))),
        by("sonnet", answer("Line", 2, file(2))),
        by("sonnet", answer("Line", 3, json!([finish("All three.")]))),
        // The first request of the fork: two turns lie before it, and what it was told stands at their end.
        { "name": "fork", "tools": [write("forked", "yes\n")], "when":
            { "turn": 2, "model": "opus", "first_text": "Line", "last_text": "(?s)Task: Another line.*Go left." } },
        by("opus", answer("Line", 3, json!([finish("Forked.")]))),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("line", &[("README", "Line.\n")]);
    let check = json!({ "command": "test -f f1" });
    let id =
        hive.post_task(json!({ "title": "Line", "repository": repo.json(), "acceptance": [check] })).await;
    hive.wait_succeeded(id, 40).await;
    let (calls, head, rows) = (hive.calls(id).len(), repo.commit(&branch(id)), hive.rows(id).await);
    let after_two = hive.steps(id).await[3]["commit"].as_str().unwrap().to_owned();

    let body = json!({ "from_step": 4, "model": "hard", "title": "Another line", "message": "Go left." });
    let made = fork(&hive, id, &body).await;
    let forked = id_of(&made);
    assert_eq!((&made["forked_from"], &made["forked_at"]), (&json!(id), &json!(4)));
    assert_eq!(made["usage"]["cost_usd"], 0.0);
    let task = hive.wait_succeeded(forked, 40).await;
    assert_eq!(task["title"], "Another line");
    assert_eq!(repo.files(&branch(forked)), ["README", "f0", "f1", "forked"], "the files of turn 2 only");
    let commit = repo.commit(&branch(forked));
    assert_eq!(repo.git(&["rev-parse", &format!("{commit}^")]).trim(), after_two);
    assert_eq!(repo.trailer(&commit, "Hive-Task"), forked.to_string());
    assert_eq!(task["result"]["diff_stat"]["files"], 1, "what the fork changed, and nothing that it shares");

    assert_eq!(hive.calls(forked).len(), 2, "exactly the further calls");
    assert_eq!(hive.booked(forked).await, hive.charged(forked));
    let paid = "SELECT count(*) FROM llm_calls WHERE task_id = $1";
    assert_eq!(hive.count(paid, forked).await, 2);
    let kinds = hive.step_kinds(forked).await;
    let own = ["message", "message", "reply", "tool_results", "reply", "tool_results", "checks"];
    assert_eq!(kinds, [["reply", "tool_results"].repeat(2), own.to_vec()].concat());
    let shared: Vec<Value> = hive.steps(forked).await.into_iter().take(4).collect();
    for (mut ours, theirs) in shared.into_iter().zip(hive.steps(id).await) {
        assert_eq!(ours["run"], format!("{forked}.0"));
        ours["run"] = theirs["run"].clone();
        // The calls are the original's.
        assert!(ours["route"].is_null(), "{ours}");
        ours["route"] = theirs["route"].clone();
        assert_eq!(ours, theirs);
    }
    hive.assert_whole(forked).await;
    assert_eq!((hive.calls(id).len(), repo.commit(&branch(id))), (calls, head), "the original is as it was");
    assert_eq!(hive.rows(id).await, rows);
}

#[tokio::test]
async fn a_place_that_has_no_files_of_its_own_is_refused() {
    let script = rules(json!([
        answer("Line", 0, json!([write("f0", "0\n")])),
        answer("Line", 1, json!([finish("One.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("line", &[("README", "Line.\n")]);
    let id = hive.post_task(json!({ "title": "Line", "repository": repo.json() })).await;
    hive.wait_succeeded(id, 40).await;
    for (body, field, says) in [
        (json!({ "from_step": 1 }), "/from_step", "between a reply"),
        (json!({ "from_step": 9 }), "/from_step", "no step 9"),
        (json!({ "from_step": 0 }), "/from_step", "at least 1"),
        (json!({ "from_step": 2, "title": "" }), "/title", "empty"),
        (json!({ "from_step": 2, "limits": { "max_turns": 0 } }), "/limits/max_turns", "at least 1"),
        (json!({ "from_step": 2, "to_step": 3 }), "/to_step", ""),
    ] {
        let (status, problem) = hive.post(&format!("/api/v1/tasks/{id}/fork"), &body).await;
        assert!([400, 422].contains(&status), "{problem:#}");
        assert_eq!(problem["errors"][0]["pointer"], field, "{problem:#}");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains(says), "{problem:#}");
    }
    assert_eq!(hive.tasks_in("succeeded").await, 1, "nothing is left behind");

    // At its last step the original was done, and so is the fork at once, without a call.
    let forked = id_of(&fork(&hive, id, &json!({ "from_step": 4 })).await);
    let task = hive.wait_succeeded(forked, 40).await;
    assert_eq!((hive.calls(forked).len(), &task["result"]["summary"]), (0, &json!("One.")));
    assert_eq!(repo.files(&branch(forked)), ["README", "f0"]);
}
