//! Accepting many tasks at once: their rows, edges and first events in one statement, all or nothing.

use std::sync::Arc;

use futures::future::BoxFuture;
use hive_domain::{
    event::EventKind,
    task::{NewTask, Performer, Task},
};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    accepted::{Accepted, accepted, agent_of, duty},
    faults::find_faults,
};
use crate::{
    error::{Error, Result},
    line::Line,
    once::Once,
    pool::Store,
};

impl Store {
    /// Accepts tasks, all or none; they may depend on each other, and a circle among them is the caller's to refuse.
    ///
    /// # Errors
    /// [`Error::InvalidEntries`] names every field that refers to something missing; [`Error::Conflict`] `task_exists`
    /// when an id is taken.
    pub async fn enqueue_many(&self, new: &[NewTask]) -> Result<Vec<Task>> {
        self.share_limits(&new.iter().filter_map(|new| new.parent).collect::<Vec<_>>()).await?;
        let mut once = self.alone().await?;
        let tasks = once.enqueue_many(new).await?;
        once.commit().await?;
        Ok(tasks)
    }
}

impl Once {
    /// As [`Store::enqueue_many`].
    ///
    /// # Errors
    /// See there.
    pub async fn enqueue_many(&mut self, new: &[NewTask]) -> Result<Vec<Task>> {
        let connection = self.connection()?;
        let faults = find_faults(connection, new).await?;
        if !faults.is_empty() {
            return Err(Error::InvalidEntries(faults));
        }
        match insert(connection, new).await {
            Err(Error::Database(error)) => Err(refused(error)),
            outcome => outcome,
        }
    }
}

async fn insert(connection: &mut PgConnection, new: &[NewTask]) -> Result<Vec<Task>> {
    let rows: Vec<Value> = new.iter().map(row).collect::<Result<_>>()?;
    let mut written = sqlx::query!(
        r#"WITH new AS (
               SELECT n.*,
                      CASE WHEN cardinality(n.dependencies) > 0 OR n.run_at > now() OR n.concurrency_key IS NOT NULL
                               THEN 'pending'::task_status
                           ELSE 'ready' END AS status,
                      CASE WHEN cardinality(n.dependencies) > 0 THEN 'dependencies'::status_reason
                           WHEN n.run_at > now() THEN 'scheduled'
                           WHEN n.concurrency_key IS NOT NULL THEN 'concurrency' END AS reason
               FROM jsonb_to_recordset($1) AS n (
                   index integer, id uuid, project_id uuid, title text, description text, agent_id uuid, agent_type text,
                   duty text, repository_url text, base_ref text, base_commit text, acceptance jsonb, context jsonb,
                   labels jsonb, limits jsonb, model text, on_dependency_failure text, max_attempts integer,
                   created_by text, priority smallint, run_at timestamptz, session_id uuid, parent_id uuid,
                   deadline timestamptz, concurrency_key text, dependencies uuid[])
           ), chosen AS (
               SELECT new.id AS task_id, a.id, a.name, a.type, a.version
               FROM new CROSS JOIN LATERAL (
                   SELECT id, name, type, version FROM agents
                   WHERE project_id = new.project_id AND status = 'active'
                     AND (id = new.agent_id OR type = new.agent_type)
                   ORDER BY created_at, id
                   LIMIT 1) AS a
           ), parent AS (
               -- Locked, so that a cancel that runs down from it sees these tasks or is seen by them.
               SELECT id, project_id, depth FROM tasks
               WHERE id IN (SELECT parent_id FROM new) AND status <> 'cancelled'
               ORDER BY id FOR SHARE
           ), task AS (
               INSERT INTO tasks (id, project_id, title, description, assigned_agent_id, duty, repository_url, base_ref,
                                  base_commit, acceptance, context, labels, limits, model, on_dependency_failure,
                                  max_attempts, created_by, priority, status, status_reason, run_at, event_seq,
                                  announced_at, session_id, parent_id, deadline, concurrency_key, depth)
               SELECT new.id, new.project_id, title, description, chosen.id, duty, repository_url, base_ref,
                      base_commit, acceptance, context, labels, limits, model,
                      on_dependency_failure::dependency_policy, max_attempts, created_by, priority, status, reason,
                      coalesce(run_at, now()), 1, CASE WHEN status = 'ready' THEN now() END, session_id, parent_id,
                      deadline, concurrency_key,
                      -- What has no such parent is refused by the range of the column.
                      CASE WHEN parent_id IS NULL THEN 0 ELSE coalesce(parent.depth + 1, -1) END
               FROM new LEFT JOIN chosen ON chosen.task_id = new.id
                        LEFT JOIN parent ON parent.id = new.parent_id AND parent.project_id = new.project_id
               RETURNING id, status, status_reason, run_at, created_at
           ), edges AS (
               INSERT INTO task_dependencies (task_id, depends_on)
               SELECT DISTINCT task.id, awaited FROM task JOIN new USING (id), unnest(new.dependencies) AS awaited
           ), event AS (
               INSERT INTO events (task_id, seq, kind, data)
               SELECT task.id, 1, $2, jsonb_build_object('title', new.title, 'priority', new.priority)
               FROM task JOIN new USING (id)
           )
           SELECT new.index AS "index!", task.status::text AS "status!", task.status_reason::text, task.run_at,
                  task.created_at, chosen.id AS "agent_id?", chosen.name AS "agent_name?",
                  chosen.type AS "agent_type?", chosen.version AS "agent_version?"
           FROM task JOIN new USING (id) LEFT JOIN chosen ON chosen.task_id = task.id
           ORDER BY new.index"#,
        Value::Array(rows.into_iter().enumerate().map(numbered).collect()),
        EventKind::Created.as_str(),
    )
    .fetch_all(connection)
    .await?
    .into_iter();
    new.iter()
        .map(|new| {
            let row = written.next().ok_or(sqlx::Error::RowNotFound)?;
            accepted(
                new,
                Accepted {
                    status: row.status,
                    reason: row.status_reason,
                    run_at: row.run_at,
                    created_at: row.created_at,
                    agent: agent_of(row.agent_id, row.agent_name, row.agent_type, row.agent_version),
                },
            )
        })
        .collect()
}

/// Accepts tasks of many callers in one statement. One that is refused fails it, and is then asked alone.
pub(crate) fn send(line: &mut Line, new: Arc<[Arc<NewTask>]>) -> BoxFuture<'_, Result<Vec<Result<Task>>>> {
    Box::pin(async move {
        let new: Vec<NewTask> = new.iter().map(|new| NewTask::clone(new)).collect();
        let tasks = insert(line.connection().await?, &new).await?;
        Ok(tasks.into_iter().map(Ok).collect())
    })
}

fn numbered((index, mut row): (usize, Value)) -> Value {
    row["index"] = json!(index);
    row
}

fn row(new: &NewTask) -> Result<Value> {
    let (agent, kind) = match &new.performer {
        Performer::Agent(id) => (Some(id), None),
        Performer::Type(kind) => (None, Some(kind)),
        Performer::Noop => (None, None),
    };
    let encode = |column, value: serde_json::Result<Value>| {
        value.map_err(|e| Error::inconsistent("tasks", column, new.id, e))
    };
    Ok(json!({
        "id": new.id, "project_id": new.project, "title": new.title, "description": new.description,
        "agent_id": agent, "agent_type": kind, "duty": duty(new),
        "repository_url": new.repository.as_ref().map(|r| &r.url),
        "base_ref": new.repository.as_ref().map(|r| &r.base_ref),
        "base_commit": new.repository.as_ref().map(|r| &r.base_commit),
        "acceptance": encode("acceptance", serde_json::to_value(&new.acceptance))?,
        "context": new.context, "labels": new.labels,
        "limits": encode("limits", serde_json::to_value(&new.limits))?,
        "model": new.model, "on_dependency_failure": new.on_dependency_failure, "max_attempts": new.max_attempts,
        "created_by": new.created_by, "priority": new.priority, "run_at": new.run_at, "session_id": new.session,
        "parent_id": new.parent, "deadline": new.deadline, "concurrency_key": new.concurrency_key,
        "dependencies": new.dependencies,
    }))
}

fn refused(error: sqlx::Error) -> Error {
    match Error::constraint(&error) {
        Some("tasks_pkey") => {
            Error::Conflict { code: "task_exists", message: "one of these tasks exists".to_owned() }
        }
        // What was there a moment ago is gone: the next try says which.
        Some("tasks_depth_range" | "tasks_agent_or_duty" | "task_dependencies_depends_on_fkey") => {
            Error::Conflict {
                code: "references_changed",
                message: "something that these tasks refer to changed meanwhile; send them again".to_owned(),
            }
        }
        _ => error.into(),
    }
}
