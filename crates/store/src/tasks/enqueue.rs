//! Accepting a task: the row, its edges and its first event in one statement.

use chrono::{DateTime, Utc};
use hive_domain::{
    SessionId, StatusReason, TaskId, TaskStatus, Usage,
    event::EventKind,
    task::{NewTask, Performer, Task, TaskAgent},
};
use serde_json::json;
use sqlx::postgres::PgDatabaseError;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    meter,
    pool::Store,
};

impl Store {
    /// Accepts a task. It is `ready` at once, or `pending` when its time or its dependencies lie ahead.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field that refers to something missing: project, agent, agent type, dependency;
    /// [`Error::Conflict`] `task_exists` when the id is taken, as by an earlier try whose answer was lost.
    pub async fn enqueue(&self, new: &NewTask) -> Result<Task> {
        let (agent, kind, duty) = match &new.performer {
            Performer::Agent(id) => (Some(id.uuid()), None, None),
            Performer::Type(kind) => (None, Some(kind.as_str()), None),
            Performer::Noop => (None, None, Some("noop")),
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
               ), task AS (
                   INSERT INTO tasks (id, project_id, title, description, assigned_agent_id, duty, repository_url,
                                      base_ref, base_commit, acceptance, context, labels, limits, model,
                                      on_dependency_failure, max_attempts, created_by, priority, status,
                                      status_reason, run_at, event_seq, announced_at, session_id, parent_id,
                                      deadline, concurrency_key)
                   SELECT $1, $2, $3, $4, (SELECT id FROM agent), $7, $8, $9, $10, $11, $12, $13, $14, $15,
                          $16::text::dependency_policy, $17, $18, $19, state.status, state.reason,
                          coalesce($20, now()), 1, CASE WHEN state.status = 'ready' THEN now() END,
                          $24, $25, $26, $27::text
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
            duty,
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
        .fetch_one(&self.pool)
        .await;
        let row = match row {
            Ok(row) => row,
            Err(error) => return Err(self.refused(error, new).await),
        };
        if row.status_reason.as_deref() == Some(StatusReason::Concurrency.as_str())
            && let Some(key) = &new.concurrency_key
        {
            // The task is accepted whatever comes of this; the reconciler looks at its key again.
            if let Err(error) = self.admit(std::slice::from_ref(key)).await {
                tracing::warn!(task.id = %new.id, "the places of a key are given away later: {error}");
            }
            return self.task(new.id).await;
        }
        let bad = |column| move |e| Error::inconsistent("tasks", column, new.id, e);
        meter::created(1);
        Ok(Task {
            id: new.id,
            project: new.project,
            title: new.title.clone(),
            description: new.description.clone(),
            duty: duty.map(str::to_owned),
            agent: match (row.agent_id, row.agent_name, row.agent_type, row.agent_version) {
                (Some(id), Some(name), Some(kind), Some(version)) => {
                    Some(TaskAgent { id: id.into(), name, kind, version, active: true })
                }
                _ => None,
            },
            repository: new.repository.clone(),
            acceptance: new.acceptance.clone(),
            context: new.context.clone(),
            labels: new.labels.clone(),
            limits: new.limits.clone(),
            model: new.model.clone(),
            dependencies: awaited,
            on_dependency_failure: new.on_dependency_failure,
            priority: new.priority,
            status: row.status.parse::<TaskStatus>().map_err(bad("status"))?,
            reason: row
                .status_reason
                .map(|reason| reason.parse::<StatusReason>())
                .transpose()
                .map_err(bad("status_reason"))?,
            detail: None,
            run_at: row.run_at,
            max_attempts: new.max_attempts,
            attempt: 0,
            epoch: 0,
            verify_only: false,
            event_seq: 1,
            result: None,
            usage: Usage::default(),
            running_seconds: 0,
            session: new.session,
            parent: new.parent,
            deadline: new.deadline,
            concurrency_key: new.concurrency_key.clone(),
            redriven_from: None,
            forked_from: None,
            deaths: 0,
            isolated: false,
            journal_format: None,
            error_class: None,
            created_by: new.created_by.clone(),
            created_at: row.created_at,
            started_at: None,
            completed_at: None,
        })
    }
    /// Says in the caller's terms which constraint refused the insert.
    async fn refused(&self, error: sqlx::Error, new: &NewTask) -> Error {
        let invalid = |field, message: String| Error::Invalid { field, message };
        let no_project = || invalid("/project_id", "this project does not exist".to_owned());
        match (Error::constraint(&error), &new.performer) {
            (Some("tasks_pkey"), _) => {
                Error::Conflict { code: "task_exists", message: format!("task {} exists", new.id) }
            }
            (Some("tasks_project_id_fkey"), _) => no_project(),
            // A project that does not exist has no agents either, and is the cause.
            (Some("tasks_agent_or_duty"), performer) => match self.has_project(new).await {
                Err(error) => error,
                Ok(false) => no_project(),
                Ok(true) => match performer {
                    Performer::Agent(id) => invalid(
                        "/agent_id",
                        format!("agent {id} does not exist in this project or is inactive"),
                    ),
                    Performer::Type(kind) => {
                        invalid("/agent_type", format!("this project has no active agent of type {kind:?}"))
                    }
                    Performer::Noop => error.into(),
                },
            },
            (Some("task_dependencies_depends_on_fkey"), _) => {
                let named = new.dependencies.iter().find(|id| is_named(&error, **id));
                let named = named.map_or_else(|| "a dependency".to_owned(), |id| format!("task {id}"));
                invalid("/dependencies", format!("{named} does not exist"))
            }
            (Some("tasks_session_id_fkey"), _) => {
                invalid("/session_id", "this session does not exist".to_owned())
            }
            (Some("tasks_parent_id_fkey"), _) => invalid("/parent_id", "this task does not exist".to_owned()),
            (Some("task_dependencies_not_itself"), _) => {
                invalid("/dependencies", "a task cannot wait for itself".to_owned())
            }
            _ => error.into(),
        }
    }

    async fn has_project(&self, new: &NewTask) -> Result<bool> {
        let exists = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM projects WHERE id = $1) AS "exists!""#,
            new.project.uuid(),
        );
        Ok(exists.fetch_one(&self.pool).await?)
    }
}

/// True when Postgres names this task as the missing one; it does so in the detail, not in the message.
fn is_named(error: &sqlx::Error, id: TaskId) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        .and_then(PgDatabaseError::detail)
        .is_some_and(|detail| detail.contains(&id.to_string()))
}
