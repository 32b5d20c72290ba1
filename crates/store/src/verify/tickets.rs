//! What Postgres says about tickets: which tasks should have one, and which tickets no task wants any more.

use hive_domain::{Priority, TaskId};
use uuid::Uuid;

use super::Violation;
use crate::{
    error::{Error, Result},
    pool::Store,
};

/// A task that was ready for a while and should have a ticket by now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unticketed {
    /// The task.
    pub task: TaskId,
    /// The epoch its ticket carries.
    pub epoch: i64,
    /// Chooses the lane.
    pub priority: Priority,
    /// Seconds since it became ready.
    pub seconds: f64,
}

impl Store {
    /// The first `limit` ready tasks in the order in which tickets are written that have been ready for `seconds`, and
    /// that no pause covers and neither isolation nor a night holds back. `among` looks only at these.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn want_tickets(
        &self,
        seconds: f64,
        limit: i64,
        among: Option<&[TaskId]>,
    ) -> Result<Vec<Unticketed>> {
        let among: Option<Vec<Uuid>> = among.map(|ids| ids.iter().map(|id| id.uuid()).collect());
        let rows = sqlx::query!(
            r#"SELECT id, epoch, priority, extract(epoch FROM now() - updated_at)::float8 AS "seconds!"
               FROM (SELECT * FROM tasks
                     WHERE (status = 'ready') IS TRUE AND ($3::uuid[] IS NULL OR id = ANY ($3))
                     ORDER BY priority, run_at, id LIMIT $2) AS first
               WHERE updated_at < now() - make_interval(secs => $1)
                 AND status_reason IS DISTINCT FROM 'isolated' AND NOT isolated
                 AND NOT EXISTS (SELECT 1 FROM sleeps s WHERE s.agent_id = assigned_agent_id AND s.state <> 'awake')
                 AND NOT EXISTS (
                     SELECT 1 FROM pauses p
                     WHERE (p.until IS NULL OR p.until > now())
                       AND CASE p.scope WHEN 'fleet' THEN true
                                        WHEN 'agent' THEN p.name = assigned_agent_id::text
                                        WHEN 'session' THEN p.name = session_id::text
                                        ELSE p.name = CASE WHEN priority <= 2 THEN 'urgent' WHEN priority <= 4 THEN 'high'
                                                           WHEN priority <= 6 THEN 'normal' ELSE 'low' END END)"#,
            seconds,
            limit,
            among.as_deref(),
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let priority = Priority::try_from(i64::from(row.priority))
                    .map_err(|e| Error::inconsistent("tasks", "priority", row.id, e))?;
                Ok(Unticketed { task: row.id.into(), epoch: row.epoch, priority, seconds: row.seconds })
            })
            .collect()
    }

    /// Tickets that no task wants: the task is unknown, is not ready, or has another epoch, for longer than `seconds`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn unwanted_tickets(&self, tickets: &[(TaskId, i64)], seconds: f64) -> Result<Vec<Violation>> {
        let (ids, epochs): (Vec<Uuid>, Vec<i64>) =
            tickets.iter().map(|(id, epoch)| (id.uuid(), *epoch)).unzip();
        let violations = sqlx::query_as!(
            Violation,
            r#"SELECT ticket.id AS "task!",
                      CASE WHEN t.id IS NULL THEN format('a ticket of epoch %s names a task that does not exist', ticket.epoch)
                           ELSE format('a ticket of epoch %s lies in Redis, and the task is %s at epoch %s since %s s',
                                       ticket.epoch, t.status, t.epoch,
                                       round(extract(epoch FROM now() - t.updated_at))) END AS "evidence!"
               FROM unnest($1::uuid[], $2::bigint[]) AS ticket (id, epoch)
               LEFT JOIN tasks t ON t.id = ticket.id
               WHERE t.id IS NULL
                  OR (t.status <> 'ready' OR t.epoch <> ticket.epoch)
                     AND t.updated_at < now() - make_interval(secs => $3)"#,
            &ids,
            &epochs,
            seconds,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(violations)
    }
}
