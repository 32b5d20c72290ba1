//! One thing done to many tasks: accepted at once, carried out in slices of one transaction each.
//!
//! The tasks that fit are written down when the action is accepted, so that it means the same however long it takes.
//! Whoever works on a slice holds the action's row locked; when it dies the lock goes with its connection, and the next
//! one takes the same slice again. A slice that fails is smaller the next time, and comes later and later, so that the
//! actions behind it pass; after a bounded number of failures in a row the action has failed.

mod slice;

use chrono::{DateTime, Utc};
use hive_domain::{ActionId, ActionKind, ActionStatus, Priority};
pub use slice::{MOST_FAILURES, Slice};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{TaskFilter, filter::with_filter};
use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
};

/// An action to be accepted.
#[derive(Clone, Debug)]
pub struct NewBulkAction {
    /// What is done to each task.
    pub kind: ActionKind,
    /// To which tasks.
    pub filter: TaskFilter,
    /// The filter as it was sent, to be shown.
    pub shown: serde_json::Value,
    /// The new priority; given exactly when the kind is to reprioritise.
    pub priority: Option<Priority>,
    /// Who asked.
    pub created_by: String,
}

/// An action and how far it is.
#[derive(Clone, Debug)]
pub struct BulkAction {
    /// Its id.
    pub id: ActionId,
    /// What is done to each task.
    pub kind: ActionKind,
    /// The filter as it was sent.
    pub filter: serde_json::Value,
    /// The new priority.
    pub priority: Option<Priority>,
    /// How far it is.
    pub status: ActionStatus,
    /// Tasks that fitted the filter when it was accepted.
    pub matched: i64,
    /// Of those, acted on so far.
    pub done: i64,
    /// Of those, left alone so far: their state did not allow it.
    pub skipped: i64,
    /// Cancelled besides, since they belong to a task that was.
    pub cascaded: i64,
    /// Slices in a row that failed.
    pub failures: i32,
    /// What the last of them met.
    pub error: Option<String>,
    /// Who asked.
    pub created_by: String,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When the last of its tasks was done, or when it failed.
    pub finished_at: Option<DateTime<Utc>>,
}

struct Row {
    id: Uuid,
    kind: String,
    filter: serde_json::Value,
    priority: Option<i16>,
    status: String,
    matched: i64,
    done: i64,
    skipped: i64,
    cascaded: i64,
    failures: i32,
    error: Option<String>,
    created_by: String,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for BulkAction {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        let bad = |column| move |e| Error::inconsistent("task_actions", column, id, e);
        Ok(Self {
            id: id.into(),
            kind: row.kind.parse().map_err(bad("kind"))?,
            filter: row.filter,
            priority: priority(id, row.priority)?,
            status: row.status.parse().map_err(bad("status"))?,
            matched: row.matched,
            done: row.done,
            skipped: row.skipped,
            cascaded: row.cascaded,
            failures: row.failures,
            error: row.error,
            created_by: row.created_by,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

fn priority(action: Uuid, stored: Option<i16>) -> Result<Option<Priority>> {
    let known = |priority: i16| Priority::try_from(i64::from(priority));
    stored.map(known).transpose().map_err(|e| Error::inconsistent("task_actions", "priority", action, e))
}

impl Once {
    /// Accepts an action and writes down its tasks.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn begin_bulk_action(&mut self, new: &NewBulkAction) -> Result<BulkAction> {
        let id = ActionId::new();
        let connection = self.connection()?;
        sqlx::query!(
            "INSERT INTO task_actions (id, kind, filter, priority, matched, created_by, status)
             VALUES ($1, $2::text::task_action_kind, $3, $4, 0, $5, 'working')",
            id.uuid(),
            new.kind.as_str(),
            new.shown,
            new.priority.map(Priority::get),
            new.created_by,
        )
        .execute(&mut *connection)
        .await?;
        let matched = match_tasks(connection, &new.filter, Some(id)).await?;
        sqlx::query_as!(
            Row,
            r#"UPDATE task_actions
               SET matched = $2, status = CASE WHEN $2::bigint = 0 THEN 'done'::task_action_status ELSE 'working' END,
                   finished_at = CASE WHEN $2 = 0 THEN now() END
               WHERE id = $1
               RETURNING id, kind::text AS "kind!", filter, priority, status::text AS "status!", matched, done, skipped,
                         cascaded, failures, error, created_by, created_at, finished_at"#,
            id.uuid(),
            matched,
        )
        .fetch_one(connection)
        .await?
        .try_into()
    }
}

macro_rules! query_scalar {
    ($first:literal $($part:literal)*, $($argument:expr),*) => {
        sqlx::query_scalar!($first $(+ $part)*, $($argument),*)
    };
}

/// Counts the tasks that fit, and writes them down for an action when there is one.
async fn match_tasks(
    connection: &mut PgConnection,
    filter: &TaskFilter,
    action: Option<ActionId>,
) -> Result<i64> {
    // A large table takes longer to look through than a statement of every day may.
    sqlx::query!("SELECT set_config('statement_timeout', '25000', true)").fetch_one(&mut *connection).await?;
    let matched = with_filter!(
        query_scalar,
        ("WITH fitting AS (SELECT t.id FROM tasks t WHERE"),
        r#"), item AS (
               INSERT INTO task_action_items (action_id, task_id)
               SELECT $14, id FROM fitting WHERE $14::uuid IS NOT NULL
           )
           SELECT count(*) AS "count!" FROM fitting"#,
        filter,
        action.map(ActionId::uuid),
    )
    .fetch_one(connection)
    .await?;
    Ok(matched)
}

impl Store {
    /// How many tasks fit a filter now.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn count_tasks(&self, filter: &TaskFilter) -> Result<i64> {
        let mut tx = self.pool.begin().await?;
        let matched = match_tasks(&mut tx, filter, None).await?;
        tx.commit().await?;
        Ok(matched)
    }

    /// One action.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn bulk_action(&self, id: ActionId) -> Result<BulkAction> {
        sqlx::query_as!(
            Row,
            r#"SELECT id, kind::text AS "kind!", filter, priority, status::text AS "status!", matched, done, skipped,
                      cascaded, failures, error, created_by, created_at, finished_at
               FROM task_actions WHERE id = $1"#,
            id.uuid(),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| Error::NotFound { what: "action", id: id.to_string() })?
        .try_into()
    }
}
