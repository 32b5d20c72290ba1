use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bench, Input, Tool, ToolError};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Finish {
    /// What you changed and how you know that it works; or why the task cannot be done.
    summary: String,
}

impl Input for Finish {
    const DESCRIPTION: &'static str =
        "Say that you are done. The harness then runs the acceptance commands itself and decides.";
}

impl Tool for Finish {
    async fn call(self, _bench: Bench<'_>) -> Result<String, ToolError> {
        let summary = self.summary.trim();
        if summary.is_empty() {
            return Err(ToolError::Tell("summary must not be empty".to_owned()));
        }
        Ok(summary.to_owned())
    }
}
