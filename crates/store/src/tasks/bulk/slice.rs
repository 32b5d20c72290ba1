//! One slice of an action: its tasks are acted on in one transaction, or the failure is counted.

use std::time::Duration;

use hive_domain::{ActionId, ActionKind};
use sqlx::PgConnection;
use tokio::time::timeout;
use uuid::Uuid;

use super::priority;
use crate::{
    error::{Error, Result},
    pool::Store,
    tasks::{cancel::cancel_all, changed::Changed, redrive, reprioritise::reprioritise_all},
    text::storable,
};

/// Tasks of one slice: some tenths of a second of work, for which their rows are locked. After each failure a
/// quarter of it, so that in the end one task alone is tried.
const SLICE: i64 = 2_000;
/// Failures in a row that end an action. With the waits between them some two minutes.
pub const MOST_FAILURES: i32 = 8;
/// The wait after the first failure, in seconds; twice as long after each further one.
const FIRST_WAIT: f64 = 1.0;
/// No wait is longer, in seconds.
const LONGEST_WAIT: f64 = 60.0;
/// A slice that takes longer has failed. Shorter than a scheduler's pass, which would end without a word.
const WITHIN: Duration = Duration::from_secs(3);

/// What one slice did.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The action it belongs to.
    pub action: ActionId,
    /// Tasks that changed or were made, to be told to workers and watchers.
    pub changed: Vec<Changed>,
}

/// What a slice needs of its action.
struct Action {
    id: Uuid,
    kind: String,
    priority: Option<i16>,
    created_by: String,
    failures: i32,
}

impl Store {
    /// Works on the next slice of the oldest action that nobody works on and that does not wait after a failure; `None`
    /// when there is none.
    ///
    /// # Errors
    /// When Postgres refuses. The slice is as it was, the failure is counted, and the next call goes on with another
    /// action, should there be one; see [`MOST_FAILURES`].
    pub async fn work_on_bulk_actions(&self) -> Result<Option<Slice>> {
        let mut tx = self.pool.begin().await?;
        // First of all: what waits for a lock or hangs must not outlast the pass in which it is counted, nor may whoever is
        // frozen keep the rows of a slice for longer.
        sqlx::query!(
            "SELECT set_config('lock_timeout', '1000', true) AS lock,
                    set_config('statement_timeout', '2500', true) AS statement,
                    set_config('idle_in_transaction_session_timeout', '3000', true) AS idle"
        )
        .fetch_one(&mut *tx)
        .await?;
        let action = sqlx::query_as!(
            Action,
            r#"SELECT id, kind::text AS "kind!", priority, created_by, failures FROM task_actions
               WHERE status = 'working' AND retry_at <= now() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"#,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(action) = action else { return Ok(None) };
        let error = match timeout(WITHIN, work(&mut tx, &action)).await {
            Ok(Ok(changed)) => {
                tx.commit().await?;
                return Ok(Some(Slice { action: action.id.into(), changed }));
            }
            Ok(Err(error)) => error,
            Err(_) => Error::passing(),
        };
        drop(tx);
        self.count_failure(&action, &error).await?;
        Err(error)
    }

    async fn count_failure(&self, action: &Action, error: &Error) -> Result<()> {
        let text = sentence(error);
        tracing::warn!(
            action.id = %action.id,
            failures = action.failures + 1,
            "A slice of action {} failed: {text}",
            action.id
        );
        sqlx::query!(
            "UPDATE task_actions
             SET failures = failures + 1, error = $3,
                 retry_at = now() + make_interval(secs => least($5 * power(2, failures), $6)),
                 status = CASE WHEN failures + 1 < $4 THEN status ELSE 'failed' END,
                 finished_at = CASE WHEN failures + 1 < $4 THEN NULL ELSE now() END
             WHERE id = $1 AND status = 'working' AND failures = $2",
            action.id,
            action.failures,
            &*storable(&text),
            MOST_FAILURES,
            FIRST_WAIT,
            LONGEST_WAIT,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Takes the next tasks of an action, acts on them and counts them.
async fn work(connection: &mut PgConnection, action: &Action) -> Result<Vec<Changed>> {
    let kind: ActionKind =
        action.kind.parse().map_err(|e| Error::inconsistent("task_actions", "kind", action.id, e))?;
    // Up to the last of the slice, and not those of a list: what the planner believes of a table that is filled and emptied
    // made it compare each row with each.
    let mut ids = sqlx::query_scalar!(
        "DELETE FROM task_action_items
         WHERE action_id = $1
           AND task_id <= (SELECT task_id FROM (SELECT task_id FROM task_action_items WHERE action_id = $1
                                                ORDER BY task_id LIMIT $2) AS slice
                           ORDER BY task_id DESC LIMIT 1)
         RETURNING task_id",
        action.id,
        SLICE >> (2 * action.failures).clamp(0, 10),
    )
    .fetch_all(&mut *connection)
    .await?;
    ids.sort_unstable();
    let (changed, done, cascaded) = match (kind, priority(action.id, action.priority)?) {
        (ActionKind::Cancel, _) => {
            let changed = cancel_all(connection, &ids, &action.created_by).await?;
            let (own, others): (Vec<Uuid>, Vec<Uuid>) = changed
                .iter()
                .map(|changed| changed.task.uuid())
                .partition(|id| ids.binary_search(id).is_ok());
            // Those that are still to come were meant as well.
            let early = sqlx::query_scalar!(
                "DELETE FROM task_action_items WHERE action_id = $1 AND task_id = ANY ($2) RETURNING task_id",
                action.id,
                &others,
            )
            .fetch_all(&mut *connection)
            .await?;
            ids.extend(&early);
            (changed, own.len() + early.len(), others.len() - early.len())
        }
        (ActionKind::Reprioritise, Some(priority)) => {
            let changed = reprioritise_all(connection, &ids, priority, &action.created_by).await?;
            let done = changed.len();
            (changed, done, 0)
        }
        (ActionKind::Reprioritise, None) => {
            return Err(Error::inconsistent("task_actions", "priority", action.id, "none is given"));
        }
        (ActionKind::Redrive, _) => {
            // What these wait for comes with them, however late in the list: else they would wait for what has failed.
            ids.extend(take_awaited(connection, action.id, &ids).await?);
            let made = redrive::redrive_all(connection, &ids, &action.created_by).await?;
            let done = made.len();
            (made, done, 0)
        }
    };
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    sqlx::query!(
        "UPDATE task_actions
         SET done = done + $2, skipped = skipped + $3, cascaded = cascaded + $4, failures = 0, error = NULL,
             status = CASE WHEN rest THEN 'working'::task_action_status ELSE 'done' END,
             finished_at = CASE WHEN NOT rest THEN now() END
         FROM (SELECT EXISTS (SELECT 1 FROM task_action_items WHERE action_id = $1) AS rest) AS items
         WHERE id = $1 AND status = 'working'",
        action.id,
        count(done),
        count(ids.len() - done),
        count(cascaded),
    )
    .execute(connection)
    .await?;
    Ok(changed)
}

/// Takes out of the list what these wait for, or what became of that, over any number of tasks.
async fn take_awaited(connection: &mut PgConnection, action: Uuid, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    let taken = sqlx::query_scalar!(
        "WITH RECURSIVE awaited (id) AS (
             SELECT depends_on FROM task_dependencies WHERE task_id = ANY ($2)
             UNION
             SELECT further.id
             FROM awaited CROSS JOIN LATERAL (
                 SELECT d.depends_on AS id FROM task_dependencies d WHERE d.task_id = awaited.id
                 UNION ALL
                 SELECT r.id FROM tasks r WHERE r.redriven_from = awaited.id) AS further
         )
         DELETE FROM task_action_items i USING awaited
         WHERE i.action_id = $1 AND i.task_id = awaited.id RETURNING i.task_id",
        action,
        ids,
    );
    Ok(taken.fetch_all(connection).await?)
}

/// The innermost cause says it best: what Postgres refused.
fn sentence(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().chars().take(500).collect()
}
