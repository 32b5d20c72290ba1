use std::path::{Path, PathBuf};

use globset::{Glob, GlobMatcher};
use hive_sandbox::{AccessError, Beneath, Kind};
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bench, Input, Tool, ToolError, beneath};

const MAX_MATCHES: usize = 200;
const MAX_FILES: usize = 20_000;
const MAX_FILE_BYTES: u64 = 1 << 20;
const MAX_TOTAL_BYTES: u64 = 64 << 20;
const MAX_LINE_CHARS: usize = 300;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchText {
    /// A regular expression, matched against each line.
    pattern: String,
    /// A directory relative to the working directory; everything when left out.
    #[serde(default)]
    path: Option<String>,
    /// Only files whose path or name matches, for example `*.py` or `src/**/*.rs`.
    #[serde(default)]
    glob: Option<String>,
}

impl Input for SearchText {
    const DESCRIPTION: &'static str = "Find lines by a regular expression. Shows path, line number and line.";
}

impl Tool for SearchText {
    async fn call(self, bench: Bench<'_>) -> Result<String, ToolError> {
        let tell = |what: &str, error: String| ToolError::Tell(format!("{what} cannot be read: {error}"));
        let pattern = RegexBuilder::new(&self.pattern)
            .size_limit(1 << 20)
            .build()
            .map_err(|error| tell("pattern", error.to_string()))?;
        let glob = self.glob.as_deref().map(|glob| Glob::new(glob).map(|glob| glob.compile_matcher()));
        let glob = glob.transpose().map_err(|error| tell("glob", error.to_string()))?;
        let path = PathBuf::from(self.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("."));
        let found = beneath(bench, move |tree| search(tree, &path, &pattern, glob.as_ref())).await?;
        Ok(if found.is_empty() { "no matches".to_owned() } else { found.join("\n") })
    }
}

fn search(
    tree: &Beneath,
    path: &Path,
    pattern: &Regex,
    glob: Option<&GlobMatcher>,
) -> Result<Vec<String>, AccessError> {
    let listing = tree.list(path, usize::MAX, MAX_FILES)?;
    let wanted = |path: &Path| {
        glob.is_none_or(|glob| {
            glob.is_match(path) || path.file_name().is_some_and(|name| glob.is_match(name))
        })
    };
    let mut found = Vec::new();
    let mut total = 0;
    for entry in &listing.entries {
        if entry.kind != Kind::File || entry.size > MAX_FILE_BYTES || !wanted(&entry.path) {
            continue;
        }
        total += entry.size;
        if total > MAX_TOTAL_BYTES {
            found.push("[stopped after 64 MiB; search in a directory further down]".to_owned());
            break;
        }
        // A file that vanished or is not text has no lines to match.
        let Ok(bytes) = tree.read(&entry.path, MAX_FILE_BYTES) else {
            continue;
        };
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        for (index, line) in text.lines().enumerate().filter(|(_, line)| pattern.is_match(line)) {
            if found.len() == MAX_MATCHES {
                found.push(format!("[more than {MAX_MATCHES} matches; narrow the pattern]"));
                return Ok(found);
            }
            let line: String = line.chars().take(MAX_LINE_CHARS).collect();
            found.push(format!("{}:{}: {line}", entry.path.display(), index + 1));
        }
    }
    Ok(found)
}
