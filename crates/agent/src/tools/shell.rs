use std::{borrow::Cow, path::Path, time::Duration};

use hive_sandbox::{Error, Job, Limit, Output};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::{Bench, Input, Tool, ToolError};
use crate::meter;

const DEFAULT_SECONDS: u64 = 120;
const MAX_SECONDS: u64 = 600;
/// What is kept of what a command prints, in bytes of each stream: an artifact holds as much.
const MAX_OUTPUT_BYTES: usize = hive_store::artifacts::MAX_ARTIFACT_BYTES;
/// What a command gets when the task's time is already up, so that its end is a result like any other.
const LEAST: Duration = Duration::from_millis(100);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shell {
    /// Run by `bash -c` in the working directory.
    command: String,
    /// 1 to 600; 120 when left out.
    #[serde(default)]
    timeout_seconds: Option<u64>,
}

impl Input for Shell {
    const DESCRIPTION: &'static str =
        "Run a command in the sandbox and see its exit code, stdout and stderr.";
}

impl Tool for Shell {
    async fn call(self, bench: Bench<'_>) -> Result<String, ToolError> {
        if self.command.trim().is_empty() {
            return Err(ToolError::Tell("command must not be empty".to_owned()));
        }
        let mut job = Job::new(bench.tree, ["bash", "-c", &self.command]);
        let asked = self.timeout_seconds.unwrap_or(DEFAULT_SECONDS).clamp(1, MAX_SECONDS);
        let left = bench.until.map(|until| until.saturating_duration_since(Instant::now()));
        job.limits.output_bytes = MAX_OUTPUT_BYTES;
        job.limits.wall = Duration::from_secs(asked).min(left.unwrap_or(Duration::MAX).max(LEAST));
        let ran = bench.sandbox.run(&job, bench.cancel).await;
        if let Ok(output) = &ran {
            meter::command(output);
        }
        match ran {
            Ok(output) => match output.ended_by {
                None => Ok(capture_text(&output, bench.tree)),
                Some(limit) => Err(ToolError::Tell(format!(
                    "{}\n{}",
                    ended(limit, &output),
                    capture_text(&output, bench.tree)
                ))),
            },
            Err(error @ (Error::BadJob(_) | Error::Program { .. })) => {
                Err(ToolError::Tell(error.to_string()))
            }
            Err(error) => Err(ToolError::Abort(error)),
        }
    }
}

fn ended(limit: Limit, output: &Output) -> String {
    let after = output.wall.as_secs_f64();
    match limit {
        Limit::Cancelled => format!("the command was ended after {after:.1} s: the run was told to stop it"),
        _ => format!("the command was ended after {after:.1} s: it reached its limit of {limit}"),
    }
}

/// What a command printed, as people and models read it. Paths below the working directory are relative to it: where a
/// worker keeps the tree is no part of the task, and differs from run to run.
#[must_use]
pub fn capture_text(output: &Output, tree: &Path) -> String {
    let mut text = format!("exit code: {}\n", output.code());
    for (name, stream) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let parts = match stream.truncated {
            // The line in their midst may be cut out of an excerpt.
            true => format!(", first and last part of {} bytes", stream.total_bytes),
            false => String::new(),
        };
        if stream.total_bytes > 0 {
            let printed = stream.text();
            let printed = relative(printed.trim_end_matches('\n'), tree);
            text.push_str(&format!("--- {name}{parts} ---\n{printed}\n"));
        }
    }
    text
}

/// The text with `.` in place of the tree's own path.
fn relative<'a>(text: &'a str, tree: &Path) -> Cow<'a, str> {
    let Some(tree) = tree.to_str().filter(|tree| tree.len() > 1 && text.contains(tree)) else {
        return Cow::Borrowed(text);
    };
    let mut pieces = text.split(tree);
    let mut short = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        // A longer name that begins alike is another directory.
        let goes_on = piece.starts_with(|next: char| next.is_alphanumeric() || "-_".contains(next));
        short.push_str(if goes_on { tree } else { "." });
        short.push_str(piece);
    }
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_tree_are_relative_to_it() {
        let tree = Path::new("/data/tasks/one");
        for (printed, read) in [
            ("File \"/data/tasks/one/a.py\", line 1", "File \"./a.py\", line 1"),
            ("/data/tasks/one\n/data/tasks/one:", ".\n.:"),
            ("/data/tasks/one-more /data/tasks/one2", "/data/tasks/one-more /data/tasks/one2"),
            ("/data/tasks", "/data/tasks"),
        ] {
            assert_eq!(relative(printed, tree), read);
        }
        assert_eq!(relative("/", Path::new("/")), "/");
    }
}
