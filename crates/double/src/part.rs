//! The default part: what the double answers when nobody gave it a script.
//!
//! It is no model and says so: its texts begin with `[double] `. It looks around with the tools it is offered,
//! changes nothing, and ends with an honest account of what it saw.

mod instance;

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::conversation::Conversation;
use crate::night;

/// Characters of foreign text that an answer repeats.
const QUOTED: usize = 160;

#[expect(clippy::expect_used, reason = "a constant pattern either compiles always or never; a test runs it")]
static README: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)[\w./-]*readme[\w.-]*").expect("the pattern is constant and compiles"));

#[expect(clippy::expect_used, reason = "a constant pattern either compiles always or never; a test runs it")]
static SOME_FILE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\w./-]*\w\.(?:md|txt|toml|json|ya?ml|py|rs|js|ts|go|java|c|h|sh)\b")
        .expect("the pattern is constant and compiles")
});

/// The answer to a conversation.
pub(crate) fn answer(conversation: &Conversation<'_>) -> Answer {
    if let Some(answer) = night::answer(conversation, night::Manner::Good) {
        return answer;
    }
    let mut answer = Answer { rule: "default part".to_owned(), ..Answer::default() };
    if let Some(schema) = conversation.output_schema() {
        answer.say = Some(instance::of(schema).to_string());
        return answer;
    }
    let (say, call) = next_move(conversation);
    answer.say = Some(format!("[double] {say}"));
    if let Some((name, input)) = call {
        let schema = conversation.tools().find(|(tool, _)| *tool == name).map(|(_, tool)| tool);
        answer.tools.push((name.to_owned(), complete(input, schema)));
    }
    answer
}

fn next_move(conversation: &Conversation<'_>) -> (String, Option<(&'static str, Value)>) {
    let offered = |name: &str| conversation.tools().any(|(tool, _)| tool == name);
    let fresh = |name: &str| offered(name) && conversation.calls_of(name) == 0;
    if fresh("list_files") {
        return ("I look at the files first.".to_owned(), Some(("list_files", json!({}))));
    }
    if fresh("read_file")
        && let Some(path) = conversation.result_of("list_files").and_then(|list| file_in(&list))
    {
        return (format!("I read {path}."), Some(("read_file", json!({ "path": path }))));
    }
    let account = account(conversation);
    if offered("finish") {
        let say = match conversation.calls_of("finish") {
            0 => "There is nothing more that I can do.",
            _ => "I am not able to mend what the checks report, so I can only end here again.",
        };
        return (say.to_owned(), Some(("finish", json!({ "summary": format!("[double] {account}") }))));
    }
    (account, None)
}

/// What was seen, for the person who reads the result.
fn account(conversation: &Conversation<'_>) -> String {
    let mut account = "No model is connected: this is the Claude double, and it changed nothing.".to_owned();
    if let Some(list) = conversation.result_of("list_files") {
        let entries = list.lines().filter(|line| !line.trim().is_empty()).count();
        account.push_str(&format!(" It listed the files ({entries} lines)."));
    }
    if let Some(file) = conversation.result_of("read_file") {
        let line = file.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        account.push_str(&format!(" The file that it read begins: {}", quoted(line)));
    }
    let asked = conversation.first_text();
    let asked = asked.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    account.push_str(&format!(" It was asked: {}", quoted(asked)));
    account
}

fn quoted(text: &str) -> String {
    let mut quoted: String = text.trim().chars().take(QUOTED).collect();
    if quoted.len() < text.trim().len() {
        quoted.push('…');
    }
    quoted
}

/// A file worth reading in the answer of `list_files`.
fn file_in(list: &str) -> Option<String> {
    README.find(list).or_else(|| SOME_FILE.find(list)).map(|found| found.as_str().to_owned())
}

/// Fills in what the tool's own schema asks for beyond what the part knows.
pub(crate) fn complete(input: Value, tool: Option<&Value>) -> Value {
    let Some(schema) = tool.map(|tool| &tool["input_schema"]) else {
        return input;
    };
    let Value::Object(mut fields) = input else {
        return input;
    };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            let value = if name == "path" { ".".into() } else { instance::of(&schema["properties"][name]) };
            fields.insert(name.to_owned(), value);
        }
    }
    Value::Object(Map::from_iter(fields))
}
