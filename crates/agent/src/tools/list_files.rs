use std::path::PathBuf;

use hive_sandbox::Kind;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bench, Input, Tool, ToolError, beneath};

const MAX_ENTRIES: usize = 500;
const MAX_DEPTH: usize = 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListFiles {
    /// A directory relative to the working directory; the working directory itself when left out.
    #[serde(default)]
    path: Option<String>,
    /// How many levels of directories to go down, 1 to 10; 3 when left out.
    #[serde(default)]
    depth: Option<usize>,
}

impl Input for ListFiles {
    const DESCRIPTION: &'static str = "List files and directories. Directories end with a slash.";
}

impl Tool for ListFiles {
    async fn call(self, bench: Bench<'_>) -> Result<String, ToolError> {
        let path = PathBuf::from(self.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("."));
        let depth = self.depth.unwrap_or(3).clamp(1, MAX_DEPTH);
        let listing = beneath(bench, move |tree| tree.list(&path, depth, MAX_ENTRIES)).await?;
        if listing.entries.is_empty() {
            return Ok("no files".to_owned());
        }
        let mut lines: Vec<String> = listing
            .entries
            .iter()
            .map(|entry| match entry.kind {
                Kind::Directory => format!("{}/", entry.path.display()),
                Kind::Link => format!("{} (link)", entry.path.display()),
                Kind::File | Kind::Other => entry.path.display().to_string(),
            })
            .collect();
        lines.sort();
        if listing.truncated {
            lines.push(format!("[more than {MAX_ENTRIES} entries; list a directory further down]"));
        }
        Ok(lines.join("\n"))
    }
}
