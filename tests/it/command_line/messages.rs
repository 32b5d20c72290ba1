//! `hive message …`

use std::time::Duration;

use hive_tests::{TestHive, answer, finish, rules, within};
use serde_json::{Value, json};
use uuid::Uuid;

async fn agent(hive: &TestHive, kind: &str) -> String {
    let id = sqlx::query_scalar::<_, Uuid>("SELECT id FROM agents WHERE type = $1").bind(kind);
    id.fetch_one(&hive.pool).await.unwrap().to_string()
}

/// How the only question that an agent was put stands, wherever it is shown.
async fn shown(hive: &TestHive, agent: &str) -> Value {
    let inbox = hive.get(&format!("/api/v1/messages/{agent}?state=all")).await["items"][0].take();
    let conversation = inbox["conversation_id"].as_str().unwrap();
    let said = hive.get(&format!("/api/v1/conversations/{conversation}")).await["items"][0].take();
    let (_, found) = hive.post("/api/v1/messages/search", &json!({ "query": "Which \"port\"" })).await;
    let found = found["items"].as_array().unwrap().iter().find(|item| item["id"] == said["id"]).unwrap();
    assert_eq!((&inbox["answer"], &found["answer"]), (&said["answer"], &said["answer"]));
    said
}

#[tokio::test]
async fn a_person_waits_for_the_answer_to_a_question() {
    let reply = json!({ "name": "send_message", "input": { "reply_to": "{{id}}", "text": "Port 7700." } });
    let asked = "(?s)question from person \"operator\" .message (?P<id>[0-9a-f-]{36}).*> Which port";
    let script = rules(json!([
        { "name": "asked", "tools": [reply],
          "when": { "turn": 0, "first_text": "Message from operator", "last_text": asked } },
        answer("Message from operator", 1, json!([finish("Answered.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let qa = agent(&hive, "qa").await;
    let ask = ["message", "send", "Which port?", "--to", &qa, "--answer-within", "120", "--wait"];
    let output = hive.command(&ask).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Port 7700.\n");
    let said = shown(&hive, &qa).await;
    assert_eq!(
        (&said["answer"]["state"], &said["answer"]["number"]),
        (&json!("answered"), &json!(2)),
        "{said:#}"
    );
    // While it was waited for, it was told where the answer would be.
    let conversation = said["conversation_id"].as_str().unwrap();
    assert_eq!(told, format!("hive message conversation {conversation}\n"));
    let listed = hive.says_json(&["message", "conversation", conversation]).await;
    assert_eq!(listed["items"][1]["id"], said["answer"]["message_id"], "{listed:#}");
    assert_eq!(listed["items"][1]["answer"], Value::Null, "an answer is no question");
}

#[tokio::test]
async fn a_question_that_stays_unanswered_has_an_exit_code_of_its_own() {
    let hive = TestHive::builder().workers(0).start().await;
    let qa = agent(&hive, "qa").await;
    hive.says(&["message", "inbox", &qa, "--pulled", "true"]).await;
    let ask = ["message", "send", "Which port?", "--to", &qa];
    let endless = hive.complains(2, &[&ask[..], &["--wait"]].concat()).await;
    assert!(endless.contains("--answer-within"), "{endless}");

    let wait = [&ask[..], &["--answer-within", "5", "--wait"]].concat();
    let waiting = hive.command(&wait);
    let awaited = within(Duration::from_secs(30), "it is asked", async || {
        let inbox = hive.get(&format!("/api/v1/messages/{qa}?state=all")).await;
        inbox["items"][0]["answer"]["state"].as_str().map(str::to_owned)
    });
    let (output, awaited) = tokio::join!(waiting, awaited);
    assert_eq!(awaited, "awaited");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{told}");
    assert!(told.contains("was not answered by 20") && output.stdout.is_empty(), "{told}");
    let said = shown(&hive, &qa).await;
    let nothing = json!({ "state": "unanswered", "message_id": null, "number": null });
    assert_eq!(said["answer"], nothing, "{said:#}");
    let listed = hive.says(&["message", "list", &qa]).await;
    assert!(listed.contains("  unanswered  "), "{listed}");

    let late = ["message", "send", "Port 7700.", "--from", &qa, "--reply-to", said["id"].as_str().unwrap()];
    hive.says(&late).await;
    assert_eq!(shown(&hive, &qa).await["answer"]["state"], "answered");
}
