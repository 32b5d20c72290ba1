//! Accepting a task: the row, its edges and its first event in one statement.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use hive_domain::{
    SessionId, StatusReason, TaskId,
    event::EventKind,
    task::{NewTask, Performer, Task},
};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    accepted::{Accepted, accepted, agent_of, duty},
    faults::find_faults,
};
use crate::{
    error::{Error, Fault, Result},
    meter,
    once::Once,
    pool::Store,
};

impl Store {
    /// Accepts a task. It is `ready` at once, or `pending` when its time or its dependencies lie ahead, or when it has
    /// a concurrency key; see [`Store::admit`].
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field that refers to something that is missing or cannot be used: project, agent,
    /// agent type, session, parent, dependency;
    /// [`Error::Conflict`] `task_exists` when the id is taken, as by an earlier try whose answer was lost.
    pub async fn enqueue(&self, new: &NewTask) -> Result<Task> {
        self.share_limits(new.parent.as_slice()).await?;
        let inserted = if new.parent.is_none() && new.dependencies.is_empty() {
            self.groups.arrivals.submit(&self.lines, Arc::new(new.clone())).await
        } else {
            insert(&mut *self.pool.acquire().await?, new).await
        };
        let task = match inserted {
            Err(Error::Database(error)) => return Err(self.refused(error, new).await),
            outcome => outcome?,
        };
        meter::created(1);
        if task.reason == Some(StatusReason::Concurrency)
            && let Some(key) = &new.concurrency_key
        {
            // The task is accepted whatever comes of this; the reconciler looks at its key again.
            if let Err(error) = self.admit(std::slice::from_ref(key)).await {
                tracing::warn!(task.id = %new.id, "the places of a key are given away later: {error}");
            }
            return self.task(new.id).await;
        }
        Ok(task)
    }

    /// Tells what [`Store::enqueue`] would say of it, and leaves nothing behind.
    ///
    /// # Errors
    /// See there.
    pub async fn rehearse(&self, new: &NewTask) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let inserted = insert(&mut tx, new).await;
        tx.rollback().await?;
        match inserted {
            Err(Error::Database(error)) => Err(self.refused(error, new).await),
            outcome => outcome.map(drop),
        }
    }

    /// Says in the caller's terms what is wrong with it.
    pub(crate) async fn refused(&self, error: sqlx::Error, new: &NewTask) -> Error {
        match Error::constraint(&error) {
            Some("tasks_pkey") => {
                Error::Conflict { code: "task_exists", message: format!("task {} exists", new.id) }
            }
            Some(_) => match self.first_fault(new).await {
                Ok(Some(Fault { field, message, .. })) => Error::Invalid { field, message },
                Ok(None) => error.into(),
                Err(error) => error,
            },
            None => error.into(),
        }
    }

    async fn first_fault(&self, new: &NewTask) -> Result<Option<Fault>> {
        let mut connection = self.pool.acquire().await?;
        let faults = find_faults(&mut connection, std::slice::from_ref(new)).await?;
        Ok(faults.into_iter().next())
    }
}

impl Once {
    /// As [`Store::enqueue`].
    ///
    /// # Errors
    /// See there.
    pub async fn enqueue(&mut self, new: &NewTask) -> Result<Task> {
        match insert(self.connection()?, new).await {
            Ok(task) => Ok(task),
            Err(Error::Database(error)) => Err(self.give_up().await.refused(error, new).await),
            Err(error) => Err(error),
        }
    }
}

/// The one statement.
pub(crate) async fn insert(connection: &mut PgConnection, new: &NewTask) -> Result<Task> {
    let (agent, kind) = match &new.performer {
        Performer::Agent(id) => (Some(id.uuid()), None),
        Performer::Type(kind) => (None, Some(kind.as_str())),
        Performer::Noop => (None, None),
    };
    let encode = |column, value: serde_json::Result<serde_json::Value>| {
        value.map_err(|e| Error::inconsistent("tasks", column, new.id, e))
    };
    let mut awaited = new.dependencies.clone();
    awaited.sort_unstable();
    awaited.dedup();
    let dependencies: Vec<Uuid> = awaited.iter().map(|id| id.uuid()).collect();
    let repository = new.repository.as_ref();
    let limits = encode("limits", serde_json::to_value(&new.limits))?;
    let row = sqlx::query!(
        r#"WITH agent AS (
               SELECT id, name, type, version FROM agents
               WHERE project_id = $2 AND status = 'active' AND (id = $5 OR type = $6)
               ORDER BY created_at, id
               LIMIT 1
           ), parent AS (
               -- Locked, so that a cancel that runs down from it sees this task or is seen by it.
               SELECT depth FROM tasks WHERE id = $25 AND project_id = $2 AND status <> 'cancelled' FOR SHARE
           ), task AS (
               INSERT INTO tasks (id, project_id, title, description, assigned_agent_id, duty, repository_url,
                                  base_ref, base_commit, acceptance, context, labels, limits, model,
                                  on_dependency_failure, max_attempts, created_by, priority, status,
                                  status_reason, run_at, event_seq, announced_at, session_id, parent_id,
                                  deadline, concurrency_key, depth)
               SELECT $1, $2, $3, $4, (SELECT id FROM agent), $7, $8, $9, $10, $11, $12, $13, $14, $15,
                      $16::text::dependency_policy, $17, $18, $19, state.status, state.reason,
                      coalesce($20, now()), 1, CASE WHEN state.status = 'ready' THEN now() END,
                      $24, $25, $26, $27::text,
                      -- What has no such parent is refused by the range of the column.
                      CASE WHEN $25::uuid IS NULL THEN 0 ELSE coalesce((SELECT depth + 1 FROM parent), -1) END
               FROM (SELECT CASE WHEN cardinality($21::uuid[]) > 0 OR $20 > now() OR $27::text IS NOT NULL
                                     THEN 'pending'::task_status
                                 ELSE 'ready' END AS status,
                            CASE WHEN cardinality($21) > 0 THEN 'dependencies'::status_reason
                                 WHEN $20 > now() THEN 'scheduled'
                                 -- It passes the gate of its key before it is ready.
                                 WHEN $27 IS NOT NULL THEN 'concurrency' END AS reason) AS state
               RETURNING id, status, status_reason, run_at, created_at
           ), edges AS (
               INSERT INTO task_dependencies (task_id, depends_on)
               SELECT task.id, depends_on FROM task, unnest($21) AS depends_on
           ), event AS (
               INSERT INTO events (task_id, seq, kind, data) SELECT id, 1, $22, $23 FROM task
           )
           SELECT task.status::text AS "status!", task.status_reason::text, task.run_at, task.created_at,
                  agent.id AS "agent_id?", agent.name AS "agent_name?", agent.type AS "agent_type?",
                  agent.version AS "agent_version?"
           FROM task LEFT JOIN agent ON true"#,
        new.id.uuid(),
        new.project.uuid(),
        new.title,
        new.description,
        agent,
        kind,
        duty(new),
        repository.map(|r| r.url.as_str()),
        repository.map(|r| r.base_ref.as_str()),
        repository.map(|r| r.base_commit.as_str()),
        encode("acceptance", serde_json::to_value(&new.acceptance))?,
        serde_json::Value::Object(new.context.clone()),
        encode("labels", serde_json::to_value(&new.labels))?,
        limits,
        new.model,
        new.on_dependency_failure.as_str(),
        new.max_attempts,
        new.created_by,
        new.priority.get(),
        new.run_at as Option<DateTime<Utc>>,
        &dependencies,
        EventKind::Created.as_str(),
        json!({ "title": new.title, "priority": new.priority.get() }),
        new.session.map(SessionId::uuid),
        new.parent.map(TaskId::uuid),
        new.deadline,
        new.concurrency_key,
    )
    .fetch_one(connection)
    .await?;
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
}
