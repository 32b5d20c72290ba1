//! The weeks of the journal: made ahead, dropped when all their tasks have ended long ago.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Done, Order};
use crate::{error::Result, pool::Store};

/// How often a change of the tables is tried when they are busy, and the pause in between.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(250);
/// Outputs of tools that one statement removes at most.
const PORTION: i64 = 1_000;

struct Week {
    monday: DateTime<Utc>,
    name: String,
    held: i64,
    rows: i64,
    bytes: i64,
}

/// A change of the tables, for the week that begins then.
#[derive(Clone, Copy)]
enum Change {
    Make(DateTime<Utc>),
    /// Gives the bytes that it freed; nothing when the week is still in use.
    Drop(DateTime<Utc>),
}

impl Store {
    /// Makes this week and four to come, and the weeks of rows that lie in the nets.
    pub(super) async fn make_weeks(&self, dry_run: bool) -> Result<Done> {
        let missing: Vec<DateTime<Utc>> = sqlx::query_scalar!(
            r#"SELECT DISTINCT week AS "week!"
               FROM (SELECT date_trunc('week', now() + n * interval '168 hours', 'UTC') AS week
                     FROM generate_series(0, 4) AS n
                     UNION ALL
                     SELECT date_trunc('week', time_of_id(task_id), 'UTC')
                     FROM (SELECT task_id FROM steps_default UNION SELECT task_id FROM events_default
                           UNION SELECT task_id FROM llm_calls_default) AS unplaced
                     WHERE task_id >= first_id_of('2020-01-01Z')
                       AND task_id < first_id_of(now() + interval '5 weeks')) AS weeks
               WHERE NOT EXISTS (SELECT 1 FROM journal_weeks WHERE monday = week)
               ORDER BY 1"#,
        )
        .fetch_all(&self.pool)
        .await?;
        if !dry_run {
            for week in &missing {
                self.patiently(Change::Make(*week)).await?;
            }
        }
        let unplaced = self.unplaced().await?;
        Ok(Done { report: json!({ "weeks": missing, "unplaced_rows": unplaced }), ..Done::default() })
    }

    /// Drops weeks that lie wholly before the retention and whose tasks have all ended before it.
    pub(super) async fn drop_weeks(&self, order: &Order, keep_days: i32) -> Result<Done> {
        let weeks = sqlx::query_as!(
            Week,
            r#"SELECT w.monday, w.name,
                      (SELECT count(*) FROM tasks t
                       WHERE t.id >= w.first_id AND t.id < w.past_id
                         AND (t.completed_at IS NULL OR t.completed_at > now() - make_interval(days => $1))) AS "held!",
                      -- As many as the planner believes: counting them would take longer than dropping them.
                      (SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c
                       WHERE c.oid IN (to_regclass('steps_' || w.name), to_regclass('events_' || w.name),
                                       to_regclass('llm_calls_' || w.name))) AS "rows!",
                      (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
                       WHERE c.oid IN (to_regclass('steps_' || w.name), to_regclass('events_' || w.name),
                                       to_regclass('llm_calls_' || w.name))) AS "bytes!"
               FROM journal_weeks w
               WHERE w.dropped_at IS NULL AND w.monday + interval '168 hours' <= now() - make_interval(days => $1)
               ORDER BY w.monday"#,
            keep_days,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut done = Done::default();
        let (mut dropped, mut held) = (Vec::new(), Vec::new());
        for week in weeks {
            let freed = match (week.held, order.dry_run) {
                (0, true) => Some(week.bytes),
                (0, false) => self.drop_week(&week, &mut done).await?,
                _ => None,
            };
            match freed {
                Some(bytes) => {
                    done.removed_rows += week.rows;
                    done.removed_bytes += bytes;
                    dropped.push(json!({ "week": week.name, "rows": week.rows, "bytes": bytes }));
                }
                None => held.push(json!({ "week": week.name, "tasks": week.held })),
            }
        }
        let unplaced = self.unplaced().await?;
        done.report = json!({ "dropped": dropped, "held": held, "unplaced_rows": unplaced });
        Ok(done)
    }

    async fn drop_week(&self, week: &Week, done: &mut Done) -> Result<Option<i64>> {
        let dropped = self.patiently(Change::Drop(week.monday)).await?;
        if dropped.is_some() {
            done.removed_rows += self.forget_outputs(week.monday).await?;
        }
        Ok(dropped)
    }

    /// Removes the outputs of tools of a week that is gone: no step names them any more. The diff of a result stays.
    async fn forget_outputs(&self, monday: DateTime<Utc>) -> Result<i64> {
        let mut sum = 0;
        loop {
            let gone = sqlx::query!(
                "DELETE FROM task_artifacts a
                 USING (SELECT a.task_id, a.name FROM task_artifacts a
                        JOIN journal_weeks w ON w.monday = $1 AND a.task_id >= w.first_id AND a.task_id < w.past_id
                        WHERE a.name LIKE 'step-%' LIMIT $2) AS old
                 WHERE a.task_id = old.task_id AND a.name = old.name",
                monday,
                PORTION,
            )
            .execute(&self.pool)
            .await?
            .rows_affected() as i64;
            sum += gone;
            if gone < PORTION {
                return Ok(sum);
            }
        }
    }

    /// Rows whose task's id belongs to no week: none, unless a host's clock is far off.
    async fn unplaced(&self) -> Result<i64> {
        let unplaced = sqlx::query_scalar!(
            r#"SELECT (SELECT count(*) FROM steps_default) + (SELECT count(*) FROM events_default)
                      + (SELECT count(*) FROM llm_calls_default) AS "unplaced!""#,
        );
        Ok(unplaced.fetch_one(&self.pool).await?)
    }

    /// Changes tables that everybody uses. Whoever waits for such a lock stops all who come after, so it is waited for
    /// briefly and often.
    async fn patiently(&self, change: Change) -> Result<Option<i64>> {
        for _ in 1..TRIES {
            match self.change_tables(change).await {
                Err(error) if error.is_unavailable() => tokio::time::sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
        self.change_tables(change).await
    }

    async fn change_tables(&self, change: Change) -> Result<Option<i64>> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "SELECT set_config('lock_timeout', '400', true) AS lock,
                    set_config('statement_timeout', '30000', true) AS statement,
                    -- Everybody waits for a table that is being changed.
                    set_config('idle_in_transaction_session_timeout', '2000', true) AS idle"
        )
        .fetch_one(&mut *tx)
        .await?;
        let bytes = match change {
            Change::Make(week) => {
                sqlx::query_scalar!("SELECT make_journal_week($1)", week).fetch_one(&mut *tx).await?;
                None
            }
            Change::Drop(week) => {
                sqlx::query_scalar!("SELECT drop_journal_week($1)", week).fetch_one(&mut *tx).await?
            }
        };
        tx.commit().await?;
        Ok(bytes)
    }

    /// Whether the journal of a task was dropped: it had steps and has none.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn is_journal_pruned(&self, task: hive_domain::TaskId) -> Result<bool> {
        is_journal_pruned(&mut *self.pool.acquire().await?, task).await
    }
}

/// The same in a transaction.
pub(crate) async fn is_journal_pruned(
    connection: &mut sqlx::PgConnection,
    task: hive_domain::TaskId,
) -> Result<bool> {
    let pruned = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM tasks
                          WHERE id = $1 AND event_seq > 0
                            AND NOT EXISTS (SELECT 1 FROM events WHERE task_id = $1)) AS "pruned!""#,
        task.uuid(),
    );
    Ok(pruned.fetch_one(connection).await?)
}
