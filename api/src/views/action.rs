//! An action on many tasks as it is shown.

use chrono::{DateTime, Utc};
use hive_domain::{ActionKind, ActionStatus, Priority};
use hive_store::BulkAction;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something done to many tasks, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Action)]
pub struct ActionView {
    /// Its id; null for a dry run.
    id: Option<Uuid>,
    /// What is done to each task.
    #[schema(value_type = String)]
    action: ActionKind,
    /// The filter as it was sent.
    #[schema(value_type = Object)]
    filter: Value,
    /// The new priority, if it is about that.
    priority: Option<i16>,
    /// True when tasks were only counted.
    dry_run: bool,
    /// `working` until each task was acted on or skipped, then `done`. `failed` when it kept failing; the tasks that it did
    /// not come to are as they were.
    #[schema(value_type = String)]
    status: ActionStatus,
    /// Tasks that fitted when it was accepted.
    matched: i64,
    /// Of those, acted on so far.
    done: i64,
    /// Of those, left alone so far, since their state did not allow it.
    skipped: i64,
    /// Cancelled besides, since they belong to a task that was.
    cascaded: i64,
    /// How often in a row it failed; it is tried again, later each time, until it has failed 8 times.
    failures: i32,
    /// What it met the last time.
    error: Option<String>,
    /// Who asked.
    created_by: String,
    /// When it was accepted; null for a dry run.
    created_at: Option<DateTime<Utc>>,
    /// When the last task was done, or when it failed.
    finished_at: Option<DateTime<Utc>>,
}

impl From<BulkAction> for ActionView {
    fn from(action: BulkAction) -> Self {
        Self {
            id: Some(action.id.uuid()),
            action: action.kind,
            filter: action.filter,
            priority: action.priority.map(Priority::get),
            dry_run: false,
            status: action.status,
            matched: action.matched,
            done: action.done,
            skipped: action.skipped,
            cascaded: action.cascaded,
            failures: action.failures,
            error: action.error,
            created_by: action.created_by,
            created_at: Some(action.created_at),
            finished_at: action.finished_at,
        }
    }
}

impl ActionView {
    /// What an action would be about, without doing it.
    pub fn counted(
        action: ActionKind,
        filter: Value,
        priority: Option<Priority>,
        matched: i64,
        actor: &str,
    ) -> Self {
        Self {
            id: None,
            action,
            filter,
            priority: priority.map(Priority::get),
            dry_run: true,
            status: ActionStatus::Done,
            matched,
            done: 0,
            skipped: 0,
            cascaded: 0,
            failures: 0,
            error: None,
            created_by: actor.to_owned(),
            created_at: None,
            finished_at: None,
        }
    }
}
