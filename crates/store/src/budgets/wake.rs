//! Resuming tasks that wait for a budget, as many as have room: after a raise, a removal, a new day, or calls that cost
//! less than was reserved for them.

use hive_domain::{TaskId, event::EventKind};

use crate::{dependents::BATCH, error::Result, pool::Store};

impl Store {
    /// Makes tasks ready in the order of their turn while what their next calls may cost fits into what their budget has
    /// left. One whose call is larger than the whole rest holds up nobody behind it.
    pub(crate) async fn wake_funded(&self) -> Result<Vec<TaskId>> {
        let ids = sqlx::query_scalar!(
            r#"WITH RECURSIVE awaited AS (
                   -- The budgets that somebody waits for, one after the other along the index.
                   (SELECT budget_id FROM tasks
                    WHERE status = 'waiting' AND status_reason = 'budget' AND budget_id IS NOT NULL
                    ORDER BY budget_id LIMIT 1)
                   UNION ALL
                   SELECT (SELECT t.budget_id FROM tasks t
                           WHERE t.status = 'waiting' AND t.status_reason = 'budget' AND t.budget_id > a.budget_id
                           ORDER BY t.budget_id LIMIT 1)
                   FROM awaited a WHERE a.budget_id IS NOT NULL
               ), fund AS (
                   SELECT a.budget_id, b.id IS NULL AS removed, b.raised_at, b.cap_nano_usd, s.spent, b.reserved_nano_usd,
                          b.cap_nano_usd - s.spent - waits.held AS most, b.cap_nano_usd - s.spent - b.reserved_nano_usd AS room
                   FROM awaited a LEFT JOIN budgets b ON b.id = a.budget_id
                   CROSS JOIN LATERAL (
                       SELECT CASE WHEN b.period = 'day' AND b.day < (now() AT TIME ZONE 'UTC')::date THEN 0
                                   ELSE b.spent_nano_usd END AS spent) AS s
                   -- What batches hold may take a day to come back: nobody waits in the line for it.
                   CROSS JOIN LATERAL (
                       SELECT coalesce(sum(c.reserved_nano_usd), 0)::bigint AS held FROM batch_calls c
                       WHERE c.state = 'intent' AND a.budget_id = ANY (c.budgets)) AS waits
                   WHERE a.budget_id IS NOT NULL
               ), line AS (
                   SELECT t.id, coalesce(f.raised_at > t.updated_at, false) AS raised, f.budget_id, f.cap_nano_usd, f.spent,
                          f.reserved_nano_usd
                   FROM fund f CROSS JOIN LATERAL (
                       SELECT first.id, first.updated_at, sum(first.budget_need) OVER (ORDER BY first.nth) AS upto
                       FROM (SELECT w.id, w.updated_at, w.budget_need, row_number() OVER (ORDER BY w.priority, w.id) AS nth
                             FROM tasks w
                             WHERE w.status = 'waiting' AND w.status_reason = 'budget' AND w.budget_id = f.budget_id
                               AND (f.removed OR w.budget_need <= f.most)
                             ORDER BY w.priority, w.id LIMIT $1) AS first) AS t
                   WHERE f.removed OR t.upto <= f.room
                   LIMIT $1
               ), held AS (
                   SELECT line.* FROM tasks JOIN line ON line.id = tasks.id
                   WHERE tasks.status = 'waiting' AND tasks.status_reason = 'budget' AND tasks.budget_id = line.budget_id
                   ORDER BY tasks.id FOR NO KEY UPDATE OF tasks SKIP LOCKED
               ), task AS (
                   UPDATE tasks t
                   SET status = CASE WHEN concurrency_key IS NULL THEN 'ready'::task_status ELSE 'pending' END,
                       status_reason = CASE WHEN concurrency_key IS NULL THEN NULL
                                            ELSE 'concurrency'::status_reason END,
                       status_detail = NULL, run_at = now(), announced_at = NULL,
                       event_seq = event_seq + CASE WHEN raised THEN 2 ELSE 1 END, updated_at = now()
                   FROM held WHERE t.id = held.id
                   RETURNING t.id, t.event_seq, t.status, held.raised, held.budget_id, held.cap_nano_usd, held.spent,
                             held.reserved_nano_usd
               ), event AS (
                   INSERT INTO events (task_id, seq, kind, data)
                   SELECT id, event_seq - 1, $4,
                          jsonb_build_object('budget', budget_id, 'cap_nano_usd', cap_nano_usd, 'spent_nano_usd', spent,
                                             'reserved_nano_usd', reserved_nano_usd)
                   FROM task WHERE raised
                   UNION ALL
                   SELECT id, event_seq, CASE WHEN status = 'ready' THEN $2 ELSE $3 END,
                          jsonb_build_object('budget', budget_id)
                   FROM task
               )
               SELECT id AS "id!" FROM task"#,
            BATCH,
            EventKind::Ready.as_str(),
            EventKind::Waiting.as_str(),
            EventKind::BudgetRaised.as_str(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }
}
