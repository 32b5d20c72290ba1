//! The main job: a failing test is mended, and nothing but the checks decides that it is.

use std::process::Command;

use hive_double::Script;
use hive_tests::{TestHive, branch, example};
use serde_json::{Value, json};

fn task(repository: &Value) -> Value {
    json!({
        "title": "Fix the failing test",
        "description": "One test of this project fails. Find out why and mend the code.",
        "repository": repository,
        "acceptance": [{ "name": "tests", "command": "python3 -m unittest", "timeout_seconds": 60 }],
    })
}

async fn hive() -> TestHive {
    let script = Script::load(&example("double.yaml")).unwrap();
    TestHive::builder().script(script).start().await
}

/// Whether the project's tests pass in a clone of the branch, run by hand.
fn tests_pass(tree: &std::path::Path) -> bool {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-m", "unittest"]).current_dir(tree).env("PYTHONDONTWRITEBYTECODE", "1");
    python.output().unwrap().status.success()
}

#[tokio::test]
async fn a_failing_test_is_mended_on_a_branch_of_its_own() {
    let hive = hive().await;
    let repo = hive.example_repo("first");
    let base = repo.commit("main");
    assert!(!tests_pass(&repo.path));

    let id = hive.post_task(task(&repo.json())).await;
    let task = hive.wait_succeeded(id, 60).await;

    let branch = branch(id);
    assert_eq!(task["result"]["branch"], branch);
    assert_eq!(task["result"]["commit"], repo.commit(&branch));
    assert_eq!(task["result"]["tree"], repo.tree(&branch));
    assert_eq!(task["result"]["diff_stat"], json!({ "files": 1, "insertions": 1, "deletions": 1 }));
    assert_eq!(repo.commit("main"), base, "main is untouched");
    assert!(tests_pass(repo.clone_of(&branch).path()), "by hand as well");

    let commits = repo.commits(&branch);
    assert_eq!(commits.len(), 1);
    for commit in &commits {
        assert_eq!(repo.trailer(commit, "Hive-Task"), id.to_string());
        assert_eq!(repo.trailer(commit, "Hive-Run"), format!("{id}.1"));
        assert_eq!(repo.trailer(commit, "Hive-Agent"), "Backend v1");
    }
    let diff = hive.diff(id).await;
    assert!(
        diff.contains("-        if first >= last:") && diff.contains("+        if first > last:"),
        "{diff}"
    );

    let checks = task["result"]["checks"].as_array().unwrap();
    assert_eq!((checks.len(), &checks[0]["name"], &checks[0]["passed"]), (1, &json!("tests"), &json!(true)));
    assert!(checks[0]["output"].as_str().unwrap().contains("OK"));

    let steps = hive.steps(id).await;
    let kinds: Vec<&str> = steps.iter().map(|step| step["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, [["reply", "tool_results"].repeat(6), vec!["checks"]].concat());
    for step in steps.iter().filter(|step| step["kind"] != "reply") {
        let level = step["sandbox"].as_str().unwrap();
        assert!(level.starts_with("landlock+seccomp+rlimits"), "{level}");
    }
    assert_eq!(steps.iter().filter(|step| step["commit"].is_string()).count(), 1);

    let charged = hive.charged(id);
    assert!(charged.cost_nano_usd > 0 && hive.calls(id).len() == 6);
    assert_eq!(hive.booked(id).await, charged, "what was charged is what was booked");
    assert_eq!(task["usage"]["output_tokens"], charged.output_tokens);
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn a_claim_that_the_checks_deny_is_a_failure() {
    let hive = hive().await;
    let repo = hive.example_repo("other");

    let id = hive.post_task(task(&repo.json())).await;
    let task = hive.wait_end(id, 60).await;

    assert_eq!((&task["status"], &task["status_reason"]), (&json!("failed"), &json!("verification_failed")));
    let output = task["result"]["checks"][0]["output"].as_str().unwrap();
    assert!(output.contains("FAILED") && task["result"]["checks"][0]["passed"] == false, "{output}");
    assert_eq!(repo.branches().len(), 2, "the branch is kept: {:?}", repo.branches());

    let kinds = hive.step_kinds(id).await;
    let red = kinds.iter().position(|kind| kind == "checks").unwrap();
    assert_eq!(kinds[red + 1], "reply", "a red check goes back to the agent first: {kinds:?}");
    let told = hive.double.requests();
    let last = told.last().unwrap().body["messages"].to_string();
    assert!(last.contains("The checks failed"), "and the agent reads why");
    assert_eq!(hive.booked(id).await, hive.charged(id));
    hive.assert_whole(id).await;
}
