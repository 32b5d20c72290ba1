//! Rules decide which model answers which step, the step says so, and a run keeps the rules that it began with.

use hive_tests::{TestHive, answer, finish, rules, write};
use serde_json::{Value, json};
use uuid::Uuid;

/// Adds a version of the rules and activates it; its number.
async fn activate(hive: &TestHive, rules: Value) -> i64 {
    let (status, added) = hive.post("/api/v1/routing-rules", &json!({ "rules": rules })).await;
    assert_eq!(status, 201, "{added}");
    let version = added["version"].as_i64().unwrap();
    let (status, active) = hive.post(&format!("/api/v1/routing-rules/{version}/activate"), &json!({})).await;
    assert_eq!((status, &active["active"]), (200, &json!(true)), "{active}");
    version
}

/// Model, reason and version of each reply.
async fn routes(hive: &TestHive, task: Uuid) -> Vec<(String, String, i64)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let steps = hive.steps(task).await;
    for step in &steps {
        assert_eq!(
            step["kind"] == "reply",
            !step["route"].is_null(),
            "replies and only they have one: {step}"
        );
    }
    let replies = steps.iter().filter(|step| step["kind"] == "reply").map(|step| &step["route"]);
    replies
        .map(|route| {
            (text(&route["model"]), text(&route["reason"]), route["routing_version"].as_i64().unwrap())
        })
        .collect()
}

fn route(model: &str, reason: &str, version: i64) -> (String, String, i64) {
    (model.to_owned(), reason.to_owned(), version)
}

#[tokio::test]
async fn the_kind_of_step_and_the_role_choose_the_model_and_how_it_is_asked() {
    let script = rules(json!([
        answer("Mend", 0, json!([finish("Done.")])),
        answer("Mend", 1, json!([write("made", "made\n")])),
        answer("Mend", 2, json!([finish("Done now.")])),
        answer("Plain", 0, json!([finish("Plain.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let plain = hive.post_task(json!({ "title": "Plain" })).await;
    hive.wait_succeeded(plain, 30).await;
    assert_eq!(routes(&hive, plain).await, [route("claude-sonnet-5-5", "default", 1)]);

    let version = activate(
        &hive,
        json!([
            { "role": "backend", "step": "work", "model": "light", "max_tokens": 3_000 },
            { "role": "*", "step": "check_repair", "model": "claude-opus-5-5", "effort": "low",
              "fallback": ["work", "claude-haiku-5-5"] },
            { "role": "qa", "step": "*", "model": "hard" },
        ]),
    )
    .await;
    let repo = hive.repo("mend", &[("README", "Mend.\n")]);
    let checks = json!([{ "command": "test -f made" }]);
    let mend =
        hive.post_task(json!({ "title": "Mend", "repository": repo.json(), "acceptance": checks })).await;
    hive.wait_succeeded(mend, 60).await;
    let light = route("claude-haiku-5-5", "rule", version);
    let repair = route("claude-opus-5-5", "rule", version);
    assert_eq!(routes(&hive, mend).await, [light, repair.clone(), repair]);
    let asked: Vec<String> = hive.calls(mend).into_iter().map(|call| call.model).collect();
    assert_eq!(asked, ["claude-haiku-5-5", "claude-opus-5-5", "claude-opus-5-5"], "what the step says is so");
    let sent: Vec<Value> = hive.double.requests().into_iter().map(|request| request.body).collect();
    let sent: Vec<&Value> =
        sent.iter().filter(|body| body["metadata"]["user_id"] == mend.to_string()).collect();
    assert_eq!((&sent[0]["max_tokens"], &sent[0]["output_config"]), (&json!(3_000), &Value::Null));
    assert_eq!(
        (&sent[1]["max_tokens"], &sent[1]["output_config"]["effort"]),
        (&json!(16_000), &json!("low"))
    );

    let named = hive.post_task(json!({ "title": "Plain", "model": "claude-opus-5" })).await;
    hive.wait_succeeded(named, 30).await;
    assert_eq!(routes(&hive, named).await, [route("claude-opus-5", "task", version)]);
    let qa = hive.post_task(json!({ "title": "Plain", "agent_type": "qa" })).await;
    hive.wait_succeeded(qa, 30).await;
    assert_eq!(routes(&hive, qa).await, [route("claude-opus-5-5", "rule", version)]);
    let body =
        json!({ "name": "Own", "type": "own", "model": "claude-sonnet-5", "system_prompt": "You work." });
    assert_eq!(hive.post("/api/v1/agents", &body).await.0, 201);
    let own = hive.post_task(json!({ "title": "Plain", "agent_type": "own" })).await;
    hive.wait_succeeded(own, 30).await;
    assert_eq!(routes(&hive, own).await, [route("claude-sonnet-5", "agent", version)]);
}

#[tokio::test]
async fn a_run_keeps_its_rules_to_the_end_and_leaves_them_only_for_a_model_that_answers() {
    let mut hangs = answer("Keep", 1, json!([write("f1", "1\n")]));
    hangs["delay_ms"] = json!(120_000);
    hangs["times_per_user"] = json!(1);
    let script = rules(json!([
        answer("Keep", 0, json!([write("f0", "0\n")])),
        hangs,
        answer("Keep", 1, json!([write("f1", "1\n")])),
        answer("Keep", 2, json!([finish("Kept.")])),
        answer("Fresh", 0, json!([finish("Fresh.")])),
    ]));
    let mut hive = TestHive::builder().script(script).start().await;
    let old = activate(&hive, json!([{ "role": "*", "step": "*", "model": "claude-opus-5" }])).await;
    let repo = hive.repo("keep", &[("README", "Keep.\n")]);
    let post = || hive.post_task(json!({ "title": "Keep", "repository": repo.json() }));
    let (kept, moved) = (post().await, post().await);
    for id in [kept, moved] {
        hive.wait_asked(id, 30, 2).await;
    }
    let new = activate(&hive, json!([{ "role": "*", "step": "*", "model": "light" }])).await;
    let fresh = hive.post_task(json!({ "title": "Fresh" })).await;
    hive.wait_succeeded(fresh, 30).await;
    assert_eq!(routes(&hive, fresh).await, [route("claude-haiku-5-5", "rule", new)]);

    // One of the two goes on by the old rules; then their model ends, and the other goes on by the new ones.
    let hold =
        "UPDATE tasks SET status = 'waiting', status_reason = 'retry', worker = NULL, lease_until = NULL,
                       epoch = epoch + 1, run_at = now() + interval '1 hour' WHERE id = $1";
    hive.workers[0].kill9();
    sqlx::query(hold).bind(moved).execute(&hive.pool).await.unwrap();
    hive.start_worker().await;
    hive.wait_succeeded(kept, 60).await;
    let before = route("claude-opus-5", "rule", old);
    assert_eq!(routes(&hive, kept).await, [before.clone(), before.clone(), before.clone()]);

    sqlx::query("UPDATE models SET lifecycle = 'retired' WHERE id = 'claude-opus-5'")
        .execute(&hive.pool)
        .await
        .unwrap();
    hive.start_worker().await;
    hive.workers[1].kill9();
    sqlx::query("UPDATE tasks SET run_at = now() WHERE id = $1")
        .bind(moved)
        .execute(&hive.pool)
        .await
        .unwrap();
    hive.wait_succeeded(moved, 60).await;
    let after = route("claude-haiku-5-5", "rule", new);
    assert_eq!(routes(&hive, moved).await, [before, after.clone(), after]);
}

#[tokio::test]
async fn rules_are_set_shown_and_activated_from_the_command_line() {
    let hive = TestHive::builder().workers(0).start().await;
    let file = hive.path("rules.json");
    std::fs::write(&file, r#"[{ "role": "qa", "step": "*", "model": "hard", "fallback": ["work"] }]"#)
        .unwrap();
    let file = file.to_str().unwrap();
    let set = hive.says_json(&["routing", "set", file, "--note", "Better eyes", "--activate"]).await;
    assert_eq!((&set["version"], &set["active"]), (&json!(2), &json!(true)));
    let shown = hive.says(&["routing", "show"]).await;
    assert!(shown.contains("version 2, active: Better eyes") && shown.contains("qa"), "{shown}");
    let complaint = hive.complains(1, &["routing", "activate", "1", "--expect", "1"]).await;
    assert!(complaint.contains("412"), "{complaint}");
    assert_eq!(hive.says_json(&["routing", "activate", "1", "--expect", "2"]).await["version"], 1);
    assert_eq!(hive.says_json(&["routing", "show", "2"]).await["active"], false);
}
