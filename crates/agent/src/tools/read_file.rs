use std::fmt::Write;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bench, Input, Tool, ToolError, read_text};

const DEFAULT_LINES: usize = 400;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadFile {
    /// Relative to the working directory.
    path: String,
    /// The first line to show, from 1.
    #[serde(default)]
    offset: Option<usize>,
    /// How many lines to show; 400 when left out.
    #[serde(default)]
    limit: Option<usize>,
}

impl Input for ReadFile {
    const DESCRIPTION: &'static str = "Show the lines of a text file, each after its number and a tab.";
}

impl Tool for ReadFile {
    async fn call(self, bench: Bench<'_>) -> Result<String, ToolError> {
        let text = read_text(bench, &self.path).await?;
        let total = text.lines().count();
        let first = self.offset.unwrap_or(1).max(1);
        if total == 0 {
            return Ok(format!("{} is empty", self.path));
        }
        if first > total {
            return Err(ToolError::Tell(format!(
                "{} has {total} lines; offset {first} lies beyond",
                self.path
            )));
        }
        let limit = self.limit.unwrap_or(DEFAULT_LINES).max(1);
        let mut shown = String::new();
        for (index, line) in text.lines().enumerate().skip(first - 1).take(limit) {
            // Writing to a string cannot fail.
            let _ = writeln!(shown, "{:>5}\t{line}", index + 1);
        }
        let last = total.min(first - 1 + limit);
        if last < total {
            let _ = write!(shown, "[lines {first} to {last} of {total}; go on with offset {}]", last + 1);
        }
        Ok(shown)
    }
}
