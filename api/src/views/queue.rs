//! Pauses and limits as they are shown.

use chrono::{DateTime, Utc};
use hive_domain::PauseMode;
use hive_store::{Pause, TaskLimit};
use serde::Serialize;
use utoipa::ToSchema;

use super::names;

/// A pause that holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pause)]
pub struct PauseView {
    /// `fleet`, `lane`, `agent` or `session`.
    scope: String,
    /// Which one; empty for the fleet.
    name: String,
    /// What it does to tasks that run.
    #[schema(schema_with = names::pause_mode)]
    mode: PauseMode,
    /// Why.
    reason: String,
    /// Ends by itself then.
    until: Option<DateTime<Utc>>,
    /// Who paused.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
}

impl From<Pause> for PauseView {
    fn from(pause: Pause) -> Self {
        Self {
            scope: pause.scope.kind,
            name: pause.scope.name,
            mode: pause.mode,
            reason: pause.reason,
            until: pause.until,
            created_by: pause.created_by,
            created_at: pause.created_at,
        }
    }
}

/// The limits of a concurrency key or an agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskLimit)]
pub struct TaskLimitView {
    /// `key` or `agent`.
    kind: String,
    /// The key, or the agent's id.
    name: String,
    /// Tasks of the key that may run at a time.
    max_running: Option<i32>,
    /// Tasks that may start in a time.
    rate: Option<RateView>,
    /// When they were last changed.
    updated_at: DateTime<Utc>,
}

/// A number of starts in a sliding time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rate)]
struct RateView {
    /// Starts.
    max_starts: i32,
    /// Seconds of the window.
    per_seconds: i32,
}

impl From<TaskLimit> for TaskLimitView {
    fn from(limit: TaskLimit) -> Self {
        let rate =
            limit.rate.map(|rate| RateView { max_starts: rate.max_starts, per_seconds: rate.per_seconds });
        Self {
            kind: limit.kind,
            name: limit.name,
            max_running: limit.max_running,
            rate,
            updated_at: limit.updated_at,
        }
    }
}
