//! The request that a transcript stands for. Only appended to: the request of the next turn begins with the bytes of
//! this one, so that the prompt cache and signed thinking stay valid.

use hive_claude::{
    COMPACTION_BETA, CacheControl, Diagnostics, Metadata, Request, RequestMessage, SystemBlock, Ttl,
};
use hive_domain::{
    AgentDefinition, ToolName,
    journal::{Entry, NoteCause, Stop, ToolResult},
    task::Task,
    transcript::Transcript,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    excerpt::Ends,
    markers::{self, Said},
    tools,
};

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

/// The words for a reply that cannot be used. `with_room`: the next one may be longer.
#[must_use]
pub const fn nudge(cause: NoteCause, with_room: bool) -> &'static str {
    match cause {
        NoteCause::Cut if with_room => {
            "Your reply was cut at the output limit. There is more room now: go on where it was cut."
        }
        NoteCause::Cut => {
            "Your reply was cut at the output limit and nothing of it was run. Go on in smaller parts: shorter text, \
             fewer or smaller tool inputs."
        }
        NoteCause::Empty => "Your reply was empty. Use a tool, or call `finish` when you are done.",
        NoteCause::Woken => "The wait is over.",
        NoteCause::Unanswered => "No answer came in time.",
    }
}

/// The tools that a task may use: those of its agent; without files only those that need none.
#[must_use]
pub fn tools_of(task: &Task, agent: &AgentDefinition) -> Vec<ToolName> {
    let known = agent.tools.iter().filter_map(|name| name.parse::<ToolName>().ok());
    known.filter(|tool| task.repository.is_some() || !tool.needs_files()).collect()
}

/// What every request of a run begins with: the model, the tools in the order of their names, and a system prompt that
/// knows neither time nor ids.
///
/// # Errors
/// When a schema has no JSON form, which cannot happen for ours.
pub fn head(
    task: &Task,
    agent: &AgentDefinition,
    model: &str,
    max_tokens: u32,
) -> serde_json::Result<Request> {
    let mut request = Request::new(model, max_tokens);
    // The marker on the last block lies outside of the messages, so that their bytes stay as they are.
    request.cache_control = Some(CacheControl { ttl: None });
    request.metadata = Some(Metadata { user_id: task.id.to_string() });
    let mut offered = tools_of(task, agent);
    offered.sort_unstable_by_key(|tool| tool.as_str());
    request.tools = offered.into_iter().map(tools::definition).collect::<Result<_, _>>()?;
    // The service refuses a text that is empty or blank.
    if !agent.system_prompt.trim().is_empty() {
        request.system.push(SystemBlock { text: agent.system_prompt.clone(), cache_control: None });
    }
    // For all runs of this agent, which may be more than five minutes apart.
    request.system.push(SystemBlock {
        text: HARNESS.trim().to_owned(),
        cache_control: Some(CacheControl { ttl: Some(Ttl::OneHour) }),
    });
    Ok(request)
}

/// The whole request. `opening` is what the conversation began with: of a fork, the words of the task that it came from.
///
/// # Errors
/// When a stored text has no JSON form, which a journal of ours never holds.
pub fn request(
    opening: &str,
    task: &Task,
    agent: &AgentDefinition,
    transcript: &Transcript,
    model: &str,
    max_tokens: u32,
) -> serde_json::Result<Request> {
    let mut request = head(task, agent, model, max_tokens)?;
    add_messages(&mut request, said(opening, transcript, model, None)?)?;
    let previous_message_id = transcript.previous_message().map(str::to_owned);
    request.diagnostics = Some(Diagnostics { previous_message_id });
    if transcript.compacted().is_some_and(|compacted| compacted.block.is_some() && compacted.model == model) {
        request.betas.push(COMPACTION_BETA);
    }
    Ok(request)
}

/// Puts messages into a request, with their markers.
pub(crate) fn add_messages(request: &mut Request, mut said: Vec<Said>) -> serde_json::Result<()> {
    markers::place(&mut said);
    for said in said {
        request.messages.push(match said {
            Said::User(blocks) => RequestMessage::user(serde_json::value::to_raw_value(&blocks)?),
            Said::Assistant { content, .. } => RequestMessage::assistant(content),
        });
    }
    Ok(())
}

/// The messages of the current segment. With `lean` results are cut to so many bytes and nothing of the thinking goes
/// back, for a conversation that does not fit.
pub(crate) fn said(
    opening: &str,
    transcript: &Transcript,
    model: &str,
    lean: Option<usize>,
) -> serde_json::Result<Vec<Said>> {
    let text = |text: &str| json!({ "type": "text", "text": text });
    let (mut said, mut pending) = (Vec::new(), Vec::new());
    if let Some(compacted) = transcript.compacted() {
        if let Some(block) = compacted.block.as_ref().filter(|_| compacted.model == model) {
            let content = RawValue::from_string(format!("[{}]", block.get()))?;
            said.push(Said::Assistant { content, blocks: 1 });
        }
        pending.push(text(&compacted.text));
    }
    said.push(Said::User(vec![text(opening)]));
    for (index, entry) in transcript.segment() {
        match entry {
            // One that ended because nothing fits any more: its calls were not run, its text may be half.
            Entry::Reply(reply) if reply.stop == Stop::ModelContextWindowExceeded => {}
            Entry::Reply(reply) => {
                // Thinking is signed for the model that thought: a fork that asks another one leaves it out.
                let is_foreign = index < transcript.shared() && !reply.model.starts_with(model);
                if let Some(content) = sendable(&reply.content, is_foreign || lean.is_some())? {
                    flush(&mut pending, &mut said);
                    let blocks = serde_json::from_str::<Vec<&RawValue>>(content.get())?.len();
                    said.push(Said::Assistant { content, blocks });
                }
            }
            Entry::ToolResults(results) => {
                pending.extend(results.results.iter().map(|result| answer(result, lean)));
            }
            Entry::Note(note) => pending.push(text(&note.text)),
            Entry::Checks(checks) => pending.push(text(&checks.message)),
            Entry::Message(message) => pending.push(text(&message.told())),
            Entry::AgentMessage(message) => pending.push(text(&message.told())),
            Entry::Briefing(briefing) => pending.push(text(&briefing.text)),
            Entry::Rollback(rollback) => pending.push(text(&rollback.told())),
            Entry::Recalled(recalled) => {
                pending.extend((!recalled.text.is_empty()).then(|| text(&recalled.text)));
            }
            // The model reads what came of an outside call among the results of its turn.
            Entry::Intent(_) | Entry::Outcome(_) | Entry::Compacted(_) => {}
        }
    }
    flush(&mut pending, &mut said);
    Ok(said)
}

fn answer(result: &ToolResult, lean: Option<usize>) -> serde_json::Value {
    let content = match lean {
        Some(bytes) => Ends::of(result.content.clone()).within(bytes),
        None => result.content.clone(),
    };
    let mut block = json!({ "type": "tool_result", "tool_use_id": result.tool_use_id, "content": content });
    if result.is_error {
        block["is_error"] = json!(true);
    }
    block
}

/// Everything between two replies is one user message: tool results first, then what the harness adds.
fn flush(pending: &mut Vec<serde_json::Value>, said: &mut Vec<Said>) {
    if !pending.is_empty() {
        said.push(Said::User(std::mem::take(pending)));
    }
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
