//! Trying again what ended without success: a new task with the same input, which names the one it came from.

use std::collections::{BTreeMap, BTreeSet};

use hive_domain::{TaskId, event::EventKind, task::Task};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{changed::Changed, show};
use crate::{
    error::{Error, Result},
    once::Once,
};

impl Once {
    /// Makes a new task from one that ended without success: the same input, no journal, all attempts before it. What
    /// it waited for and did not succeed is replaced by the newest task that was made from that.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `task_not_retryable` unless it failed, died or was cancelled;
    /// [`Error::Redriven`] when it was tried again before: its successor is the one to try now.
    pub async fn redrive(&mut self, id: TaskId, actor: &str) -> Result<Task> {
        let connection = self.connection()?;
        let made = redrive_all(connection, &[id.uuid()], actor).await?;
        let shown = made.first().map_or(id, |made| made.task);
        let task = show(connection, shown).await?;
        if made.is_empty() {
            let successor = sqlx::query_scalar!(
                "SELECT id FROM tasks WHERE redriven_from = $1 ORDER BY id DESC LIMIT 1",
                id.uuid(),
            );
            if let Some(successor) = successor.fetch_optional(connection).await? {
                return Err(Error::Redriven { task: id, successor: successor.into() });
            }
            return Err(Error::Conflict {
                code: "task_not_retryable",
                message: format!("a task that is {} cannot be tried again", task.status),
            });
        }
        Ok(task)
    }
}

/// Makes a new task from each of `ids` that ended without success and from which none was made so far; returns the new
/// ones.
pub(super) async fn redrive_all(
    connection: &mut PgConnection,
    ids: &[Uuid],
    actor: &str,
) -> Result<Vec<Changed>> {
    // First a lock, then the question: whoever comes second must see what the first made. Parents are locked too, so
    // that a cancel that runs down from one sees the new task or is seen by it.
    sqlx::query!(
        "SELECT id FROM tasks
         WHERE id = ANY ($1) OR id IN (SELECT parent_id FROM tasks WHERE id = ANY ($1))
         ORDER BY id FOR NO KEY UPDATE",
        ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids = &awaited_first(connection, ids).await?;
    let new: Vec<Uuid> = ids.iter().map(|_| TaskId::new().uuid()).collect();
    let rows = sqlx::query!(
        r#"WITH origin AS (
               SELECT t.*, pair.new_id, p.id AS kept_parent,
                      EXISTS (SELECT 1 FROM task_dependencies d WHERE d.task_id = t.id) AS awaits
               FROM unnest($1::uuid[], $2::uuid[]) AS pair (origin_id, new_id)
               JOIN tasks t ON t.id = pair.origin_id
               -- A part of what was cancelled stands alone from now on.
               LEFT JOIN tasks p ON p.id = t.parent_id AND p.status <> 'cancelled'
               WHERE t.status IN ('failed', 'cancelled', 'dead')
                 AND NOT EXISTS (SELECT 1 FROM tasks r WHERE r.redriven_from = t.id)
           ), task AS (
               INSERT INTO tasks (id, project_id, title, description, assigned_agent_id, duty, repository_url, base_ref,
                                  base_commit, acceptance, context, labels, limits, model, on_dependency_failure,
                                  max_attempts, created_by, priority, status, status_reason, event_seq, session_id,
                                  parent_id, depth, deadline, concurrency_key, redriven_from)
               SELECT new_id, project_id, title, description, assigned_agent_id, duty, repository_url, base_ref,
                      base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, $3,
                      priority, CASE WHEN awaits OR concurrency_key IS NOT NULL THEN 'pending'::task_status ELSE 'ready' END,
                      CASE WHEN awaits THEN 'dependencies'::status_reason
                           WHEN concurrency_key IS NOT NULL THEN 'concurrency' END, 1, session_id, kept_parent,
                      CASE WHEN kept_parent IS NULL THEN 0 ELSE depth END,
                      -- One that has passed would end the new task at once.
                      CASE WHEN deadline > now() THEN deadline END, concurrency_key, id
               FROM origin
               RETURNING id, status, title, priority, redriven_from
           ), event AS (
               INSERT INTO events (task_id, seq, kind, data)
               SELECT id, 1, $4, jsonb_build_object('title', title, 'priority', priority, 'redriven_from', redriven_from)
               FROM task
           )
           SELECT id, status::text AS "status!" FROM task ORDER BY id"#,
        ids,
        &new,
        actor,
        EventKind::Created.as_str(),
    )
    .fetch_all(&mut *connection)
    .await?;
    let made: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    // Only waiting for what was there before, or was made before it just now, a new one never waits in a circle.
    sqlx::query!(
        "INSERT INTO task_dependencies (task_id, depends_on)
         SELECT DISTINCT t.id, coalesce(newest.id, d.depends_on)
         FROM tasks t
         JOIN task_dependencies d ON d.task_id = t.redriven_from
         JOIN tasks awaited ON awaited.id = d.depends_on
         LEFT JOIN LATERAL (
             WITH RECURSIVE line (id, tries) AS (
                 SELECT r.id, 1 FROM tasks r WHERE r.redriven_from = awaited.id
                 UNION ALL
                 SELECT r.id, tries + 1 FROM line JOIN tasks r ON r.redriven_from = line.id
             )
             SELECT line.id FROM line WHERE line.id < t.id OR line.id <> ALL ($1) ORDER BY tries DESC LIMIT 1
         ) AS newest ON awaited.status <> 'succeeded'
         WHERE t.id = ANY ($1)",
        &made,
    )
    .execute(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.parse().map_err(|e| Error::inconsistent("tasks", "status", row.id, e))?;
            Ok(Changed { task: row.id.into(), event_seq: 1, status })
        })
        .collect()
}

/// The same tasks, each behind those of them that it waits for or that became of what it waits for. Among the others the
/// order of the ids stays: a body of many tasks has none, so that what is waited for may have the later id.
async fn awaited_first(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    let edges = sqlx::query!(
        r#"SELECT t.id AS "task!", line.id AS "awaited!"
           FROM unnest($1::uuid[]) AS t (id)
           JOIN task_dependencies d ON d.task_id = t.id
           CROSS JOIN LATERAL (
               WITH RECURSIVE line (id) AS (
                   SELECT d.depends_on
                   UNION ALL
                   SELECT r.id FROM line JOIN tasks r ON r.redriven_from = line.id
               )
               SELECT line.id FROM line WHERE line.id = ANY ($1)
           ) AS line"#,
        ids,
    )
    .fetch_all(connection)
    .await?;
    let mut open: BTreeMap<Uuid, usize> = ids.iter().map(|id| (*id, 0)).collect();
    let mut waiters: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for edge in edges.into_iter().filter(|edge| edge.task != edge.awaited) {
        *open.entry(edge.task).or_default() += 1;
        waiters.entry(edge.awaited).or_default().push(edge.task);
    }
    let mut free: BTreeSet<Uuid> = open.iter().filter(|(_, open)| **open == 0).map(|(id, _)| *id).collect();
    let mut order = Vec::with_capacity(ids.len());
    while let Some(next) = free.pop_first() {
        open.remove(&next);
        order.push(next);
        for waiter in waiters.remove(&next).unwrap_or_default() {
            if let Some(left) = open.get_mut(&waiter) {
                *left -= 1;
                if *left == 0 {
                    free.insert(waiter);
                }
            }
        }
    }
    // What is left waits in a circle over tasks that were tried again in between: any order will do.
    order.extend(open.into_keys());
    Ok(order)
}
