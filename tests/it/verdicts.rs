//! Who decides that a task is done: the checks, each on the committed tree, and nobody's leftovers or guesses.

use std::fs;

use hive_tests::{TestHive, answer, branch, finish, rules, shell, write};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

fn task(title: &str, repository: &Value, commands: &[&str]) -> Value {
    let acceptance: Vec<Value> = commands.iter().map(|command| json!({ "command": command })).collect();
    json!({ "title": title, "repository": repository, "acceptance": acceptance })
}

async fn complete(hive: &TestHive, id: Uuid) -> (u16, Value) {
    let path = format!("/api/v1/tasks/{id}/complete");
    let response = hive.send(0, Method::POST, &path, None).await;
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn what_one_check_leaves_behind_does_not_decide_the_next() {
    let script = rules(json!([
        answer("Forge", 0, json!([write("forge.sh", "echo exit 0 > verify.sh\n")])),
        answer("Forge", 1, json!([finish("Both checks are green.")])),
        answer("Forge", 2, json!([finish("Both checks are green, really.")])),
        answer("Forge", 3, json!([finish("Both checks are green, I say.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("forge", &[("README", "Nothing yet.\n")]);
    let id = hive.post_task(task("Forge", &repo.json(), &["sh forge.sh", "sh verify.sh"])).await;
    let task = hive.wait_end(id, 60).await;
    assert_eq!(task["status_reason"], "verification_failed");
    let checks = task["result"]["checks"].as_array().unwrap();
    assert_eq!([&checks[0]["passed"], &checks[1]["passed"]], [&json!(true), &json!(false)]);
}

#[tokio::test]
async fn a_branch_mended_by_hand_is_what_completion_checks() {
    let script = rules(json!([
        answer("Mend", 0, json!([write("made", "by the agent\n")])),
        answer("Mend", 1, json!([finish("Done.")])),
        answer("Mend", 2, json!([finish("Done.")])),
        answer("Mend", 3, json!([finish("Done.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("mend", &[("README", "Nothing yet.\n")]);
    let id = hive.post_task(task("Mend", &repo.json(), &["test -f mended"])).await;
    assert_eq!(hive.wait_end(id, 60).await["status_reason"], "verification_failed");

    let calls = hive.calls(id).len();
    let clone = repo.clone_of(&branch(id));
    fs::write(clone.path().join("mended"), "by a person\n").unwrap();
    for arguments in [
        vec!["add", "mended"],
        vec!["-c", "user.name=P", "-c", "user.email=p@example.invalid", "commit", "--quiet", "-m", "Mend"],
        vec!["push", "--quiet", "origin", "HEAD"],
    ] {
        let status = std::process::Command::new("git").args(&arguments).current_dir(clone.path()).status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }
    let theirs = repo.commit(&branch(id));

    assert_eq!(complete(&hive, id).await.0, 202);
    let task = hive.wait_succeeded(id, 60).await;
    assert_eq!(task["result"]["commit"], theirs, "the person's commit is kept and is what was checked");
    assert_eq!(repo.commit(&branch(id)), theirs);
    assert_eq!(hive.calls(id).len(), calls, "the model is not asked");
}

#[tokio::test]
async fn a_persons_commit_on_the_branch_of_a_running_task_is_not_overwritten() {
    let script = rules(json!([
        answer("Shared", 0, json!([write("one", "1\n")])),
        answer("Shared", 1, json!([shell("sleep 3"), write("two", "2\n")])),
        answer("Shared", 2, json!([finish("Done.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("shared", &[("README", "Nothing yet.\n")]);
    let id = hive.post_task(task("Shared", &repo.json(), &["true"])).await;
    hive.wait_steps(id, 30, 3).await;
    let foreign =
        repo.git(&["commit-tree", "-m", "By a person", "-p", &repo.commit(&branch(id)), "main^{tree}"]);
    repo.git(&["update-ref", &format!("refs/heads/{}", branch(id)), foreign.trim()]);

    let task = hive.wait_end(id, 60).await;
    assert_eq!((&task["status"], &task["status_reason"]), (&json!("failed"), &json!("repository")));
    assert!(task["status_detail"].as_str().unwrap().contains(foreign.trim()), "{task}");
    assert_eq!(repo.commit(&branch(id)), foreign.trim());
}

#[tokio::test]
async fn completion_needs_something_that_can_decide() {
    let hive = TestHive::builder().start().await;
    let later = json!({ "title": "Talk", "run_at": "2090-01-01T00:00:00Z" });
    let id = hive.post_task(later).await;
    let (status, problem) = complete(&hive, id).await;
    assert_eq!((status, &problem["code"]), (409, &json!("nothing_to_check")));

    let repo = hive.repo("waits", &[("README", "Nothing yet.\n")]);
    let mut waits = task("Waits", &repo.json(), &["true"]);
    waits["dependencies"] = json!([id]);
    let waits = hive.post_task(waits).await;
    let (status, problem) = complete(&hive, waits).await;
    assert_eq!((status, &problem["code"]), (409, &json!("dependencies_open")));
    hive.cancel(id).await;
}

#[tokio::test]
async fn a_file_too_large_to_commit_is_told_and_can_be_mended() {
    let script = rules(json!([
        answer("Large", 0, json!([shell("head -c 60000000 /dev/zero > big")])),
        answer("Large", 1, json!([shell("rm big; echo small > small")])),
        answer("Large", 2, json!([finish("Done.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("large", &[("README", "Nothing yet.\n")]);
    let id = hive.post_task(task("Large", &repo.json(), &["test -f small"])).await;
    hive.wait_succeeded(id, 60).await;
    let told = hive.steps(id).await[1]["content"].to_string();
    assert!(told.contains("nothing was committed") && told.contains("big"), "{told}");
    assert_eq!(repo.files(&branch(id)), ["README", "small"]);
}
