//! What an agent can do. Each tool is one file: its input type, from which its schema is derived, and its deed.

mod ask_agent;
mod edit_file;
mod finish;
mod list_files;
mod notify_person;
mod read_file;
mod recall;
mod remember;
mod search_text;
mod send_message;
mod shell;
mod wait;
mod write_file;

use std::{path::Path, time::Duration};

use chrono::{DateTime, Utc};
use hive_domain::{ContextId, MemoryScope, MessageId, ToolName};
use hive_sandbox::{AccessError, Beneath, Sandbox};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::Instant;
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
    /// When the task's time is up: no command runs longer.
    pub until: Option<Instant>,
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

/// A typed input, and what the model is told about it.
trait Input: DeserializeOwned + JsonSchema + Send {
    const DESCRIPTION: &'static str;
}

/// A deed in the workspace.
trait Tool: Input {
    fn call(self, bench: Bench<'_>) -> impl Future<Output = Result<String, ToolError>> + Send;
}

/// What the model is told about a tool.
///
/// # Errors
/// When the derived schema has no JSON form, which cannot happen for these types.
pub fn definition(tool: ToolName) -> serde_json::Result<hive_claude::Tool> {
    let (description, schema) = match tool {
        ToolName::ListFiles => describe::<list_files::ListFiles>(),
        ToolName::ReadFile => describe::<read_file::ReadFile>(),
        ToolName::SearchText => describe::<search_text::SearchText>(),
        ToolName::WriteFile => describe::<write_file::WriteFile>(),
        ToolName::EditFile => describe::<edit_file::EditFile>(),
        ToolName::Shell => describe::<shell::Shell>(),
        ToolName::Wait => describe::<wait::Wait>(),
        ToolName::SendMessage => describe::<send_message::SendMessage>(),
        ToolName::AskAgent => describe::<ask_agent::AskAgent>(),
        ToolName::Remember => describe::<remember::Remember>(),
        ToolName::Recall => describe::<recall::Recall>(),
        ToolName::NotifyPerson => describe::<notify_person::NotifyPerson>(),
        ToolName::Finish => describe::<finish::Finish>(),
    }?;
    Ok(hive_claude::Tool::custom(tool.as_str(), description, schema))
}

/// Does what a tool of the workspace does. For [`ToolName::Finish`] the text is the summary.
///
/// # Errors
/// [`ToolError::Tell`] for everything the model can mend, an input that does not fit the schema included.
pub async fn call(tool: ToolName, input: &RawValue, bench: Bench<'_>) -> Result<String, ToolError> {
    match tool {
        ToolName::ListFiles => parse::<list_files::ListFiles>(input)?.call(bench).await,
        ToolName::ReadFile => parse::<read_file::ReadFile>(input)?.call(bench).await,
        ToolName::SearchText => parse::<search_text::SearchText>(input)?.call(bench).await,
        ToolName::WriteFile => parse::<write_file::WriteFile>(input)?.call(bench).await,
        ToolName::EditFile => parse::<edit_file::EditFile>(input)?.call(bench).await,
        ToolName::Shell => parse::<shell::Shell>(input)?.call(bench).await,
        ToolName::Finish => parse::<finish::Finish>(input)?.call(bench).await,
        ToolName::Wait
        | ToolName::SendMessage
        | ToolName::AskAgent
        | ToolName::Remember
        | ToolName::Recall
        | ToolName::NotifyPerson => Err(ToolError::Tell(format!("{tool} does nothing in the workspace"))),
    }
}

/// When a call of `wait` goes on.
///
/// # Errors
/// [`ToolError::Tell`] for a time out of bounds, or an input that does not fit.
pub fn wake_at(input: &RawValue, now: DateTime<Utc>) -> Result<DateTime<Utc>, ToolError> {
    parse::<wait::Wait>(input)?.wake_at(now)
}

/// What a call says to another agent.
#[derive(Debug)]
pub struct Words {
    /// The name or the id of the agent; none in a reply to whoever wrote.
    pub to: Option<String>,
    /// What it reads.
    pub text: String,
    /// The message that it replies to.
    pub reply_to: Option<MessageId>,
    /// How long an answer is waited for.
    pub within: Option<Duration>,
}

/// What a call of `send_message` or `ask_agent` says.
///
/// # Errors
/// [`ToolError::Tell`] for an input that does not fit.
pub fn words(tool: ToolName, input: &RawValue) -> Result<Words, ToolError> {
    match tool {
        ToolName::AskAgent => parse::<ask_agent::AskAgent>(input)?.words(),
        _ => parse::<send_message::SendMessage>(input)?.words(),
    }
}

/// What a call of `remember` says.
#[derive(Debug)]
pub struct Note {
    /// What is to be remembered; nothing of it was recalled.
    pub text: String,
    /// What it is about; may be empty.
    pub title: String,
    /// Who may recall it.
    pub scope: MemoryScope,
    /// What kind of thing it is.
    pub kind: &'static str,
    /// What it takes the place of.
    pub replaces: Option<ContextId>,
}

/// What a call of `remember` says.
///
/// # Errors
/// [`ToolError::Tell`] for a text that is empty, too long or only recalled, or an input that does not fit.
pub fn note(input: &RawValue) -> Result<Note, ToolError> {
    parse::<remember::Remember>(input)?.note()
}

/// What a call of `recall` looks for.
#[derive(Debug)]
pub struct Sought {
    /// In words.
    pub query: String,
    /// How many entries at most.
    pub most: usize,
    /// What held then; now, unless named.
    pub as_of: Option<DateTime<Utc>>,
}

/// What a call of `recall` looks for.
///
/// # Errors
/// [`ToolError::Tell`] for a query that is empty or too long, or an input that does not fit.
pub fn sought(input: &RawValue) -> Result<Sought, ToolError> {
    parse::<recall::Recall>(input)?.sought()
}

/// What a call of `notify_person` says.
///
/// # Errors
/// [`ToolError::Tell`] for a text that is empty or too long, or an input that does not fit.
pub fn notification(input: &RawValue) -> Result<String, ToolError> {
    parse::<notify_person::NotifyPerson>(input)?.text()
}

fn describe<T: Input>() -> serde_json::Result<(&'static str, Box<RawValue>)> {
    let mut schema = schemars::schema_for!(T);
    // The dialect's address says nothing to the model and costs tokens in every request.
    schema.remove("$schema");
    schema.remove("title");
    schema.remove("description");
    Ok((T::DESCRIPTION, serde_json::value::to_raw_value(&schema)?))
}

fn parse<T: Input>(input: &RawValue) -> Result<T, ToolError> {
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
