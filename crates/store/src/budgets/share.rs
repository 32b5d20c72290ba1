//! A task's own limit on money becomes a budget when the task gets its first child: from then on others spend of it
//! too. A task without children has no such row, and its calls cost no further statement; when the task and all below it
//! have ended, the row goes again.

use hive_domain::{BudgetPeriod, BudgetScope, NanoUsd, TaskId};
use uuid::Uuid;

use super::BudgetKey;
use crate::{error::Result, pool::Store};

/// Who set a budget that came of a limit.
pub(super) const ACTOR: &str = "limits";

/// Budgets that one look for ended ones takes.
const SLICE: i64 = 100;

/// Seconds that a budget rests before it may go: a child that was just announced is accepted meanwhile.
const RESTS: f64 = 60.0;

impl Store {
    /// Makes a budget of the own limit of each of these tasks that has one and no budget yet. Called before children are
    /// accepted; a budget without children changes nothing.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn share_limits(&self, parents: &[TaskId]) -> Result<()> {
        if parents.is_empty() {
            return Ok(());
        }
        let parents: Vec<Uuid> = parents.iter().map(|id| id.uuid()).collect();
        // One that rests must not go while the child is on its way.
        sqlx::query!(
            "WITH held AS (
                 SELECT id FROM budgets WHERE target = ANY ($1) AND created_by = $2 AND updated_at < now() - interval '10 s'
                 ORDER BY id FOR NO KEY UPDATE
             )
             UPDATE budgets b SET updated_at = now() FROM held WHERE b.id = held.id",
            &parents,
            ACTOR,
        )
        .execute(&self.pool)
        .await?;
        let unshared = sqlx::query!(
            r#"SELECT t.id, least((t.limits ->> 'max_cost_usd')::numeric,
                                  (v.limits ->> 'max_cost_usd')::numeric)::float8 AS cap
               FROM tasks t
               LEFT JOIN agents a ON a.id = t.assigned_agent_id
               LEFT JOIN agent_versions v ON v.agent_id = a.id AND v.version = coalesce(t.agent_version, a.version)
               WHERE t.id = ANY ($1)
                 AND NOT EXISTS (SELECT 1 FROM budgets b WHERE b.target = t.id AND b.period = 'total')"#,
            &parents,
        );
        for row in unshared.fetch_all(&self.pool).await? {
            if let Some(cap) = row.cap.and_then(NanoUsd::from_usd) {
                let key = BudgetKey { scope: BudgetScope::Task, target: row.id, period: BudgetPeriod::Total };
                self.begin_budget(key, cap, ACTOR).await?;
            }
        }
        Ok(())
    }

    /// Removes budgets that came of limits and whose tasks, with all that came of them, have ended, among the next few after `after` by their ids;
    /// what waits for one goes on at the next pass of a scheduler. Returns how many went, and after which one to look
    /// next: nil at the end of the list.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn drop_ended_shares(&self, after: Uuid) -> Result<(i64, Uuid)> {
        let row = sqlx::query!(
            r#"WITH looked AS (
                   SELECT id, target FROM budgets WHERE created_by = $1 AND id > $2 ORDER BY id LIMIT $3
               ), held AS (
                   SELECT b.id FROM budgets b JOIN looked l ON l.id = b.id
                   WHERE b.created_by = $1 AND b.updated_at < now() - make_interval(secs => $4)
                     AND NOT EXISTS (SELECT 1 FROM tasks t
                                     WHERE t.id = l.target
                                       AND t.status NOT IN ('succeeded', 'failed', 'dead', 'cancelled'))
                     AND b.reserved_nano_usd = 0
                     -- Children, retries and forks spend of it, and theirs do.
                     AND NOT EXISTS (
                         WITH RECURSIVE tree AS (
                             SELECT l.target AS id
                             UNION
                             SELECT came.id
                             FROM tree CROSS JOIN LATERAL (
                                 SELECT t.id FROM tasks t WHERE t.parent_id = tree.id
                                 UNION ALL SELECT t.id FROM tasks t WHERE t.redriven_from = tree.id
                                 UNION ALL SELECT t.id FROM tasks t WHERE t.forked_from = tree.id) AS came
                         )
                         SELECT 1 FROM tree JOIN tasks t ON t.id = tree.id
                         WHERE t.status NOT IN ('succeeded', 'failed', 'dead', 'cancelled'))
                   ORDER BY b.id FOR UPDATE OF b SKIP LOCKED
               ), gone AS (
                   DELETE FROM budgets b USING held WHERE b.id = held.id RETURNING b.id
               )
               SELECT (SELECT count(*) FROM gone) AS "gone!", (SELECT count(*) FROM looked) AS "looked!",
                      (SELECT id FROM looked ORDER BY id DESC LIMIT 1) AS last"#,
            ACTOR,
            after,
            SLICE,
            RESTS,
        );
        let row = row.fetch_one(&self.pool).await?;
        let more = row.last.filter(|_| row.looked == SLICE);
        Ok((row.gone, more.unwrap_or_default()))
    }
}
