//! What a new segment is told of the past. What the journal holds is taken from it word for word: what people wrote, what
//! failed, which files were changed, what took place outside. The rest is the model's own summary.

use std::collections::HashMap;

use hive_domain::{
    ToolName,
    journal::{Entry, Summary, ToolCall, ToolResults},
    transcript::Transcript,
};
use serde::Deserialize;

use crate::{excerpt::Ends, window};

/// The most that the text takes, in bytes, however large the window is.
const MOST_BYTES: usize = 64 << 10;
/// What is shown of one call that failed: of its input, and of its answer.
const FAILED_BYTES: (usize, usize) = (400, 500);
/// What is shown of each result of the last turn, in bytes of JSON.
const LAST_BYTES: usize = 1_500;
/// Results of the last turn that are shown.
const LAST_RESULTS: usize = 4;
/// What is shown of a message that was answered, in bytes of JSON at least.
const LEAST_OF_MESSAGE: usize = 600;
/// Files that are named.
const MOST_FILES: usize = 100;

/// What the model reads instead of all that came before.
pub(crate) fn told(transcript: &Transcript, summary: Option<&Summary>, window: i64) -> String {
    let room = (window::bytes(window) / 4).min(MOST_BYTES);
    let past = Past::of(transcript);
    let mut text = "The conversation so far filled your window and was put aside; it is not repeated here. The files are \
                    as you left them. What follows stands for it, and where the task above or the person you work \
                    for say something, that still holds.\n"
        .to_owned();
    // What people said goes first, then what must not be tried again: neither is left to the model's memory.
    section(&mut text, "What the person you work for wrote to you", &past.told_by_people(room / 2));
    if let Some(summary) = summary {
        text.push_str(&format!("\n## Where the work stands\n{}\n", summary.state.trim()));
        section(&mut text, "Decisions", &items(&summary.decisions));
        section(&mut text, "Open work", &items(&summary.open_work));
    }
    let approaches = items(&failed_approaches(transcript, summary));
    section(&mut text, "Approaches that failed", &newest(approaches, room / 5));
    section(&mut text, "Calls that failed, as they came", &newest(past.failed, room / 5));
    section(&mut text, "Files you wrote or edited", &newest(past.files, room / 20));
    section(&mut text, "Calls that took effect outside of the workspace", &newest(past.outside, room / 20));
    section(&mut text, "The last turn", &past.last);
    text
}

fn section(text: &mut String, title: &str, items: &[String]) {
    if !items.is_empty() {
        text.push_str(&format!("\n## {title}\n{}\n", items.join("\n")));
    }
}

fn items(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| format!("- {}", text.trim())).collect()
}

/// The newest that fit, in their order, and a line that says how many do not.
fn newest(mut all: Vec<String>, room: usize) -> Vec<String> {
    let mut taken = 0;
    let fit = all.iter().rev().take_while(|text| {
        taken += text.len() + 1;
        taken <= room
    });
    let left_out = all.len() - fit.count();
    if left_out > 0 {
        all.drain(..left_out);
        all.insert(0, format!("[{left_out} earlier ones are left out]"));
    }
    all
}

/// Those of all segments: what an earlier summary named is not lost by a later one that forgets it.
fn failed_approaches(transcript: &Transcript, summary: Option<&Summary>) -> Vec<String> {
    let earlier = transcript.conversation().filter_map(|(_, entry)| match entry {
        Entry::Compacted(compacted) => compacted.summary.as_ref(),
        _ => None,
    });
    let mut all: Vec<String> = Vec::new();
    for approach in earlier.chain(summary).flat_map(|summary| &summary.failed_approaches) {
        if !all.contains(approach) {
            all.push(approach.clone());
        }
    }
    all
}

/// What the journal says.
#[derive(Default)]
struct Past {
    /// What people wrote, by number.
    messages: Vec<(i32, String)>,
    /// How many of them some reply came after.
    answered: usize,
    failed: Vec<String>,
    files: Vec<String>,
    outside: Vec<String>,
    last: Vec<String>,
}

impl Past {
    fn of(transcript: &Transcript) -> Self {
        let mut past = Self::default();
        let mut calls: HashMap<String, ToolCall> = HashMap::new();
        for (_, entry) in transcript.conversation() {
            match entry {
                Entry::Reply(reply) => {
                    past.answered = past.messages.len();
                    calls = reply.calls().into_iter().map(|call| (call.id.clone(), call)).collect();
                    past.last = (!reply.text().is_empty())
                        .then(|| format!("You said: {}", Ends::of(reply.text()).within(LAST_BYTES)))
                        .into_iter()
                        .collect();
                }
                Entry::ToolResults(results) => past.results(results, &calls),
                Entry::Message(message) => {
                    past.messages.push((message.number, message.text.clone()));
                }
                Entry::Outcome(outcome) if outcome.took_place => {
                    let said = head(&outcome.content, FAILED_BYTES.1);
                    past.outside.push(format!("- {}: {said}", outcome.tool));
                }
                Entry::Checks(checks) if !checks.passed => {
                    let red = checks.results.iter().filter(|check| !check.passed);
                    past.failed.extend(red.map(|check| {
                        let output = head(&check.output, FAILED_BYTES.1);
                        format!("- acceptance command {:?} `{}`: {output}", check.name, check.command)
                    }));
                    past.last.push(Ends::of(checks.message.clone()).within(2 * LAST_BYTES));
                }
                // Whole: nobody may have read it yet.
                Entry::AgentMessage(message) => past.last.push(message.told()),
                Entry::Briefing(briefing) => past.last.push(briefing.text.clone()),
                Entry::Note(note) => past.last.push(note.text.clone()),
                Entry::Rollback(rollback) => past.last = vec![rollback.told()],
                Entry::Outcome(_)
                | Entry::Intent(_)
                | Entry::Checks(_)
                | Entry::Compacted(_)
                | Entry::Recalled(_) => {}
            }
        }
        past.failed = once_each(past.failed);
        past.files = once_each(past.files);
        if past.files.len() > MOST_FILES {
            past.files.drain(..past.files.len() - MOST_FILES);
        }
        past
    }

    /// Whole what no reply came after, however long: nobody has read it yet. What was answered shares the room, each with
    /// both its ends where it is too long.
    fn told_by_people(&self, room: usize) -> Vec<String> {
        let most = (room / self.answered.max(1)).max(LEAST_OF_MESSAGE);
        let said = |(number, text): &(i32, String), most: Option<usize>| {
            let text = most.map_or_else(|| text.clone(), |most| Ends::of(text.clone()).within(most));
            format!("Message {number}:\n{text}")
        };
        let (answered, unread) = self.messages.split_at(self.answered);
        let mut all = newest(
            answered.iter().map(|message| said(message, Some(most))).collect(),
            room.max(LEAST_OF_MESSAGE * 2),
        );
        all.extend(unread.iter().map(|message| said(message, None)));
        all
    }

    fn results(&mut self, results: &ToolResults, calls: &HashMap<String, ToolCall>) {
        for (place, result) in results.results.iter().enumerate() {
            let input = calls.get(&result.tool_use_id).map_or(String::new(), input_of);
            let (tool, shown) = (&result.tool, head(&input, FAILED_BYTES.0));
            let is_red = *tool == ToolName::Shell.as_str()
                && result.content.strip_prefix("exit code: ").is_some_and(|code| !code.starts_with("0\n"));
            if result.is_error || is_red {
                let said = head(&result.content, FAILED_BYTES.1);
                self.failed.push(format!("- {tool} {shown}: {said}"));
            } else if [ToolName::WriteFile, ToolName::EditFile].iter().any(|edits| tool == edits.as_str())
                && let Ok(Edited { path }) = serde_json::from_str(&input)
            {
                self.files.push(format!("- {path}"));
            }
            if place < LAST_RESULTS {
                let said = Ends::of(result.content.clone()).within(LAST_BYTES);
                self.last.push(format!("You called {tool} {shown}, and it answered:\n{said}"));
            }
        }
    }
}

#[derive(Deserialize)]
struct Edited {
    path: String,
}

fn input_of(call: &ToolCall) -> String {
    call.input.as_ref().map_or_else(Clone::clone, |input| input.get().to_owned())
}

/// Where each text stands last, and only there.
fn once_each(all: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(all.len());
    for text in all.into_iter().rev() {
        if !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept.reverse();
    kept
}

fn head(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests;
