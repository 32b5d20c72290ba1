//! A person has the last turn undone: in the files, in the conversation, and nowhere else, whatever dies meanwhile.

use std::time::Duration;

use hive_tests::{Receiver, Repo, TestHive, answer, branch, finish, rules, shell, spoken, within, write};
use serde_json::{Value, json};
use uuid::Uuid;

const WISH: &str = "Leave that alone.";

/// The rule for the request after the wish, with `turn` replies that still stand and whatever `besides` matches.
fn undone(title: &str, turn: usize, besides: &str) -> Value {
    json!({ "name": format!("{title} undone"), "tools": [finish("Left alone.")],
            "when": { "turn": turn, "first_text": title,
                      "last_text": format!("(?s)your last turn undone.*{besides}.*{WISH}") } })
}

/// A turn that is right, one that is wrong, and a call that hangs until it is cut.
fn two_turns(title: &str) -> Vec<Value> {
    let wrong = json!([write("wrong", "2\n"), write("kept", "spoilt\n")]);
    let mut slow = answer(title, 2, json!([finish("Never said.")]));
    slow["delay_ms"] = json!(120_000);
    vec![undone(title, 1, ""), answer(title, 0, json!([write("kept", "1\n")])), answer(title, 1, wrong), slow]
}

async fn post(hive: &TestHive, repo: &Repo, title: &str) -> Uuid {
    hive.post_task(json!({ "title": title, "agent_type": "devops", "repository": repo.json() })).await
}

/// What holds of [`two_turns`] after the wish, however it went.
async fn assert_second_turn_undone(hive: &TestHive, repo: &Repo, id: Uuid) {
    let task = hive.wait_succeeded(id, 90).await;
    assert_eq!(task["result"]["summary"], "Left alone.");
    assert_eq!(repo.files(&branch(id)), ["README", "kept"]);
    assert_eq!(repo.file(&branch(id), "kept"), "1\n");
    let steps = hive.steps(id).await;
    assert_eq!(
        hive.step_kinds(id).await,
        ["reply", "tool_results", "reply", "tool_results", "rollback", "message", "reply", "tool_results"],
        "the journal was only appended to"
    );
    assert_eq!(steps[4]["content"], json!({ "from": 3 }));
    let commits = [&steps[1], &steps[3], &steps[4]].map(|step| step["commit"].as_str().unwrap().to_owned());
    assert_eq!(repo.commits(&branch(id)), commits, "nothing was taken out of the branch's history");
    assert_eq!(repo.tree(&commits[0]), repo.tree(&commits[2]));
    assert_eq!(repo.trailer(&commits[2], "Hive-Task"), id.to_string());

    let ours = hive.double.requests().into_iter().filter(|request| request.user_id == Some(id.to_string()));
    let bodies: Vec<String> = ours.map(|request| spoken(&request)).collect();
    let last = bodies.last().unwrap();
    assert!(!last.contains("wrong") && !last.contains("spoilt"), "{last}");
    assert!(last.contains(WISH), "{last}");
    let second = &bodies[1];
    assert!(
        second.contains("tool_result") && last.starts_with(&second[..second.len() - 2]),
        "{second}\n{last}"
    );
    assert_eq!(hive.calls(id).iter().filter(|call| call.turn == 1).count(), 2, "what was undone is paid for");
    assert_eq!(hive.booked(id).await, hive.charged(id));
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn the_last_turn_is_undone_in_the_files_and_in_the_conversation() {
    let script = rules(json!(
        [
            two_turns("Call"),
            vec![
                undone("Tool", 0, ""),
                answer("Tool", 0, json!([write("wrong", "1\n"), shell("sleep 120"), shell("echo > never")])),
            ]
        ]
        .concat()
    ));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("undo", &[("README", "Undo.\n")]);
    let call = post(&hive, &repo, "Call").await;
    let tool = post(&hive, &repo, "Tool").await;
    hive.wait_asked(call, 60, 3).await;
    assert_eq!(repo.files(&branch(call)), ["README", "kept", "wrong"], "the turn was pushed");
    let tree = hive.path(&format!("data/host/workspaces/tasks/{tool}/tree/wrong"));
    within(Duration::from_secs(60), "the command runs", async || tree.exists().then_some(())).await;

    hive.tell(call, WISH, "rollback").await;
    assert_second_turn_undone(&hive, &repo, call).await;
    assert_eq!(hive.task(call).await["run"], format!("{call}.1"), "by the run that was at work");

    // The first turn, in the middle of its second command: the base comes back.
    let told = hive.command(&["task", "tell", &tool.to_string(), WISH, "--policy", "rollback"]).await;
    assert!(told.status.success(), "{told:?}");
    hive.wait_succeeded(tool, 60).await;
    assert_eq!(repo.tree(&branch(tool)), repo.tree("main"));
    assert_eq!(
        hive.step_kinds(tool).await,
        ["reply", "tool_results", "rollback", "message", "reply", "tool_results"]
    );
    hive.assert_whole(tool).await;
}

#[tokio::test]
async fn a_kill_before_or_in_the_middle_changes_nothing() {
    let script = rules(json!([two_turns("Before"), two_turns("Middle")].concat()));
    let mut hive = TestHive::builder().script(script).workers(1).start().await;
    let repo = hive.repo("kill", &[("README", "Kill.\n")]);
    let (before, middle) = (post(&hive, &repo, "Before").await, post(&hive, &repo, "Middle").await);
    for id in [before, middle] {
        hive.wait_asked(id, 60, 3).await;
    }
    hive.workers[0].kill9();
    for id in [before, middle] {
        hive.tell(id, WISH, "rollback").await;
    }
    // Whoever undoes the turn cannot write it down: the files are back at the hub, and the journal does not know.
    let mut holder = hive.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM task_messages WHERE task_id = $1 FOR UPDATE")
        .bind(middle)
        .execute(&mut *holder)
        .await
        .unwrap();
    hive.start_worker().await;
    let kept = hive.steps(middle).await[1]["commit"].as_str().unwrap().to_owned();
    within(Duration::from_secs(60), "the files are back", async || {
        (repo.tree(&branch(middle)) == repo.tree(&kept)).then_some(())
    })
    .await;
    let restored = repo.commit(&branch(middle));
    assert_eq!(hive.step_count(middle).await, 4);
    assert_second_turn_undone(&hive, &repo, before).await;
    hive.workers[1].kill9();
    holder.rollback().await.unwrap();
    // Two workers died with it.
    hive.set_worker_env("HIVE_ISOLATED", "true");
    hive.start_worker().await;
    assert_second_turn_undone(&hive, &repo, middle).await;
    assert_eq!(repo.commit(&branch(middle)), restored, "the next run made the same commit");
}

fn notify(text: &str) -> Value {
    json!({ "name": "notify_person", "input": { "text": text } })
}

#[tokio::test]
async fn what_took_place_outside_stands_and_is_said_and_nothing_more_is_sent() {
    let mut slow = answer("Unsent", 0, json!([notify("Never said.")]));
    slow["delay_ms"] = json!(4_000);
    let script = rules(json!([
        undone("Sent", 0, "not undone.*notify_person.*The build is red.*the receiver took it"),
        answer("Sent", 0, json!([notify("The build is red."), write("wrong", "1\n"), shell("sleep 120")])),
        undone("Unsent", 0, ""),
        slow,
    ]));
    let receiver = Receiver::start(&[]).await;
    let hive = TestHive::builder().script(script).worker_env("HIVE_NOTIFY_URL", &receiver.url).start().await;
    let repo = hive.repo("outside", &[("README", "Outside.\n")]);
    let sent = post(&hive, &repo, "Sent").await;
    let tree = hive.path(&format!("data/host/workspaces/tasks/{sent}/tree/wrong"));
    within(Duration::from_secs(60), "the command runs", async || tree.exists().then_some(())).await;
    hive.tell(sent, WISH, "rollback").await;
    hive.wait_succeeded(sent, 60).await;
    assert_eq!(repo.tree(&branch(sent)), repo.tree("main"));
    assert_eq!(
        hive.step_kinds(sent).await,
        ["reply", "intent", "outcome", "tool_results", "rollback", "message", "reply", "tool_results"]
    );
    hive.assert_whole(sent).await;

    // Stopped at the edge between the reply and its call: the wish is there before the call is.
    let unsent = post(&hive, &repo, "Unsent").await;
    hive.wait_asked(unsent, 60, 1).await;
    let all = json!({ "scope": "fleet" });
    assert_eq!(hive.post("/api/v1/queue/pause", &all).await.0, 200);
    hive.wait_for(unsent, 60, "paused", |task| task["status_reason"] == "paused").await;
    assert_eq!(hive.step_kinds(unsent).await, ["reply"]);
    hive.tell(unsent, WISH, "rollback").await;
    assert_eq!(hive.post("/api/v1/queue/resume", &all).await.0, 204);
    hive.wait_succeeded(unsent, 60).await;
    assert_eq!(
        hive.step_kinds(unsent).await,
        ["reply", "tool_results", "rollback", "message", "reply", "tool_results"]
    );
    assert_eq!(receiver.seen().len(), 1, "what cannot be undone was not begun");
    hive.assert_whole(unsent).await;
}
