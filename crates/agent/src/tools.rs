//! What an agent can do. Each tool is one file: its input type, from which its schema is derived, and its deed.

mod edit_file;
mod finish;
mod list_files;
mod read_file;
mod search_text;
mod shell;
mod write_file;

use std::{fmt, path::Path, str::FromStr};

use hive_sandbox::{AccessError, Beneath, Sandbox};
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

pub use shell::capture_text;

/// What tools work on.
#[derive(Clone, Copy, Debug)]
pub struct Bench<'a> {
    /// The files of the task.
    pub tree: &'a Path,
    /// Where commands run.
    pub sandbox: &'a Sandbox,
    /// Ends a running command.
    pub cancel: &'a CancellationToken,
}

/// Who reads the error of a tool.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The model: it reads the text and goes on.
    #[error("{0}")]
    Tell(String),
    /// The operator: the run ends.
    #[error("a tool could not run")]
    Abort(#[source] hive_sandbox::Error),
}

impl From<AccessError> for ToolError {
    fn from(error: AccessError) -> Self {
        Self::Tell(error.to_string())
    }
}

/// A deed with a typed input.
trait Tool: DeserializeOwned + JsonSchema + Send {
    const DESCRIPTION: &'static str;

    fn call(self, bench: Bench<'_>) -> impl Future<Output = Result<String, ToolError>> + Send;
}

/// Every tool there is. Stored in agent definitions and sent to the model, so the names are written by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolName {
    /// Names of files.
    ListFiles,
    /// Text of a file.
    ReadFile,
    /// Lines that match a pattern.
    SearchText,
    /// A whole file.
    WriteFile,
    /// A place in a file.
    EditFile,
    /// A command in the sandbox.
    Shell,
    /// The end.
    Finish,
}

impl ToolName {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ListFiles,
        Self::ReadFile,
        Self::SearchText,
        Self::WriteFile,
        Self::EditFile,
        Self::Shell,
        Self::Finish,
    ];

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ListFiles => "list_files",
            Self::ReadFile => "read_file",
            Self::SearchText => "search_text",
            Self::WriteFile => "write_file",
            Self::EditFile => "edit_file",
            Self::Shell => "shell",
            Self::Finish => "finish",
        }
    }

    /// What the model is told about it.
    ///
    /// # Errors
    /// When the derived schema has no JSON form, which cannot happen for these types.
    pub fn definition(self) -> serde_json::Result<hive_claude::Tool> {
        let (description, schema) = match self {
            Self::ListFiles => describe::<list_files::ListFiles>(),
            Self::ReadFile => describe::<read_file::ReadFile>(),
            Self::SearchText => describe::<search_text::SearchText>(),
            Self::WriteFile => describe::<write_file::WriteFile>(),
            Self::EditFile => describe::<edit_file::EditFile>(),
            Self::Shell => describe::<shell::Shell>(),
            Self::Finish => describe::<finish::Finish>(),
        }?;
        Ok(hive_claude::Tool::custom(self.as_str(), description, schema))
    }

    /// Does it. For [`ToolName::Finish`] the text is the summary.
    ///
    /// # Errors
    /// [`ToolError::Tell`] for everything the model can mend, an input that does not fit the schema included.
    pub async fn call(self, input: &RawValue, bench: Bench<'_>) -> Result<String, ToolError> {
        match self {
            Self::ListFiles => parse::<list_files::ListFiles>(input)?.call(bench).await,
            Self::ReadFile => parse::<read_file::ReadFile>(input)?.call(bench).await,
            Self::SearchText => parse::<search_text::SearchText>(input)?.call(bench).await,
            Self::WriteFile => parse::<write_file::WriteFile>(input)?.call(bench).await,
            Self::EditFile => parse::<edit_file::EditFile>(input)?.call(bench).await,
            Self::Shell => parse::<shell::Shell>(input)?.call(bench).await,
            Self::Finish => parse::<finish::Finish>(input)?.call(bench).await,
        }
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ToolName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|tool| tool.as_str() == name)
            .ok_or_else(|| format!("there is no tool {name:?}"))
    }
}

fn describe<T: Tool>() -> serde_json::Result<(&'static str, Box<RawValue>)> {
    let mut schema = schemars::schema_for!(T);
    // The dialect's address says nothing to the model and costs tokens in every request.
    schema.remove("$schema");
    schema.remove("title");
    schema.remove("description");
    Ok((T::DESCRIPTION, serde_json::value::to_raw_value(&schema)?))
}

fn parse<T: Tool>(input: &RawValue) -> Result<T, ToolError> {
    serde_json::from_str(input.get())
        .map_err(|error| ToolError::Tell(format!("the input does not fit: {error}")))
}

/// Runs a blocking deed on the files.
async fn beneath<T: Send + 'static>(
    bench: Bench<'_>,
    deed: impl FnOnce(&Beneath) -> Result<T, AccessError> + Send + 'static,
) -> Result<T, ToolError> {
    let tree = bench.tree.to_owned();
    let done = tokio::task::spawn_blocking(move || deed(&Beneath::open(&tree)?)).await;
    match done {
        Ok(outcome) => Ok(outcome?),
        Err(panic) => Err(ToolError::Tell(format!("the file could not be handled: {panic}"))),
    }
}

/// Reads a whole text file.
async fn read_text(bench: Bench<'_>, path: &str) -> Result<String, ToolError> {
    /// The largest file that is read or edited as a whole.
    const MAX_BYTES: u64 = 8 << 20;
    let owned = path.to_owned();
    let bytes = beneath(bench, move |tree| tree.read(Path::new(&owned), MAX_BYTES)).await?;
    String::from_utf8(bytes).map_err(|_| ToolError::Tell(format!("{path} is not a text file (not UTF-8)")))
}
