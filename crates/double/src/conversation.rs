//! What a request says, as a rule or the default part looks at it.

use std::cell::OnceCell;
use std::collections::HashMap;

use serde_json::{Map, Value};

/// One request, read. Texts are joined only when somebody asks for them.
pub(crate) struct Conversation<'a> {
    body: &'a Map<String, Value>,
    tool_names: HashMap<&'a str, &'a str>,
    everything: OnceCell<String>,
}

/// The result of one tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolResult<'a> {
    pub(crate) tool: &'a str,
    pub(crate) text: String,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(body: &'a Map<String, Value>) -> Self {
        let mut tool_names = HashMap::new();
        for block in messages(body).flat_map(blocks).filter(|block| block["type"] == "tool_use") {
            if let (Some(id), Some(name)) = (block["id"].as_str(), block["name"].as_str()) {
                tool_names.insert(id, name);
            }
        }
        Self { body, tool_names, everything: OnceCell::new() }
    }

    pub(crate) fn model(&self) -> &'a str {
        self.body.get("model").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn user_id(&self) -> Option<&'a str> {
        self.body.get("metadata")?.get("user_id")?.as_str()
    }

    /// Assistant messages so far.
    pub(crate) fn turn(&self) -> usize {
        messages(self.body).filter(|message| message["role"] == "assistant").count()
    }

    pub(crate) fn system(&self) -> String {
        self.body.get("system").map(text_of).unwrap_or_default()
    }

    /// Text of the first message.
    pub(crate) fn first_text(&self) -> String {
        messages(self.body).next().map(|message| text_of(&message["content"])).unwrap_or_default()
    }

    /// Text of the last message; empty where it holds tool results alone.
    pub(crate) fn last_text(&self) -> String {
        self.last().map(|message| text_of(&message["content"])).unwrap_or_default()
    }

    /// Tool results in the last message.
    pub(crate) fn last_results(&self) -> Vec<ToolResult<'a>> {
        self.last().map(|message| self.results_in(message)).unwrap_or_default()
    }

    /// The last message; system messages between turns are none.
    fn last(&self) -> Option<&'a Value> {
        messages(self.body).rfind(|message| message["role"] != "system")
    }

    /// The newest result of a tool.
    pub(crate) fn result_of(&self, tool: &str) -> Option<String> {
        messages(self.body).rev().find_map(|message| {
            let mut results = self.results_in(message);
            results.reverse();
            results.into_iter().find(|result| result.tool == tool).map(|result| result.text)
        })
    }

    /// Tools that were called, with their inputs, oldest first.
    pub(crate) fn calls(&self) -> Vec<(String, Value)> {
        let calls = messages(self.body).flat_map(blocks).filter(|block| block["type"] == "tool_use");
        calls
            .map(|block| (block["name"].as_str().unwrap_or_default().to_owned(), block["input"].clone()))
            .collect()
    }

    /// All that users wrote, results of tools aside.
    pub(crate) fn user_texts(&self) -> String {
        let written = messages(self.body).filter(|message| message["role"] == "user");
        let texts: Vec<_> = written.map(|message| text_of(&message["content"])).collect();
        texts.join("\n")
    }

    /// Calls of a tool so far.
    pub(crate) fn calls_of(&self, tool: &str) -> usize {
        self.tool_names.values().filter(|name| **name == tool).count()
    }

    /// The tools on offer, by name.
    pub(crate) fn tools(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let tools = self.body.get("tools").and_then(Value::as_array).into_iter().flatten();
        tools.filter_map(|tool| Some((tool["name"].as_str()?, tool)))
    }

    /// The JSON schema that the answer has to follow.
    pub(crate) fn output_schema(&self) -> Option<&'a Value> {
        self.body.get("output_config")?.get("format")?.get("schema")
    }

    /// All texts of the request, one below the other: system, messages, tool inputs as JSON, tool results.
    pub(crate) fn everything(&self) -> &str {
        self.everything.get_or_init(|| {
            let mut all = self.system();
            for block in messages(self.body).flat_map(blocks) {
                let text = match block["type"].as_str() {
                    Some("tool_use") => {
                        format!("{} {}", block["name"].as_str().unwrap_or(""), block["input"])
                    }
                    Some("tool_result") => text_of(&block["content"]),
                    _ => text_of(block),
                };
                all.push('\n');
                all.push_str(&text);
            }
            all
        })
    }

    /// Turn, last tool and last text, for a person who wonders why no rule matched.
    pub(crate) fn summary(&self) -> String {
        let results = self.last_results();
        let tool = results.last().map_or("none", |result| result.tool);
        let text = match self.last_text() {
            text if text.is_empty() => results.last().map(|result| result.text.clone()).unwrap_or_default(),
            text => text,
        };
        let text: String = text.chars().take(200).collect();
        format!("turn {}, last tool {tool}, last text {text:?}", self.turn())
    }

    fn results_in(&self, message: &'a Value) -> Vec<ToolResult<'a>> {
        blocks(message)
            .filter(|block| block["type"] == "tool_result")
            .map(|block| ToolResult {
                tool: block["tool_use_id"]
                    .as_str()
                    .and_then(|id| self.tool_names.get(id).copied())
                    .unwrap_or_default(),
                text: text_of(&block["content"]),
            })
            .collect()
    }
}

fn messages(body: &Map<String, Value>) -> impl DoubleEndedIterator<Item = &Value> {
    body.get("messages").and_then(Value::as_array).into_iter().flatten()
}

/// The blocks of a message; a plain string is one block.
fn blocks(message: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    match &message["content"] {
        Value::Array(blocks) => blocks.as_slice(),
        text => std::slice::from_ref(text),
    }
    .iter()
}

/// The text in a string, a block or a list of blocks. Tool results inside a message are not its text.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<_> = blocks.iter().map(text_of).filter(|text| !text.is_empty()).collect();
            texts.join("\n")
        }
        Value::Object(block) => match block.get("type").and_then(Value::as_str) {
            Some("text") => block.get("text").map(text_of).unwrap_or_default(),
            Some("search_result") => block.get("content").map(text_of).unwrap_or_default(),
            Some("compaction") => block.get("content").map(text_of).unwrap_or_default(),
            Some("document") => block.get("source").map(document_text).unwrap_or_default(),
            _ => String::new(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

fn document_text(source: &Value) -> String {
    match source["type"].as_str() {
        Some("text") => text_of(&source["data"]),
        Some("content") => text_of(&source["content"]),
        _ => String::new(),
    }
}
