use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bench, Input, Tool, ToolError, beneath, read_text};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EditFile {
    /// Relative to the working directory.
    path: String,
    /// The exact text to be replaced, without line numbers. It must occur once, unless replace_all is true.
    old_text: String,
    /// The text in its place.
    new_text: String,
    /// Replace every occurrence.
    #[serde(default)]
    replace_all: bool,
}

impl Input for EditFile {
    const DESCRIPTION: &'static str = "Replace a piece of text in a file.";
}

impl Tool for EditFile {
    async fn call(self, bench: Bench<'_>) -> Result<String, ToolError> {
        if self.old_text.is_empty() {
            return Err(ToolError::Tell(
                "old_text must not be empty; use write_file for a new file".to_owned(),
            ));
        }
        if self.old_text == self.new_text {
            return Err(ToolError::Tell("old_text and new_text are the same".to_owned()));
        }
        let text = read_text(bench, &self.path).await?;
        let found = text.matches(&self.old_text).count();
        let edited = match (found, self.replace_all) {
            (0, _) => {
                return Err(ToolError::Tell(format!(
                    "old_text does not occur in {}; read the file and copy the text exactly",
                    self.path
                )));
            }
            (1, _) | (_, true) => text.replace(&self.old_text, &self.new_text),
            (_, false) => {
                return Err(ToolError::Tell(format!(
                    "old_text occurs {found} times in {}; give more of the text around it, or set replace_all",
                    self.path
                )));
            }
        };
        let path = PathBuf::from(&self.path);
        beneath(bench, move |tree| tree.write(&path, edited.as_bytes())).await?;
        Ok(format!("replaced {found} occurrence{} in {}", if found == 1 { "" } else { "s" }, self.path))
    }
}
