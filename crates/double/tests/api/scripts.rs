//! Rules: what they match, what they capture, what they answer.

use hive_double::Script;
use serde_json::{Value, json};

use crate::client::{Api, append, call, hello, hello_with, text, tool};

#[tokio::test]
async fn each_condition_decides() {
    let api = Api::playing(
        r#"
rules:
  - { when: { system: "(?i)judge" }, say: judged }
  - { when: { model: haiku }, say: small }
  - { when: { first_text: "^red" , turn: 0 }, say: red }
  - { when: { tool: shell, last_result: "exit code: 0" }, say: green }
  - { when: { tool: shell, not: { last_result: "secret" } }, say: failed }
  - { when: { last_text: "^blue$" }, say: blue }
  - { when: { turn: { at_least: 1, at_most: 1 }, request: "needle" }, say: found }
  - { when: { turn: 0 }, say: first, tools: [{ name: shell }, { name: read_file }] }
"#,
    )
    .await;
    let tools = json!([tool("shell"), tool("read_file")]);
    let ask = async |body: Value| text(&api.ask(&body).await);
    let user = |text: &str| json!([{ "role": "user", "content": text }]);
    assert_eq!(ask(hello_with(json!({ "system": "You are a Judge." }))).await, "judged");
    assert_eq!(ask(hello_with(json!({ "model": "claude-haiku-5-5" }))).await, "small");
    assert_eq!(ask(hello_with(json!({ "messages": user("red one") }))).await, "red");
    assert_eq!(ask(hello_with(json!({ "messages": user("blue") }))).await, "blue");

    let mut body = hello_with(json!({ "tools": tools }));
    let first = api.ask(&body).await;
    assert_eq!(text(&first), "first");
    append(&mut body, &first, &["exit code: 0", "exit code: 7"]);
    assert_eq!(ask(body.clone()).await, "green");
    body["messages"][2]["content"][0]["content"] = "exit code: 1".into();
    assert_eq!(ask(body.clone()).await, "failed", "only the results of the named tool count");
    body["messages"][2]["content"][0]["content"] = "a secret needle".into();
    assert_eq!(ask(body.clone()).await, "found");
}

#[tokio::test]
async fn captures_reach_texts_and_tool_inputs_unharmed() {
    let api = Api::playing(
        r#"
rules:
  - when: { turn: 0, first_text: 'say (?P<word>\S+) on line (?P<line>\d+)' }
    say: "{{word}} / {{ word }} / {{turn}} / {{user_id}} / {{not a name}}"
    tools:
      - { name: read_file, input: { path: "{{word}}", offset: "{{line|int}}", note: ["{{line}}"] } }
  - when: { tool: read_file, last_result: '(?s)(?P<all>.*)', result_of: { read_file: 'x = (?P<value>.*)' } }
    tools:
      - { name: edit_file, input: { old_text: "{{all|unnumbered}}", new_text: "{{value|trim}}" } }
"#,
    )
    .await;
    let mut body = hello_with(json!({
        "metadata": { "user_id": "task-7" }, "tools": [tool("read_file"), tool("edit_file")],
        "messages": [{ "role": "user", "content": "say \"a\\b\" on line 12" }],
    }));
    let answer = api.ask(&body).await;
    assert_eq!(text(&answer), "\"a\\b\" / \"a\\b\" / 0 / task-7 / {{not a name}}");
    assert_eq!(call(&answer)["input"], json!({ "path": "\"a\\b\"", "offset": 12, "note": ["12"] }));

    append(&mut body, &answer, &["     1\tx = \"quoted\" \n    10\t\ty\n"]);
    let edit = call(&api.ask(&body).await);
    assert_eq!(edit["input"], json!({ "old_text": "x = \"quoted\" \n\ty\n", "new_text": "\"quoted\"" }));
}

#[tokio::test]
async fn a_rule_applies_as_often_as_it_says() {
    let api =
        Api::playing("rules: [{ times: 2, say: all }, { times_per_user: 1, say: mine }, { say: rest }]")
            .await;
    let mut said = Vec::new();
    for user in ["a", "a", "a", "b", "a", "b"] {
        said.push(text(&api.ask(&hello_with(json!({ "metadata": { "user_id": user } }))).await));
    }
    assert_eq!(said, ["all", "all", "mine", "mine", "rest", "rest"]);
}

#[tokio::test]
async fn a_request_that_no_rule_matches_fails_loudly_and_is_recorded() {
    let api = Api::playing("rules: [{ when: { last_text: other }, say: yes }]").await;
    let (status, answer) = api.post(&hello_with(json!({ "metadata": { "user_id": "u" } }))).await;
    assert_eq!((status.as_u16(), &answer["error"]["type"]), (400, &json!("invalid_request_error")));
    assert_eq!(
        answer["error"]["message"],
        "double: no rule matches: turn 0, last tool none, last text \"hello\""
    );
    let unmatched = api.double.unmatched();
    assert_eq!(unmatched.len(), 1);
    assert_eq!(unmatched[0].user_id.as_deref(), Some("u"));
    assert_eq!(Some(unmatched[0].request_id.as_str()), answer["request_id"].as_str());
    assert!(api.double.ledger().is_empty());
}

#[tokio::test]
async fn stop_reason_and_usage_can_be_forced() {
    let api = Api::playing(
        "rules: [{ say: No., stop_reason: refusal, usage: { input_tokens: 7, cache_read_input_tokens: 9 } }]",
    )
    .await;
    let answer = api.ask(&hello()).await;
    assert_eq!(
        (&answer["stop_reason"], &answer["stop_details"]["type"]),
        (&json!("refusal"), &json!("refusal"))
    );
    assert_eq!(
        (&answer["usage"]["input_tokens"], &answer["usage"]["cache_read_input_tokens"]),
        (&json!(7), &json!(9))
    );
    assert_eq!(api.double.ledger()[0].usage.cache_read_input_tokens, 9);
}

#[tokio::test]
async fn the_script_is_replaced_over_the_wire() {
    let api = Api::default_part().await;
    assert!(text(&api.ask(&hello()).await).starts_with("[double] "));
    let set = api.http.post(api.url("/_double/script")).body("rules: [{ say: scripted }]");
    assert_eq!(set.send().await.expect("an answer comes").status(), 204);
    assert_eq!(text(&api.ask(&hello()).await), "scripted");

    let broken = api.http.post(api.url("/_double/script")).body("rules: [{ sey: typo }]");
    assert_eq!(broken.send().await.expect("an answer comes").status(), 400);
    assert_eq!(text(&api.ask(&hello()).await), "scripted", "a broken script changes nothing");

    let dropped = api.http.delete(api.url("/_double/script")).send().await.expect("an answer comes");
    assert_eq!(dropped.status(), 204);
    assert!(text(&api.ask(&hello()).await).starts_with("[double] "));
}

#[test]
fn a_script_that_cannot_be_played_says_why() {
    for (yaml, why) in [
        ("rules: []", "no rules"),
        ("rules: [{ say: '{{nobody}}' }]", "rule \"rule 1\": {{nobody}} is captured by none"),
        ("rules: [{ say: '{{turn|loud}}' }]", "\"loud\" is not a filter"),
        ("rules: [{ name: a, when: { last_text: '(' } }]", "rule \"a\": the pattern for last_text"),
        ("rules: [{ name: a, fault: { status: 200 } }]", "rule \"a\": 200 is not an error status"),
        ("rules: [{ name: a, fault: explode }]", "`explode` is not a fault"),
        ("rules: [{ name: a, fault: { garbage: true, status: 500 } }]", "this one has 2"),
        ("rules: [{ when: { lats_text: a } }]", "lats_text"),
    ] {
        let error = Script::parse(yaml).expect_err(yaml).to_string();
        assert!(error.contains(why), "{yaml}: expected {why:?}, got {error:?}");
    }
}

#[test]
fn the_scripts_of_this_crate_can_be_played() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");
    let mut played = 0;
    for entry in std::fs::read_dir(scripts).expect("the folder is there") {
        let path = entry.expect("an entry can be read").path();
        Script::load(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        played += 1;
    }
    assert!(played > 0);
}
