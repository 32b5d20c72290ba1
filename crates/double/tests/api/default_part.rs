//! The part that is played without a script.

use serde_json::json;

use crate::client::{Api, append, call, hello, hello_with, text, tool};

#[tokio::test]
async fn it_looks_reads_and_ends_with_an_account() {
    let api = Api::default_part().await;
    let names = ["list_files", "read_file", "write_file", "edit_file", "search_text", "shell", "finish"];
    let mut body = hello_with(json!({
        "tools": names.map(tool), "messages": [{ "role": "user", "content": "Mend the roof\n\nIt leaks." }],
    }));
    let mut called = Vec::new();
    for result in ["src/\nsrc/roof.py\ndocs/Readme.md\n", "     1\t# Roofs\n     2\t\n"] {
        let answer = api.ask(&body).await;
        assert!(text(&answer).starts_with("[double] "), "{answer}");
        called.push((call(&answer)["name"].clone(), call(&answer)["input"].clone()));
        append(&mut body, &answer, &[result]);
    }
    assert_eq!(
        called,
        [(json!("list_files"), json!({})), (json!("read_file"), json!({ "path": "docs/Readme.md" })),]
    );
    let end = api.ask(&body).await;
    assert_eq!(call(&end)["name"], "finish");
    let input = call(&end)["input"].clone();
    let summary = input["summary"].as_str().expect("a summary is text");
    assert!(summary.starts_with("[double] "), "{summary}");
    for seen in ["changed nothing", "3 lines", "# Roofs", "Mend the roof"] {
        assert!(summary.contains(seen), "{seen:?} is not in {summary:?}");
    }
    append(&mut body, &end, &["The checks failed."]);
    assert_eq!(call(&api.ask(&body).await)["name"], "finish", "it ends again rather than stand still");
}

#[tokio::test]
async fn without_tools_it_answers_in_words() {
    let api = Api::default_part().await;
    let answer = api.ask(&hello()).await;
    assert_eq!(answer["stop_reason"], "end_turn");
    assert!(text(&answer).starts_with("[double] No model is connected"), "{answer}");
    assert!(text(&answer).contains("hello"));
}

#[tokio::test]
async fn tools_are_given_what_their_schema_requires() {
    let api = Api::default_part().await;
    let list = json!({ "name": "list_files", "input_schema": {
        "type": "object", "required": ["path", "depth"],
        "properties": { "path": { "type": "string" }, "depth": { "type": "integer" } },
    } });
    let answer = api.ask(&hello_with(json!({ "tools": [list] }))).await;
    assert_eq!(call(&answer)["input"], json!({ "path": ".", "depth": 0 }));
}

#[tokio::test]
async fn a_demanded_format_is_kept() {
    let api = Api::default_part().await;
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["facts", "verdict"],
        "properties": { "facts": { "type": "array", "items": { "type": "string" } }, "verdict": { "enum": ["yes", "no"] } },
    });
    let format = json!({ "format": { "type": "json_schema", "schema": schema } });
    let answer = api.ask(&hello_with(json!({ "output_config": format }))).await;
    let said: serde_json::Value = serde_json::from_str(&text(&answer)).expect("the answer is JSON");
    assert_eq!(said, json!({ "facts": [], "verdict": "yes" }));
}
