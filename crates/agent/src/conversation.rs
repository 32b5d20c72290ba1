//! The request that a transcript stands for. Only appended to: the request of the next turn begins with the bytes of
//! this one, so that the prompt cache and signed thinking stay valid.

use hive_claude::{CacheControl, Metadata, Request, RequestMessage, SystemBlock};
use hive_domain::{
    AgentDefinition, ToolName,
    journal::{Entry, NoteCause},
    task::Task,
    transcript::Transcript,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::tools;

const HARNESS: &str = include_str!("../prompts/harness.md");

/// What a task says to its agent first.
#[must_use]
pub fn opening(task: &Task) -> String {
    let mut text = format!("# Task: {}\n", task.title);
    if !task.description.is_empty() {
        text.push_str(&format!("\n{}\n", task.description));
    }
    if !task.context.is_empty() {
        text.push_str("\n## Context\n");
        for (key, value) in &task.context {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!("- {key}: {value}\n"));
        }
    }
    if !task.acceptance.is_empty() {
        text.push_str("\n## Acceptance commands\n");
        for check in &task.acceptance {
            text.push_str(&format!("- {}: `{}`\n", check.name, check.command));
        }
    }
    if task.repository.is_none() {
        text.push_str("\nThis task has no files. Answer with text, or call `finish` with the answer.\n");
    }
    text
}

/// The words for a reply that cannot be used.
#[must_use]
pub const fn nudge(cause: NoteCause) -> &'static str {
    match cause {
        NoteCause::Cut => {
            "Your reply was cut at the output limit and nothing of it was run. Go on in smaller parts: shorter text, \
             fewer or smaller tool inputs."
        }
        NoteCause::Empty => "Your reply was empty. Use a tool, or call `finish` when you are done.",
        NoteCause::Woken => "The wait is over.",
    }
}

/// The tools that a task may use: those of its agent; without files only those that need none.
#[must_use]
pub fn tools_of(task: &Task, agent: &AgentDefinition) -> Vec<ToolName> {
    let known = agent.tools.iter().filter_map(|name| name.parse::<ToolName>().ok());
    known.filter(|tool| task.repository.is_some() || !tool.needs_files()).collect()
}

/// The whole request. `stands_in`: the model is not the one that the task wishes for. `opening` is what the conversation began with: of a fork, the words of the task that it came from.
///
/// # Errors
/// When a stored text has no JSON form, which a journal of ours never holds.
pub fn request(
    opening: &str,
    task: &Task,
    agent: &AgentDefinition,
    transcript: &Transcript,
    model: &str,
    stands_in: bool,
    max_tokens: u32,
) -> serde_json::Result<Request> {
    let mut request = Request::new(model, max_tokens);
    // A marker at the end of the system prompt for all runs of this agent, and one on the last block for the next
    // turn of this run. The latter lies outside of the messages, so that their bytes stay as they are.
    let marker = Some(CacheControl { ttl: None });
    request.cache_control = marker;
    request.metadata = Some(Metadata { user_id: task.id.to_string() });
    request.tools = tools_of(task, agent).into_iter().map(tools::definition).collect::<Result<_, _>>()?;
    request.system = vec![
        SystemBlock { text: agent.system_prompt.clone(), cache_control: None },
        SystemBlock { text: HARNESS.trim().to_owned(), cache_control: marker },
    ];
    request.messages.push(RequestMessage::user(text_block(opening)?));
    let mut pending: Vec<serde_json::Value> = Vec::new();
    for (index, entry) in transcript.conversation() {
        match entry {
            Entry::Reply(reply) => {
                // Thinking is signed for the model that thought: a fork that asks another one, and a model that stands in
                // for another, leave it out. What the task's own model answered under some other name is its own.
                let is_own = index >= transcript.shared() && reply.requested_model.is_none() && !stands_in;
                let is_foreign = !is_own && !reply.model.starts_with(model);
                if let Some(content) = sendable(&reply.content, is_foreign)? {
                    flush(&mut pending, &mut request.messages)?;
                    request.messages.push(RequestMessage::assistant(content));
                }
            }
            Entry::ToolResults(results) => pending.extend(results.results.iter().map(|result| {
                let mut block = json!({ "type": "tool_result", "tool_use_id": result.tool_use_id,
                                        "content": result.content });
                if result.is_error {
                    block["is_error"] = json!(true);
                }
                block
            })),
            Entry::Note(note) => pending.push(json!({ "type": "text", "text": note.text })),
            Entry::Checks(checks) => pending.push(json!({ "type": "text", "text": checks.message })),
            Entry::Message(message) => pending.push(json!({ "type": "text", "text": message.told() })),
            Entry::Rollback(rollback) => pending.push(json!({ "type": "text", "text": rollback.told() })),
            // The model reads what came of an outside call among the results of its turn.
            Entry::Intent(_) | Entry::Outcome(_) => {}
        }
    }
    flush(&mut pending, &mut request.messages)?;
    Ok(request)
}

/// Everything between two replies is one user message: tool results first, then what the harness adds.
fn flush(pending: &mut Vec<serde_json::Value>, messages: &mut Vec<RequestMessage>) -> serde_json::Result<()> {
    if !pending.is_empty() {
        messages.push(RequestMessage::user(serde_json::value::to_raw_value(pending)?));
        pending.clear();
    }
    Ok(())
}

/// What of a reply may go back: byte for byte, but without blank texts, which the service writes and does not take, and
/// on demand without thinking. `None`: nothing is left, and the reply is no message of the conversation.
fn sendable(content: &RawValue, without_thinking: bool) -> serde_json::Result<Option<Box<RawValue>>> {
    #[derive(Deserialize)]
    struct Text {
        #[serde(rename = "type")]
        kind: String,
        text: Option<String>,
    }
    let blocks: Vec<&RawValue> = serde_json::from_str(content.get())?;
    let is_left_out = |block: &RawValue| {
        serde_json::from_str::<Text>(block.get()).is_ok_and(|block| match block.kind.as_str() {
            "text" => block.text.is_none_or(|text| text.trim().is_empty()),
            "thinking" | "redacted_thinking" => without_thinking,
            _ => false,
        })
    };
    let kept: Vec<&RawValue> = blocks.iter().copied().filter(|block| !is_left_out(block)).collect();
    if kept.is_empty() {
        return Ok(None);
    }
    if kept.len() == blocks.len() {
        return Ok(Some(content.to_owned()));
    }
    serde_json::value::to_raw_value(&kept).map(Some)
}

fn text_block(text: &str) -> serde_json::Result<Box<RawValue>> {
    serde_json::value::to_raw_value(&json!([{ "type": "text", "text": text }]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_goes_back_byte_for_byte_without_its_blank_texts() {
        let sent = |content: &str| {
            let content = RawValue::from_string(content.to_owned()).unwrap();
            sendable(&content, false).unwrap().map(|content| content.get().to_owned())
        };
        let whole =
            r#"[{"signature":"x", "type":"thinking","thinking":"a \u00e9"},{"type":"text","text":"b"}]"#;
        assert_eq!(sent(whole).as_deref(), Some(whole));
        let call = r#"{"type":"tool_use","id":"t","name":"shell","input":{ "command": "ls" }}"#;
        assert_eq!(sent(&format!(r#"[{{"type":"text","text":" \n"}}, {call}]"#)), Some(format!("[{call}]")));
        assert_eq!(sent("[]"), None);
        assert_eq!(sent(r#"[{"type":"text","text":""}]"#), None);
    }
}
