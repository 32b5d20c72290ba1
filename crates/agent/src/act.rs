//! One turn's tools: run them in order, cut what is long, keep the rest.

use hive_domain::{
    ToolName,
    journal::{ToolCall, ToolResult, ToolResults},
};
use tokio::time::Instant;

use crate::{
    meter,
    run::{Activation, Stopped},
    tools::{self, Bench, ToolError},
};

/// What a tool result may hold of a text, in bytes; the whole is kept as an artifact. Three full results and a reply
/// still leave a journal row under 64 KiB.
pub const MAX_RESULT_BYTES: usize = 12 << 10;

impl Activation<'_> {
    /// Runs the calls of one reply. Each is answered, whatever it was.
    pub(crate) async fn run_tools(
        &self,
        calls: &[ToolCall],
        offered: &[ToolName],
        until: Option<Instant>,
    ) -> Result<ToolResults, Stopped> {
        let mut results = Vec::with_capacity(calls.len());
        let mut finished = None;
        for call in calls {
            if self.control.lost.is_cancelled() {
                return Err(Stopped::Lost);
            }
            let started = Instant::now();
            let outcome = self.run_tool(call, offered, until).await;
            meter::tool(&call.name, &outcome, started.elapsed());
            let (content, is_error) = match outcome {
                Ok(text) if call.name == ToolName::Finish.as_str() => {
                    finished = Some(text);
                    ("noted".to_owned(), false)
                }
                Ok(text) => (text, false),
                Err(ToolError::Tell(text)) => (text, true),
                Err(ToolError::Abort(error)) => return Err(Stopped::Sandbox(error)),
            };
            let content = clean(content);
            let artifact = self.keep_whole(call, &content).await?;
            results.push(ToolResult {
                tool_use_id: call.id.clone(),
                tool: call.name.clone(),
                content: cut_middle(&content, MAX_RESULT_BYTES),
                is_error,
                artifact,
            });
        }
        Ok(ToolResults { results, finished })
    }

    async fn run_tool(
        &self,
        call: &ToolCall,
        offered: &[ToolName],
        until: Option<Instant>,
    ) -> Result<String, ToolError> {
        let names = || offered.iter().map(|tool| tool.as_str()).collect::<Vec<_>>().join(", ");
        let tool = call.name.parse::<ToolName>().ok().filter(|tool| offered.contains(tool));
        let Some(tool) = tool else {
            return Err(ToolError::Tell(format!(
                "there is no tool {:?} here; you have {}",
                call.name,
                names()
            )));
        };
        let input = call.input.as_ref().map_err(|text| {
            let start: String = text.chars().take(200).collect();
            ToolError::Tell(format!("the input is not a JSON object and was not run; it began: {start}"))
        })?;
        let Some(files) = &self.files else {
            return match tool {
                ToolName::Finish => {
                    tools::call(tool, input, self.bench(std::path::Path::new("/nonexistent"), until)).await
                }
                _ => Err(ToolError::Tell("this task has no files".to_owned())),
            };
        };
        tools::call(tool, input, self.bench(files.tree(), until)).await
    }

    fn bench<'a>(&'a self, tree: &'a std::path::Path, until: Option<Instant>) -> Bench<'a> {
        Bench { tree, sandbox: &self.agent.sandbox, cancel: &self.control.halt, until }
    }

    async fn keep_whole(&self, call: &ToolCall, content: &str) -> Result<Option<String>, Stopped> {
        if content.len() <= MAX_RESULT_BYTES {
            return Ok(None);
        }
        let name = format!("step-{}-{}", self.lease.next_seq(), call.id);
        let body = cut_middle(content, hive_store::artifacts::MAX_ARTIFACT_BYTES);
        let task = self.lease.task();
        self.persist(|| {
            self.agent.store.put_artifact(task, &name, "text/plain; charset=utf-8", body.as_bytes())
        })
        .await?;
        Ok(Some(name))
    }
}

/// Refuses calls whose reply was cut: their inputs may be half.
pub(crate) fn refuse(calls: &[ToolCall]) -> ToolResults {
    let results = calls.iter().map(|call| ToolResult {
        tool_use_id: call.id.clone(),
        tool: call.name.clone(),
        content: "not run: your reply was cut at the output limit. Go on in smaller parts.".to_owned(),
        is_error: true,
        artifact: None,
    });
    ToolResults { results: results.collect(), finished: None }
}

/// Tells the model what the harness could not commit, below its last result.
pub(crate) fn tell_skipped(results: &mut ToolResults, skipped: &[String]) {
    if let Some(last) = results.results.last_mut().filter(|_| !skipped.is_empty()) {
        let shown = skipped.iter().take(10).cloned().collect::<Vec<_>>().join("; ");
        last.content.push_str(&format!("\n[not committed: {shown}]"));
    }
}

/// Tells the model that nothing of this turn was committed, and why.
pub(crate) fn tell_refused(results: &mut ToolResults, why: &str) {
    if let Some(last) = results.results.last_mut() {
        last.content.push_str(&format!("\n[nothing was committed: {why}]"));
        last.is_error = true;
    }
    results.finished = None;
}

/// Postgres stores no NUL, and a model has no use for one.
pub(crate) fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Keeps head and tail, cut at character boundaries, with a line that says how much is left out.
pub(crate) fn cut_middle(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let half = max.saturating_sub(64) / 2;
    let (head, tail) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    format!("{}\n[{} bytes left out]\n{}", &text[..head], tail - head, &text[tail..])
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
                prop_assert_eq!(cut, text);
            }
        }
    }
}
