//! Requests that can wait for half the price: queued here, sent together as batches of the provider, booked from their
//! results. `queue` takes them in, `begin` reserves their money and notes a batch before it is created, `course` follows
//! it, `record` books what came, `list` shows.

mod begin;
mod course;
mod lease;
mod list;
mod night_money;
pub(crate) mod queue;
mod record;

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, BatchRequestState, NanoUsd, ProjectId, SessionId, TaskId, Usage};
use uuid::Uuid;

pub use begin::{QueuedRequest, Waiting};
pub use course::{BatchEnd, OpenBatch};
pub use list::{BatchCensus, ListedBatch};
pub use night_money::NIGHT_IS_SPENT;
pub use record::{BatchResult, BatchVerdict};

/// Batches that a request is sent in at most.
pub const MOST_TRIES: i16 = 4;

/// A request that can wait.
#[derive(Clone, Debug)]
pub struct NewBatchRequest {
    /// Chosen by who asks, so that the same one offered again is there once.
    pub id: Uuid,
    /// What it is for, in a few words.
    pub purpose: String,
    /// The model's id; classes are not resolved here.
    pub model: String,
    /// The body of a message without `stream`, sent byte for byte.
    pub body: String,
    /// The project that it is charged to; the task's, the agent's or the session's unless named.
    pub project: Option<ProjectId>,
    /// The task that it is charged to.
    pub task: Option<TaskId>,
    /// The agent that it is charged to; the task's unless named.
    pub agent: Option<AgentId>,
    /// The session that it is charged to; the task's unless named.
    pub session: Option<SessionId>,
}

/// A request with what came of it.
#[derive(Clone, Debug)]
pub struct BatchAnswer {
    /// Its id.
    pub id: Uuid,
    /// Where it stands.
    pub state: BatchRequestState,
    /// Batches that it was sent in.
    pub tries: i16,
    /// The message as it came, when it succeeded.
    pub result: Option<String>,
    /// What went wrong with the last try.
    pub error: Option<String>,
    /// What all its tries used and cost.
    pub usage: Usage,
    /// What tries of unknown outcome cost at most, besides.
    pub unknown_cost: NanoUsd,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When it came to its end.
    pub completed_at: Option<DateTime<Utc>>,
}
