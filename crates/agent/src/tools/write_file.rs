use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bench, Input, Tool, ToolError, beneath};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteFile {
    /// Relative to the working directory; missing directories are made.
    path: String,
    /// The whole new content.
    content: String,
}

impl Input for WriteFile {
    const DESCRIPTION: &'static str = "Write a whole file, new or in place of the old one.";
}

impl Tool for WriteFile {
    async fn call(self, bench: Bench<'_>) -> Result<String, ToolError> {
        let (path, bytes) = (PathBuf::from(&self.path), self.content.len());
        beneath(bench, move |tree| tree.write(&path, self.content.as_bytes())).await?;
        Ok(format!("wrote {bytes} bytes to {}", self.path))
    }
}
