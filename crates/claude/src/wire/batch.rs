//! Message Batches: requests that are sent together, and the lines of their results.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::message::{Envelope, Message};
use super::usage::Usage;
use crate::assemble;
use crate::error::{ApiError, ErrorBody};
use crate::head::Head;

/// One request of a batch.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BatchRequest<'a> {
    /// By which its result is known: 1 to 64 of `a-z`, `A-Z`, `0-9`, `_` and `-`, once in a batch.
    pub custom_id: &'a str,
    /// The body of a message, [`crate::Request::batch_body`]; written byte for byte.
    pub params: &'a RawValue,
}

/// A batch as the service describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Batch {
    /// The service's id.
    pub id: String,
    /// How far it is.
    pub processing_status: BatchStatus,
    /// Its requests by what became of them; all of them `processing` until the end.
    pub request_counts: BatchCounts,
    /// When it was created, by the service's clock.
    pub created_at: DateTime<Utc>,
    /// When what was not done by then expires.
    pub expires_at: DateTime<Utc>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<DateTime<Utc>>,
    /// When its results were given up.
    #[serde(default)]
    pub archived_at: Option<DateTime<Utc>>,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// Its requests are worked on.
    InProgress,
    /// It was cancelled, and what is being worked on is still done.
    Canceling,
    /// Its results are there.
    Ended,
    /// A word that this crate does not know; not the end.
    #[serde(other)]
    Unknown,
}

/// Requests of a batch by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are the service's own")]
pub struct BatchCounts {
    pub processing: u64,
    pub succeeded: u64,
    pub errored: u64,
    pub canceled: u64,
    pub expired: u64,
}

impl BatchCounts {
    /// How many requests the batch was made of.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.processing, self.succeeded, self.errored, self.canceled, self.expired]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// A part of the list of batches, the newest first.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchPage {
    /// The batches.
    pub data: Vec<Batch>,
    /// Whether there are older ones.
    #[serde(default)]
    pub has_more: bool,
    /// Behind which they come.
    #[serde(default)]
    pub last_id: Option<String>,
}

/// One line of the results.
#[derive(Debug)]
pub struct BatchResult {
    /// Whose it is.
    pub custom_id: String,
    /// What came.
    pub outcome: BatchOutcome,
}

/// What became of one request of a batch.
#[derive(Debug)]
pub enum BatchOutcome {
    /// A reply, charged at the price of batches.
    Succeeded(Box<BatchReply>),
    /// An error, which is not charged. Pass it to [`crate::verdict`].
    Errored(Box<ApiError>),
    /// The batch was cancelled before its turn.
    Canceled,
    /// The batch expired before its turn.
    Expired,
    /// Something that this crate cannot read, and that may have been charged.
    Unreadable(String),
}

/// The reply to one request of a batch.
#[derive(Clone, Debug)]
pub struct BatchReply {
    /// The typed view.
    pub message: Message,
    /// The content as a JSON array, as `Reply::content_json`.
    pub content_json: String,
    /// The tokens of the request.
    pub usage: Usage,
    /// The message as it came; [`BatchReply::read`] reads it again.
    pub json: String,
}

impl BatchReply {
    /// Reads a message that was kept as it came.
    ///
    /// # Errors
    /// A sentence that says why it is none.
    pub fn read(json: &str) -> Result<Self, String> {
        let envelope: Envelope = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let (message, content_json, usage) = assemble::whole(envelope)?;
        Ok(Self { message, content_json, usage, json: json.to_owned() })
    }
}

#[derive(Deserialize)]
struct Line {
    custom_id: String,
    result: Fields,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    message: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Box<RawValue>>,
}

impl BatchResult {
    /// Reads one line. What cannot be read behind a readable id is an outcome.
    pub(crate) fn read(line: &[u8], head: &Head) -> Result<Self, serde_json::Error> {
        let Line { custom_id, result } = serde_json::from_slice(line)?;
        let outcome = match (result.kind.as_str(), &result.message, &result.error) {
            ("succeeded", Some(message), _) => match BatchReply::read(message.get()) {
                Ok(reply) => BatchOutcome::Succeeded(Box::new(reply)),
                Err(why) => BatchOutcome::Unreadable(format!("the reply cannot be read: {why}")),
            },
            ("errored", _, Some(error)) => match serde_json::from_str::<ErrorBody>(error.get()) {
                Ok(body) => BatchOutcome::Errored(Box::new(head.error(body, None))),
                Err(why) => BatchOutcome::Unreadable(format!("the error cannot be read: {why}")),
            },
            ("canceled", ..) => BatchOutcome::Canceled,
            ("expired", ..) => BatchOutcome::Expired,
            (kind, ..) => BatchOutcome::Unreadable(format!("a result of type {kind:?} cannot be read")),
        };
        Ok(Self { custom_id, outcome })
    }
}
