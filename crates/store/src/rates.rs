//! The gate of a rate: how many tasks of a key or an agent start in a time. The last starts lie in the limit's row, so
//! that the window slides and no window of its length holds more.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hive_domain::{Lease, StatusReason, TaskId, event::EventKind, task::Task};

use crate::{
    claim::{Claimant, claim_tasks, lease},
    error::Result,
    group::answered,
    lease::LEASE_SECONDS,
    pool::Store,
    tasks::select_tasks,
};
use hive_domain::journal::FORMAT;

/// Parked tasks that are looked at to find the next one's place in line.
pub(crate) const LINE: i64 = 10_000;
/// Tasks with a rate that are tried, or parked, by one who has no ticket of any.
const TRIED: i64 = 16;

/// How the detail of a task begins that waits for a start of this limit.
pub(crate) fn parked_by(kind: &str, name: &str) -> String {
    format!("{kind} {name} may start ")
}

/// One limit that the task has to pass.
struct Gate {
    kind: String,
    name: String,
    max_starts: i32,
    per_seconds: i32,
    starts: Vec<DateTime<Utc>>,
    now: DateTime<Utc>,
}

impl Gate {
    /// How long until a start is free for whoever stands behind `ahead` others; zero when one is free now.
    fn wait(&self, ahead: usize) -> Duration {
        let most = usize::try_from(self.max_starts).unwrap_or(1);
        let window = TimeDelta::seconds(self.per_seconds.into());
        let last = &self.starts[self.starts.len().saturating_sub(most)..];
        let open = most - last.len();
        let Some(ahead) = ahead.checked_sub(open) else {
            return Duration::ZERO;
        };
        let rounds = i32::try_from(ahead / most).unwrap_or(i32::MAX);
        let Some(start) = last.get(ahead % most) else {
            // Fewer starts than the limit has: the line's later rounds follow a window after now.
            return (window * rounds.saturating_add(1)).to_std().unwrap_or(Duration::ZERO);
        };
        (*start + window * rounds.saturating_add(1) - self.now).to_std().unwrap_or(Duration::ZERO)
    }

    /// The first start that nobody in the line is parked for, which is given in order. Who comes first goes to its
    /// end; who woke a little before its start was free, since others started late, takes that start, and not one behind
    /// all who came later.
    fn place(&self, line: &[DateTime<Utc>]) -> DateTime<Utc> {
        let start = |place| self.now + TimeDelta::from_std(self.wait(place)).unwrap_or_default();
        let mut starts = (0..line.len()).map(|place| (place, start(place)));
        let free = starts.find(|(place, at)| line.partition_point(|parked| parked <= at) <= *place);
        free.map_or_else(|| start(line.len()), |(_, at)| at)
    }
}

impl Store {
    /// Takes the lease of a ready task with a rate, whoever holds its ticket, the most urgent first: the way to work on
    /// those while Redis is away. What its rate holds back is parked until its turn.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn claim_next_rated(&self, claimant: &Claimant) -> Result<Option<Lease<Task>>> {
        let ready = sqlx::query!(
            "SELECT t.id, t.epoch FROM tasks t CROSS JOIN open_pauses p
             WHERE EXISTS (SELECT 1 FROM task_limits l WHERE l.max_starts IS NOT NULL) AND NOT p.fleet
               AND (t.status = 'ready') IS TRUE AND t.isolated = $1 AND (t.deadline IS NULL OR t.deadline > now())
               AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id, t.session_id)
               AND EXISTS (SELECT 1 FROM task_limits l
                           WHERE l.max_starts IS NOT NULL
                             AND (l.kind = 'agent' AND l.name = t.assigned_agent_id::text
                                  OR l.kind = 'key' AND l.name = t.concurrency_key))
             ORDER BY t.priority, t.run_at, t.id LIMIT $2",
            claimant.isolated,
            TRIED,
        );
        for row in answered(async { Ok(ready.fetch_all(&self.pool).await?) }).await? {
            let claimed = answered(self.claim_rated(row.id.into(), row.epoch, claimant)).await?;
            if claimed.is_some() {
                return Ok(claimed);
            }
        }
        Ok(None)
    }

    /// Claims a ready task that has a rate, or parks it until the rate allows a start. `None`: parked, or stale.
    pub(crate) async fn claim_rated(
        &self,
        task: TaskId,
        epoch: i64,
        claimant: &Claimant,
    ) -> Result<Option<Lease<Task>>> {
        let mut tx = self.pool.begin().await?;
        let limited = sqlx::query!(
            "SELECT 1 AS one FROM tasks t
             JOIN task_limits l ON l.kind = 'agent' AND l.name = t.assigned_agent_id::text
                                OR l.kind = 'key' AND l.name = t.concurrency_key
             WHERE t.id = $1 AND t.epoch = $2 AND t.status = 'ready' AND t.isolated = $3 AND l.max_starts IS NOT NULL
             ORDER BY l.kind, l.name FOR UPDATE OF l",
            task.uuid(),
            epoch,
            claimant.isolated,
        );
        if limited.fetch_all(&mut *tx).await?.is_empty() {
            return Ok(None);
        }
        // A statement of its own: it sees the starts and the line as they are once the limits are locked.
        let gates = sqlx::query_as!(
            Gate,
            r#"SELECT l.kind, l.name, l.max_starts AS "max_starts!", l.per_seconds AS "per_seconds!", l.starts,
                      clock_timestamp() AS "now!"
               FROM tasks t
               JOIN task_limits l ON l.kind = 'agent' AND l.name = t.assigned_agent_id::text
                                  OR l.kind = 'key' AND l.name = t.concurrency_key
               CROSS JOIN open_pauses p
               WHERE t.id = $1 AND t.epoch = $2 AND t.status = 'ready' AND t.isolated = $3 AND l.max_starts IS NOT NULL
                 AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id,
                                t.session_id)
               ORDER BY l.kind, l.name"#,
            task.uuid(),
            epoch,
            claimant.isolated,
        )
        .fetch_all(&mut *tx)
        .await?;
        if gates.is_empty() {
            return Ok(None);
        }
        if let Some(gate) =
            gates.iter().filter(|gate| gate.wait(0) > Duration::ZERO).max_by_key(|gate| gate.wait(0))
        {
            let tasks = if gate.max_starts == 1 { "task" } else { "tasks" };
            let by = parked_by(&gate.kind, &gate.name);
            let detail = format!("{by}{} {tasks} in {} s", gate.max_starts, gate.per_seconds);
            let line = sqlx::query_scalar!(
                "SELECT run_at FROM tasks
                 WHERE status = 'waiting' AND status_reason = 'rate_limited'
                   AND ($1 = 'agent' AND assigned_agent_id::text = $2 OR $1 = 'key' AND concurrency_key = $2)
                 ORDER BY run_at LIMIT $3",
                gate.kind,
                gate.name,
                LINE,
            );
            let until = gate.place(&line.fetch_all(&mut *tx).await?);
            self.park(&mut tx, task, epoch, until, &detail).await?;
            tx.commit().await?;
            return Ok(None);
        }
        let row = claim_tasks!(
            "SELECT id, $4::text AS worker FROM tasks
             WHERE id = $5 AND epoch = $6 AND status = 'ready' FOR NO KEY UPDATE",
            &*claimant.name,
            task.uuid(),
            epoch,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        for gate in &gates {
            sqlx::query!(
                "UPDATE task_limits
                 SET starts = (starts || clock_timestamp())[greatest(1, cardinality(starts) + 2 - max_starts):]
                 WHERE kind = $1 AND name = $2",
                gate.kind,
                gate.name,
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        lease(row).map(Some)
    }

    async fn park(
        &self,
        tx: &mut sqlx::PgTransaction<'_>,
        task: TaskId,
        epoch: i64,
        until: DateTime<Utc>,
        detail: &str,
    ) -> Result<()> {
        sqlx::query!(
            "WITH task AS (
                 UPDATE tasks
                 SET status = 'waiting', status_reason = 'rate_limited', status_detail = $3,
                     run_at = $4, announced_at = NULL, event_seq = event_seq + 1,
                     updated_at = now()
                 WHERE id = $1 AND epoch = $2 AND status = 'ready'
                 RETURNING id, event_seq
             )
             INSERT INTO events (task_id, seq, kind, data)
             SELECT id, event_seq, $5, jsonb_build_object('reason', $6::text, 'detail', $3) FROM task",
            task.uuid(),
            epoch,
            detail,
            until,
            EventKind::Waiting.as_str(),
            StatusReason::RateLimited.as_str(),
        )
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}
