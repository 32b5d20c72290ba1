//! What one task remembers another one is given, with a receipt; what is somebody else's it is not.

use hive_tests::{TestHive, answer, finish, rules, spoken};
use serde_json::{Value, json};
use uuid::Uuid;

/// The rule for a request whose last message holds this text.
fn told(title: &str, turn: usize, text: &str, tools: &Value) -> Value {
    json!({ "name": format!("{title} told {turn}"), "tools": tools,
            "when": { "turn": turn, "first_text": title, "last_text": text } })
}

/// The rule for a request whose last results hold this text.
fn found(title: &str, turn: usize, text: &str, tools: &Value) -> Value {
    json!({ "name": format!("{title} found {turn}"), "tools": tools,
            "when": { "turn": turn, "first_text": title, "last_result": text } })
}

fn remember(text: &str, scope: &str) -> Value {
    json!({ "name": "remember", "input": { "text": text, "scope": scope } })
}

async fn store(hive: &TestHive, body: Value) -> String {
    let (status, stored) = hive.post("/api/v1/context/store", &body).await;
    assert_eq!(status, 201, "{stored:#}");
    stored["id"].as_str().unwrap().to_owned()
}

async fn other_project(hive: &TestHive) -> Uuid {
    let id = Uuid::now_v7();
    let query = "INSERT INTO projects (id, name) VALUES ($1, 'other')";
    sqlx::query(query).bind(id).execute(&hive.pool).await.unwrap();
    id
}

/// The requests of a task, as the double saw them.
fn said(hive: &TestHive, id: Uuid) -> Vec<String> {
    let requests = hive.double.requests();
    requests.iter().filter(|request| request.user_id == Some(id.to_string())).map(spoken).collect()
}

/// The searches that the worker counted for its runs, each as its labels and the number.
async fn searches(hive: &TestHive) -> Vec<String> {
    let page = hive.page(hive.workers[0].url(), "/metrics").await;
    let counted = page.lines().filter_map(|line| line.strip_prefix("hive_recall_seconds_count"));
    counted.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_fact_of_one_task_stands_in_the_first_request_of_another_and_in_its_receipt() {
    const FACT: &str = "The staging database of the shop listens on port 6543.";
    let script = rules(json!([
        answer("Learn", 0, json!([remember(FACT, "project")])),
        found("Learn", 1, "remembered as", &json!([finish("Noted.")])),
        told(
            "Use the port",
            0,
            "(?s)remembered earlier.*<recalled id=\"(?P<id>[0-9a-f-]{36})\" kind=\"fact\" trust=\"agent\".*port 6543",
            &json!([finish("{{id}}")])
        ),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let learnt = hive.post_task(json!({ "title": "Learn", "agent_type": "backend" })).await;
    hive.wait_succeeded(learnt, 60).await;
    // Nothing was remembered when it began, so it was given nothing, and no word of it.
    assert_eq!(hive.step_kinds(learnt).await, ["reply", "tool_results", "reply", "tool_results"]);

    // The best matches of all, and nobody's who works on the task.
    let other = other_project(&hive).await;
    let theirs = "Use the port 7777 of the staging database of the shop.";
    store(&hive, json!({ "content": theirs, "project_id": other })).await;
    let qa: Uuid =
        sqlx::query_scalar("SELECT id FROM agents WHERE type = 'qa'").fetch_one(&hive.pool).await.unwrap();
    let private = "Use the port 8888 of the staging database of the shop.";
    store(&hive, json!({ "content": private, "agent_id": qa })).await;
    let unrelated = store(&hive, json!({ "content": "Tulips bloom in April." })).await;

    let wish = json!({ "title": "Use the port", "agent_type": "backend",
                       "description": "Connect to the staging database of the shop." });
    let id = hive.post_task(wish).await;
    let task = hive.wait_succeeded(id, 60).await;
    let entry = task["result"]["summary"].as_str().unwrap().to_owned();
    let requests = said(&hive, id);
    assert!(requests[0].contains("6543"), "{}", requests[0]);
    for foreign in ["7777", "8888", "Tulips"] {
        assert!(requests.iter().all(|request| !request.contains(foreign)), "{foreign} is not theirs to read");
    }

    // The receipt names what went in, and what did not and why; its tokens are what went in.
    let steps = hive.steps(id).await;
    assert_eq!(steps[0]["kind"], "recalled", "{:#}", steps[0]);
    let receipt = &steps[0]["content"]["receipt"];
    let included = receipt["included"].as_array().unwrap();
    assert_eq!(included.len(), 1, "{receipt:#}");
    assert_eq!((&included[0]["id"], &included[0]["tokens"]), (&json!(entry), &receipt["tokens"]));
    assert_eq!(receipt["budget_tokens"], 2_000);
    let left_out = receipt["left_out"].as_array().cloned().unwrap_or_default();
    assert!(
        left_out.iter().all(|entry| entry["id"] == json!(unrelated) && entry["reason"] == "unrelated"),
        "{receipt:#}"
    );

    assert_eq!(searches(&hive).await, ["{route=\"briefing\",status=\"ok\"} 1"]);

    // The entry opens the step that it came from.
    let shown = hive.get(&format!("/api/v1/context/{entry}")).await;
    assert_eq!((&shown["content"], &shown["trust"]), (&json!(FACT), &json!("agent")));
    let from = &shown["provenance"];
    assert_eq!(
        (&from["task_id"], &from["run"], &from["step"]),
        (&json!(learnt), &json!(1), &json!(1)),
        "{shown:#}"
    );
    hive.assert_whole(id).await;
}

#[tokio::test]
async fn a_recalled_text_is_found_by_a_call_and_never_stored_as_something_new() {
    let copied = "<recalled id=\\\"{{id}}\\\" kind=\\\"fact\\\">Deploys of the shop need the flag --canary.</recalled>";
    let recall =
        json!({ "name": "recall", "input": { "query": "Which flag does a deploy of the shop need?" } });
    let script = rules(json!([
        answer("Keep", 0, json!([remember("Deploys of the shop need the flag --canary.", "agent")])),
        found("Keep", 1, "remembered as", &json!([finish("Noted.")])),
        answer("Look up", 0, json!([recall])),
        found(
            "Look up",
            1,
            "(?s)<recalled id=\"(?P<id>[0-9a-f-]{36})\".*--canary",
            &json!([
                remember(&copied.replace('\\', ""), "agent"),
                remember("Deploys of the shop need the flag --canary.", "agent")
            ])
        ),
        found(
            "Look up",
            2,
            "(?s)nothing in it but what was recalled.*remembered already",
            &json!([finish("Known.")])
        ),
    ]));
    // Nothing at the beginning of a task: what is found is found by the call.
    let hive = TestHive::builder().script(script).worker_env("HIVE_RECALL_TOKENS", "0").start().await;
    let kept = hive.post_task(json!({ "title": "Keep", "agent_type": "backend" })).await;
    hive.wait_succeeded(kept, 60).await;
    let id = hive.post_task(json!({ "title": "Look up", "agent_type": "backend" })).await;
    hive.wait_succeeded(id, 60).await;
    let steps = hive.steps(id).await;
    let receipt = &steps[1]["content"]["results"][0]["recalled"];
    let included = receipt["included"].as_array().unwrap();
    assert_eq!((included.len(), &included[0]["tokens"]), (1, &receipt["tokens"]), "{:#}", steps[1]);
    let entry: Uuid = included[0]["id"].as_str().unwrap().parse().unwrap();
    let query = "SELECT count(*) FROM contexts WHERE task_id = $1";
    assert_eq!((hive.count(query, kept).await, hive.count(query, id).await), (1, 0));
    let uses = "SELECT recalled FROM context_uses WHERE context_id = $1";
    assert_eq!(hive.count(uses, entry).await, 1, "the recall is counted");
    assert_eq!(searches(&hive).await, ["{route=\"recall\",status=\"ok\"} 1"]);
}

#[tokio::test]
async fn a_character_that_postgres_does_not_keep_ends_no_task() {
    let nul = |text: &str| text.replace('_', "\0");
    let script = rules(json!([
        answer(
            "Odd letters",
            0,
            json!([
                remember(&nul("The lamp_ is green."), "project"),
                { "name": "recall", "input": { "query": nul("which colour_ has the lamp") } },
                { "name": "send_message", "input": { "to": "QA", "text": nul("Look_ at the lamp.") } },
                { "name": "send_message", "input": { "to": nul("Q_A"), "text": "Nobody reads this." } },
                { "name": "ask_agent", "input": { "to": nul("_"), "question": "Who is it?" } },
                { "name": nul("no_tool"), "input": {} }
            ])
        ),
        found(
            "Odd letters",
            1,
            "(?s)remembered as.*sent as message.*no agent is called.*there is no tool",
            &json!([finish("Done.")])
        ),
        json!({ "name": "reads", "tools": [finish("Read.")], "when": { "last_text": "at the lamp" } }),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let id = hive.post_task(json!({ "title": "Odd letters", "agent_type": "backend" })).await;
    hive.wait_succeeded(id, 60).await;
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT content FROM contexts UNION ALL SELECT content FROM conversations")
            .fetch_all(&hive.pool)
            .await
            .unwrap();
    assert_eq!(kept, ["The lamp\u{fffd} is green.", "Look\u{fffd} at the lamp."]);
}
