//! One turn's tools: run them in order, keep what is long apart, show as much as fits the journal.

use std::{borrow::Cow, path::Path};

use chrono::{DateTime, Utc};
use hive_domain::{
    Effect, Outcome, ToolName,
    journal::{ToolCall, ToolResult, ToolResults},
};
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    doze::stamp,
    excerpt::{Ends, MAX_ENTRY_BYTES, MAX_TEXT_BYTES, share},
    meter,
    outside::Outside,
    run::{Activation, Stopped},
    steer::interrupted,
    tools::{self, Bench, ToolError},
};

/// The answer to calls that a person's interruption left over.
const NOT_RUN: &str = "not run: the person you work for interrupted; read their message first";

/// What the two notes on what was not committed may take of an entry, each, in bytes of JSON.
const NOTE_BYTES: usize = 500;

/// What running the tools of a reply came to.
pub(crate) enum Acted {
    /// Each call is answered.
    Results(ToolResults),
    /// The run parks in the middle of the turn; the next one runs the whole turn again, but for what the journal knows.
    Park(Outcome),
}

impl Activation<'_> {
    /// Runs the calls of one reply. Each is answered, whatever it was. After a person's interruption those that are left
    /// are not run.
    pub(crate) async fn run_tools(
        &mut self,
        calls: &[ToolCall],
        until: Option<Instant>,
    ) -> Result<Acted, Stopped> {
        let mut answers = Vec::with_capacity(calls.len());
        let (mut finished, mut wake_at, mut is_interrupted) = (None, None, false);
        for call in calls {
            if self.control.lost.is_cancelled() {
                return Err(Stopped::Lost);
            }
            let (started, mut receipt) = (Instant::now(), None);
            let tool = call.name.parse::<ToolName>().ok().filter(|tool| self.offered.contains(tool));
            let outcome = match tool {
                _ if is_interrupted => Err(ToolError::Tell(NOT_RUN.to_owned())),
                None => Err(unknown_tool(&call.name, &self.offered)),
                Some(tool) if tool.effect() == Effect::External && self.is_stopped_before(call).await? => {
                    is_interrupted = true;
                    Err(ToolError::Tell(NOT_RUN.to_owned()))
                }
                Some(tool) if tool.effect() == Effect::External => match self.call_outside(call).await? {
                    Outside::Answer(answer) => answer,
                    Outside::Park(outcome) => return Ok(Acted::Park(outcome)),
                },
                Some(ToolName::Wait) => self.set_alarm(call, &mut wake_at).await?,
                Some(tool @ (ToolName::SendMessage | ToolName::AskAgent)) => {
                    self.write_to_agent(tool, call, &mut wake_at).await?
                }
                Some(ToolName::Remember) => self.remember(call).await?,
                Some(ToolName::Recall) => self.search_memory(call).await?.map(|(text, found)| {
                    receipt = Some(Box::new(found));
                    text
                }),
                Some(tool) => {
                    let (outcome, was_ended) = self.run_until_interrupted(tool, call, until).await;
                    is_interrupted = was_ended;
                    outcome
                }
            };
            meter::tool(&call.name, &outcome, started.elapsed());
            let (content, is_error) = match outcome {
                Ok(text) if tool == Some(ToolName::Finish) => {
                    finished = Some(text);
                    ("noted".to_owned(), false)
                }
                Ok(text) => (text, false),
                Err(ToolError::Tell(text)) => (text, true),
                Err(ToolError::Abort(error)) => return Err(Stopped::Sandbox(error)),
            };
            let content = clean(content);
            // At once, so that of many long answers only their ends are in memory.
            let artifact = match content.len() > MAX_TEXT_BYTES {
                true => Some(self.keep_whole(&call.id, &content).await?),
                false => None,
            };
            let (tool_use_id, tool) = (call.id.clone(), clean(call.name.clone()));
            let result = ToolResult {
                tool_use_id,
                tool,
                content: String::new(),
                is_error,
                artifact,
                recalled: receipt,
            };
            answers.push((result, Ends::of(content)));
        }
        self.show(answers, finished, wake_at).await.map(Acted::Results)
    }

    /// Shares the room of one journal entry among the answers of a turn. What is cut is kept whole as an artifact.
    async fn show(
        &self,
        answers: Vec<(ToolResult, Ends)>,
        finished: Option<String>,
        wake_at: Option<DateTime<Utc>>,
    ) -> Result<ToolResults, Stopped> {
        let sizes = answers.iter().map(|(_, ends)| ends.size()).collect();
        let (results, texts): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
        let mut shown = ToolResults { results, finished, wake_at };
        let most = share(sizes, self.room(&shown)).min(MAX_TEXT_BYTES);
        for (result, text) in shown.results.iter_mut().zip(texts) {
            result.content = text.within(most);
            if let Some(whole) = text.whole().filter(|whole| *whole != result.content)
                && result.artifact.is_none()
            {
                result.artifact = Some(self.keep_whole(&result.tool_use_id, whole).await?);
            }
        }
        Ok(shown)
    }

    /// What is left for texts in an entry with these results when each names an artifact, in bytes of JSON.
    fn room(&self, bare: &ToolResults) -> usize {
        let mut bare = bare.clone();
        for result in &mut bare.results {
            result.artifact = Some(self.artifact_name(&result.tool_use_id));
        }
        // A journal of ours has nothing that JSON cannot express.
        let taken = serde_json::to_string(&bare).map_or(0, |json| json.len());
        MAX_ENTRY_BYTES.saturating_sub(taken + 2 * NOTE_BYTES)
    }

    /// True when the harness answers all calls of a reply out of itself: nothing is run, nothing is waited for, and no
    /// file is touched. The answers are written with the reply then.
    pub(crate) fn is_answered_here(&self, calls: &[ToolCall]) -> bool {
        calls.iter().all(|call| {
            let tool = call.name.parse::<ToolName>().ok().filter(|tool| self.offered.contains(tool));
            tool.is_none_or(|tool| tool == ToolName::Finish)
        })
    }

    /// When the run goes on: the latest of all waits of a turn.
    async fn set_alarm(
        &self,
        call: &ToolCall,
        wake_at: &mut Option<DateTime<Utc>>,
    ) -> Result<Result<String, ToolError>, Stopped> {
        let input = match readable(call) {
            Ok(input) => input,
            Err(error) => return Ok(Err(error)),
        };
        let now = self.persist(|| self.agent.store.now()).await?;
        Ok(tools::wake_at(input, now).map(|asked| {
            *wake_at = Some(wake_at.map_or(asked, |other| other.max(asked)));
            format!("you go on at {}, or earlier when a message arrives", stamp(asked))
        }))
    }

    /// `true`: a person ended it.
    async fn run_until_interrupted(
        &self,
        tool: ToolName,
        call: &ToolCall,
        until: Option<Instant>,
    ) -> (Result<String, ToolError>, bool) {
        let cancel = self.control.halt.child_token();
        let mut running = std::pin::pin!(self.run_tool(tool, call, until, &cancel));
        tokio::select! {
            outcome = &mut running => (outcome, false),
            () = interrupted(self.agent, self.control, self.lease.task()) => {
                cancel.cancel();
                let ended = |text: String| format!("[ended by a message from the person you work for]\n{text}");
                let outcome = match running.await {
                    Err(ToolError::Tell(text)) => Err(ToolError::Tell(ended(text))),
                    other => other,
                };
                (outcome, true)
            }
        }
    }

    async fn run_tool(
        &self,
        tool: ToolName,
        call: &ToolCall,
        until: Option<Instant>,
        cancel: &CancellationToken,
    ) -> Result<String, ToolError> {
        let input = readable(call)?;
        let tree = match &self.files {
            Some(files) => files.tree(),
            None if tool.needs_files() => return Err(ToolError::Tell("this task has no files".to_owned())),
            None => Path::new("/nonexistent"),
        };
        tools::call(tool, input, Bench { tree, sandbox: &self.agent.sandbox, cancel, until }).await
    }

    fn artifact_name(&self, tool_use_id: &str) -> String {
        format!("step-{}-{tool_use_id}", self.lease.next_seq())
    }

    /// Stores the whole answer to a call, and gives its name.
    async fn keep_whole(&self, tool_use_id: &str, text: &str) -> Result<String, Stopped> {
        let name = self.artifact_name(tool_use_id);
        self.keep_text(&name, text).await?;
        Ok(name)
    }

    /// Stores a text under a name, as much of it as an artifact holds.
    pub(crate) async fn keep_text(&self, name: &str, text: &str) -> Result<(), Stopped> {
        let body = cut_middle(text, hive_store::artifacts::MAX_ARTIFACT_BYTES);
        let (task, epoch) = (self.lease.task(), self.lease.epoch());
        self.persist(|| {
            self.agent.store.put_artifact(task, epoch, name, "text/plain; charset=utf-8", body.as_bytes())
        })
        .await?;
        Ok(())
    }
}

fn unknown_tool(name: &str, offered: &[ToolName]) -> ToolError {
    let names = offered.iter().map(|tool| tool.as_str()).collect::<Vec<_>>().join(", ");
    ToolError::Tell(format!("there is no tool {name:?} here; you have {names}"))
}

pub(crate) fn readable(call: &ToolCall) -> Result<&RawValue, ToolError> {
    call.input.as_deref().map_err(|text| {
        let start: String = text.chars().take(200).collect();
        ToolError::Tell(format!("the input is not a JSON object and was not run; it began: {start}"))
    })
}

/// Refuses calls whose reply was cut: their inputs may be half.
pub(crate) fn refuse(calls: &[ToolCall]) -> ToolResults {
    let results = calls.iter().map(|call| ToolResult {
        tool_use_id: call.id.clone(),
        tool: call.name.clone(),
        content: "not run: your reply was cut at the output limit. Go on in smaller parts.".to_owned(),
        is_error: true,
        artifact: None,
        recalled: None,
    });
    ToolResults { results: results.collect(), finished: None, wake_at: None }
}

/// Tells the model what the harness could not commit, below its last result.
pub(crate) fn tell_skipped(results: &mut ToolResults, skipped: &[String]) {
    if let Some(last) = results.results.last_mut().filter(|_| !skipped.is_empty()) {
        let shown = skipped.iter().take(10).cloned().collect::<Vec<_>>().join("; ");
        last.content.push_str(&note(format!("\n[not committed: {shown}]")));
    }
}

/// Tells the model that nothing of this turn was committed, and why.
pub(crate) fn tell_refused(results: &mut ToolResults, why: &str) {
    if let Some(last) = results.results.last_mut() {
        last.content.push_str(&note(format!("\n[nothing was committed: {why}]")));
        last.is_error = true;
    }
    results.finished = None;
}

fn note(text: String) -> String {
    Ends::of(text).within(NOTE_BYTES)
}

/// Postgres stores no NUL, and a model has no use for one.
pub(crate) fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Keeps head and tail, cut at character boundaries, with a line that says how much is left out.
fn cut_middle(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let half = max.saturating_sub(64) / 2;
    let (head, tail) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    Cow::Owned(format!("{}\n[{} bytes left out]\n{}", &text[..head], tail - head, &text[tail..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cut_text_fits_and_keeps_both_ends(text in "\\PC{0,400}", max in 100usize..300) {
            let cut = cut_middle(&text, max);
            prop_assert!(cut.len() <= max.max(text.len().min(max)));
            if text.len() > max {
                let head: String = text.chars().take(5).collect();
                prop_assert!(cut.starts_with(&head));
                prop_assert!(cut.contains("bytes left out"));
            } else {
                prop_assert_eq!(cut.as_ref(), text.as_str());
            }
        }
    }
}
