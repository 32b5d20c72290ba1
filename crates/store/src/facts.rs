//! What surrounds a task, for the answer to why it stands where it stands.

use hive_domain::{
    Budget, NanoUsd, StatusReason, TaskId, why,
    why::{CoveringPause, CoveringSleep, Facts, ProviderFact, ProviderFactKind},
};

use crate::{
    budgets::BudgetRow,
    error::{Error, Result},
    lease::LEASE_SECONDS,
    pool::Store,
};

/// Tasks that are named at most.
const NAMED: i64 = 10;
/// Tasks that are counted at most.
const COUNTED: i64 = 1_000;

impl Store {
    /// A task, and why it stands where it stands.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`].
    pub async fn why(&self, id: TaskId) -> Result<(hive_domain::task::Task, why::Why)> {
        let task = self.task(id).await?;
        let mut facts = self.facts(id).await?;
        if matches!(task.reason, Some(StatusReason::RateLimited | StatusReason::ProviderUnavailable)) {
            facts.provider = self.provider_facts().await?;
        }
        let why = why::why(&task, &facts);
        Ok((task, why))
    }

    async fn provider_facts(&self) -> Result<Vec<ProviderFact>> {
        let state = self.provider(None).await?;
        let stopped = state.stopped.into_iter().map(|stop| ProviderFact {
            kind: ProviderFactKind::KeyStopped,
            of: stop.key,
            until: stop.probe_at,
            detail: stop.detail,
        });
        let models = state.models.into_iter().flat_map(|model| {
            let held = model.hold_until.filter(|_| !model.held_for.is_zero()).map(|until| ProviderFact {
                kind: ProviderFactKind::Held,
                of: model.model.clone(),
                until,
                detail: String::new(),
            });
            let open = model.open.map(|open| ProviderFact {
                kind: ProviderFactKind::BreakerOpen,
                of: model.model,
                until: open.probe_at,
                detail: open.detail,
            });
            held.into_iter().chain(open)
        });
        Ok(stopped.chain(models).collect())
    }

    async fn facts(&self, id: TaskId) -> Result<Facts> {
        let row = sqlx::query!(
            r#"SELECT p.scope AS "scope?", p.name AS "name?", p.reason AS "reason?", p.until, p.created_by AS "paused_by?",
                      (SELECT count(*) FROM (
                           SELECT 1 FROM tasks o
                           WHERE (o.status = 'ready') IS TRUE AND o.isolated = t.isolated
                             AND (o.priority, o.run_at, o.id) < (t.priority, t.run_at, t.id)
                           LIMIT $2) AS ahead) AS "ahead!",
                      w.ordinary AS "workers!", w.slots AS "slots!", w.isolated AS "isolated!",
                      ARRAY(SELECT d.depends_on FROM task_dependencies d JOIN tasks o ON o.id = d.depends_on
                            WHERE d.task_id = t.id AND o.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')
                            ORDER BY 1 LIMIT $3) AS "open!",
                      ARRAY(SELECT o.id FROM tasks o
                            WHERE o.concurrency_key = t.concurrency_key AND o.status IN ('ready', 'running')
                              AND o.id <> t.id
                            ORDER BY 1 LIMIT $3) AS "holders!",
                      coalesce((SELECT l.max_running FROM task_limits l
                                WHERE l.kind = 'key' AND l.name = t.concurrency_key), 1) AS "key_limit!",
                      s.state::text AS sleep_state, s.trigger::text AS sleep_trigger, s.wake_by AS "wake_by?",
                      a.name AS "agent_name?",
                      t.worker, extract(epoch FROM t.lease_until - now())::float8 AS lease_seconds,
                      extract(epoch FROM now() - t.run_at)::float8 AS "late_seconds!"
               FROM tasks t
               LEFT JOIN agents a ON a.id = t.assigned_agent_id
               LEFT JOIN sleeps s ON s.agent_id = t.assigned_agent_id AND s.state <> 'awake'
               CROSS JOIN (SELECT count(*) FILTER (WHERE NOT isolated) AS ordinary,
                                  coalesce(sum(slots) FILTER (WHERE NOT isolated), 0)::bigint AS slots,
                                  count(*) FILTER (WHERE isolated) AS isolated
                           FROM workers WHERE seen_at > now() - make_interval(secs => $4) AND NOT draining) AS w
               LEFT JOIN LATERAL (
                   SELECT * FROM pauses
                   WHERE (until IS NULL OR until > now())
                     AND (scope = 'fleet' OR scope = 'lane' AND name = lane_of(t.priority)
                          OR scope = 'agent' AND name = t.assigned_agent_id::text
                          OR scope = 'session' AND name = t.session_id::text)
                   ORDER BY until DESC NULLS FIRST, created_at LIMIT 1) AS p ON true
               WHERE t.id = $1"#,
            id.uuid(),
            COUNTED,
            NAMED,
            LEASE_SECONDS,
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else {
            return Ok(Facts::default());
        };
        let (budget, budget_need) = self.budget_of(id).await?;
        Ok(Facts {
            pause: match (row.scope, row.name, row.reason, row.paused_by) {
                (Some(scope), Some(name), Some(reason), Some(created_by)) => {
                    Some(CoveringPause { scope, name, reason, until: row.until, created_by })
                }
                _ => None,
            },
            sleep: match (row.agent_name, row.sleep_state, row.sleep_trigger, row.wake_by) {
                (Some(agent), Some(state), Some(trigger), Some(wake_by)) => {
                    let state = state.parse().map_err(|e| Error::inconsistent("sleeps", "state", id, e))?;
                    let trigger =
                        trigger.parse().map_err(|e| Error::inconsistent("sleeps", "trigger", id, e))?;
                    Some(CoveringSleep { agent, state, trigger, wake_by })
                }
                _ => None,
            },
            ahead: row.ahead,
            workers: row.workers,
            slots: row.slots,
            isolated_workers: row.isolated,
            open_dependencies: row.open.into_iter().map(Into::into).collect(),
            key_holders: row.holders.into_iter().map(Into::into).collect(),
            key_limit: row.key_limit.into(),
            budget,
            budget_need,
            provider: Vec::new(),
            worker: row.worker,
            lease_seconds: row.lease_seconds,
            late_seconds: row.late_seconds,
        })
    }

    /// The budget that a task waits for, and what its next call may cost.
    async fn budget_of(&self, id: TaskId) -> Result<(Option<Budget>, NanoUsd)> {
        let row = sqlx::query_as!(
            BudgetRow,
            r#"SELECT b.id, b.scope, b.target, b.period, b.cap_nano_usd, b.reserved_nano_usd,
                      CASE WHEN b.period = 'day' AND b.day < (now() AT TIME ZONE 'UTC')::date THEN 0
                           ELSE b.spent_nano_usd END AS "spent_nano_usd!",
                      greatest(b.day, (now() AT TIME ZONE 'UTC')::date) AS "day!"
               FROM tasks t JOIN budgets b ON b.id = t.budget_id WHERE t.id = $1"#,
            id.uuid(),
        );
        let budget = row.fetch_optional(&self.pool).await?.map(BudgetRow::budget).transpose()?;
        let need = sqlx::query_scalar!("SELECT budget_need FROM tasks WHERE id = $1", id.uuid());
        let need = need.fetch_optional(&self.pool).await?.flatten().unwrap_or_default();
        Ok((budget, NanoUsd(need)))
    }
}
