//! Which ready tasks want a ticket.

use std::time::Duration;

use hive_domain::{Priority, TaskId};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    pool::Store,
    settle::Announcement,
};

/// Tickets of tasks that have waited too long, in one pass.
const AGED: i64 = 200;

/// Tickets of tasks with a rate, in one pass.
const RATED: i64 = 50;

/// What one lane can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The most urgent priority of the lane.
    pub from: i16,
    /// The least urgent one.
    pub to: i16,
    /// Tickets that fit.
    pub places: i64,
}

pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) epoch: i64,
    pub(crate) priority: i16,
    pub(crate) isolated: bool,
    pub(crate) first: bool,
}

impl TryFrom<Row> for Announcement {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let priority = Priority::try_from(i64::from(row.priority))
            .map_err(|e| Error::inconsistent("tasks", "priority", row.id, e))?;
        let Row { id, epoch, isolated, first, .. } = row;
        Ok(Self { task: id.into(), epoch, priority, isolated, first })
    }
}

impl Store {
    /// Ready tasks whose ticket is missing or older than `patience`, most urgent first, at most as many as each lane has
    /// room for. Marks them as announced: the ticket follows at once, and if it is lost the next look finds them again.
    /// What a pause covers gets none.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn stale_tickets(&self, rooms: &[Room], patience: Duration) -> Result<Vec<Announcement>> {
        if rooms.iter().all(|room| room.places <= 0) {
            return Ok(Vec::new());
        }
        let rows = sqlx::query_as!(
            Row,
            r#"WITH stale AS (
                   SELECT chosen.id FROM unnest($1::smallint[], $2::smallint[], $3::bigint[]) AS room (first, last, places)
                   CROSS JOIN open_pauses p,
                   LATERAL (
                       SELECT t.id FROM tasks t
                       WHERE (t.status = 'ready') IS TRUE AND NOT t.isolated AND NOT p.fleet
                         AND t.priority BETWEEN room.first AND room.last
                         AND (t.announced_at IS NULL OR t.announced_at < now() - make_interval(secs => $4))
                         AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id,
                                        t.session_id)
                       ORDER BY t.priority, t.run_at, t.id LIMIT greatest(room.places, 0)
                       FOR NO KEY UPDATE OF t SKIP LOCKED
                   ) AS chosen
               ), task AS (
                   UPDATE tasks SET announced_at = now() FROM stale WHERE tasks.id = stale.id
                   RETURNING tasks.id, tasks.epoch, tasks.priority, tasks.isolated, tasks.run_at
               )
               SELECT id, epoch, priority, isolated, false AS "first!" FROM task ORDER BY priority, run_at, id"#,
            &rooms.iter().map(|room| room.from).collect::<Vec<_>>(),
            &rooms.iter().map(|room| room.to).collect::<Vec<_>>(),
            &rooms.iter().map(|room| room.places).collect::<Vec<_>>(),
            patience.as_secs_f64(),
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Announcement::try_from).collect()
    }

    /// The same for suspects, which wait in a lane of their own, at most `places`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn isolated_tickets(&self, places: i64, patience: Duration) -> Result<Vec<Announcement>> {
        let rows = sqlx::query_as!(
            Row,
            r#"WITH stale AS (
                   SELECT t.id FROM tasks t CROSS JOIN open_pauses p
                   WHERE t.status = 'ready' AND t.isolated AND NOT p.fleet
                     AND (t.announced_at IS NULL OR t.announced_at < now() - make_interval(secs => $2))
                     AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id,
                                    t.session_id)
                   ORDER BY t.id LIMIT greatest($1::bigint, 0) FOR NO KEY UPDATE OF t SKIP LOCKED
               )
               UPDATE tasks SET announced_at = now() FROM stale WHERE tasks.id = stale.id
               RETURNING tasks.id, tasks.epoch, tasks.priority, tasks.isolated, false AS "first!""#,
            places,
            patience.as_secs_f64(),
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Announcement::try_from).collect()
    }

    /// Ready tasks that have waited for `ageing` and have no ticket of the last `patience` at the head of their lane:
    /// the oldest first, whatever their priority. They are marked as announced.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn aged_tickets(&self, ageing: Duration, patience: Duration) -> Result<Vec<Announcement>> {
        let rows = sqlx::query_as!(
            Row,
            r#"WITH aged AS (
                   SELECT t.id FROM tasks t CROSS JOIN open_pauses p
                   WHERE (t.status = 'ready') IS NOT FALSE AND NOT t.isolated AND NOT p.fleet
                     AND t.run_at < now() - make_interval(secs => $1)
                     AND (t.announced_at IS NULL OR t.announced_at < now() - make_interval(secs => $2))
                     AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id,
                                    t.session_id)
                   ORDER BY t.run_at LIMIT $3 FOR NO KEY UPDATE OF t SKIP LOCKED
               ), task AS (
                   UPDATE tasks SET announced_at = now() FROM aged WHERE tasks.id = aged.id
                   RETURNING tasks.id, tasks.epoch, tasks.priority, tasks.isolated, tasks.run_at
               )
               SELECT id, epoch, priority, isolated, true AS "first!" FROM task ORDER BY run_at, id"#,
            ageing.as_secs_f64(),
            patience.as_secs_f64(),
            AGED,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Announcement::try_from).collect()
    }

    /// Ready tasks with a rate that have no ticket of the last `patience`, the most urgent first. Only a ticket leads to
    /// them, and a full lane would never take one. They are marked as announced.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub(crate) async fn rated_tickets(&self, patience: Duration) -> Result<Vec<Announcement>> {
        let rows = sqlx::query_as!(
            Row,
            r#"WITH rated AS (
                   SELECT t.id FROM tasks t CROSS JOIN open_pauses p
                   WHERE EXISTS (SELECT 1 FROM task_limits l WHERE l.max_starts IS NOT NULL)
                     AND (t.status = 'ready') IS TRUE AND NOT t.isolated AND NOT p.fleet
                     AND (t.announced_at IS NULL OR t.announced_at < now() - make_interval(secs => $1))
                     AND EXISTS (SELECT 1 FROM task_limits l
                                 WHERE l.max_starts IS NOT NULL
                                   AND (l.kind = 'agent' AND l.name = t.assigned_agent_id::text
                                        OR l.kind = 'key' AND l.name = t.concurrency_key))
                     AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id,
                                    t.session_id)
                   ORDER BY t.priority, t.run_at, t.id LIMIT $2 FOR NO KEY UPDATE OF t SKIP LOCKED
               ), task AS (
                   UPDATE tasks SET announced_at = now() FROM rated WHERE tasks.id = rated.id
                   RETURNING tasks.id, tasks.epoch, tasks.priority, tasks.isolated, tasks.run_at
               )
               SELECT id, epoch, priority, isolated, true AS "first!" FROM task ORDER BY priority, run_at, id"#,
            patience.as_secs_f64(),
            RATED,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Announcement::try_from).collect()
    }

    /// Those of these tasks that are ready and in an ordinary lane, the longest accepted first: they stood still for a
    /// lease already, and go to the head. They are marked as announced. What a pause covers gets none.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub(crate) async fn orphan_tickets(&self, orphans: &[TaskId]) -> Result<Vec<Announcement>> {
        let rows = sqlx::query_as!(
            Row,
            r#"WITH orphan AS (
                   SELECT t.id FROM tasks t CROSS JOIN open_pauses p
                   WHERE t.id = ANY ($1) AND t.status = 'ready' AND NOT t.isolated AND t.announced_at IS NULL
                     AND NOT p.fleet
                     AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id,
                                    t.session_id)
                   ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED
               ), task AS (
                   UPDATE tasks SET announced_at = now() FROM orphan WHERE tasks.id = orphan.id
                   RETURNING tasks.id, tasks.epoch, tasks.priority, tasks.isolated
               )
               SELECT id, epoch, priority, isolated, true AS "first!" FROM task ORDER BY id"#,
            &orphans.iter().map(|id| id.uuid()).collect::<Vec<_>>(),
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Announcement::try_from).collect()
    }

    /// How long the oldest ready task has waited that nothing but a free worker keeps from running. Zero without one.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn oldest_ready(&self) -> Result<Duration> {
        let seconds = sqlx::query_scalar!(
            r#"SELECT extract(epoch FROM now() - t.run_at)::float8 AS "seconds!"
               FROM tasks t CROSS JOIN open_pauses p
               WHERE (t.status = 'ready') IS NOT FALSE AND NOT t.isolated AND NOT p.fleet
                 AND NOT covers(p.fleet, p.lanes, p.agents, p.sessions, t.priority, t.assigned_agent_id, t.session_id)
               ORDER BY t.run_at LIMIT 1"#,
        );
        let seconds = seconds.fetch_optional(&self.pool).await?.unwrap_or(0.0);
        Ok(Duration::from_secs_f64(seconds.max(0.0)))
    }
}
