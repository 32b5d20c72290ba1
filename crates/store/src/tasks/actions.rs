//! What a person may do to a task that exists. Each is one guarded UPDATE with its event.

use hive_domain::{AgentId, StatusReason, TaskId, event::EventKind, task::Task};
use serde_json::json;

use super::{select_tasks, show};
use crate::{
    error::{Error, Result},
    housekeeping::is_journal_pruned,
    once::Once,
    pool::Store,
};

impl Store {
    /// Gives a task that no worker holds to another agent of its project.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for an unknown or inactive agent; [`Error::Conflict`]
    /// `task_not_assignable` when it runs, has ended, is a duty, or has begun: a run keeps the agent it started with.
    pub async fn assign(&self, id: TaskId, agent: AgentId, actor: &str) -> Result<Task> {
        let mut tx = self.pool.begin().await?;
        let usable = sqlx::query_scalar!(
            r#"SELECT EXISTS (
                   SELECT 1 FROM agents a JOIN tasks t ON t.project_id = a.project_id
                   WHERE a.id = $1 AND t.id = $2 AND a.status = 'active') AS "usable!""#,
            agent.uuid(),
            id.uuid(),
        )
        .fetch_one(&mut *tx)
        .await?;
        let assigned = sqlx::query!(
            r#"WITH task AS (
                   UPDATE tasks
                   SET assigned_agent_id = $2, event_seq = event_seq + 1, updated_at = now()
                   WHERE id = $1 AND $3 AND status IN ('proposed', 'pending', 'ready', 'waiting')
                     AND agent_version IS NULL AND duty IS NULL
                   RETURNING id, event_seq
               )
               INSERT INTO events (task_id, seq, kind, data) SELECT id, event_seq, $4, $5 FROM task"#,
            id.uuid(),
            agent.uuid(),
            usable,
            EventKind::Assigned.as_str(),
            json!({ "actor": actor, "agent_id": agent }),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        let task = self.task(id).await?;
        if assigned.rows_affected() == 1 {
            return Ok(task);
        }
        if !usable {
            return Err(Error::Invalid {
                field: "/agent_id",
                message: format!("agent {agent} does not exist in this project or is inactive"),
            });
        }
        Err(Error::Conflict {
            code: "task_not_assignable",
            message: format!("a task that is {} and has begun keeps its agent", task.status),
        })
    }

    /// As [`Once::request_completion`], in a transaction of its own.
    ///
    /// # Errors
    /// See there.
    pub async fn request_completion(&self, id: TaskId, actor: &str) -> Result<Task> {
        let mut once = self.alone().await?;
        let task = once.request_completion(id, actor).await?;
        once.commit().await?;
        match (task.reason, &task.concurrency_key) {
            (Some(StatusReason::Concurrency), Some(key)) => {
                self.admit(std::slice::from_ref(key)).await?;
                self.task(id).await
            }
            _ => Ok(task),
        }
    }
}

impl Once {
    /// Asks for completion: the next activation runs the acceptance commands on the task's tree and nothing else, and
    /// they decide. Also reopens a task that failed. With a concurrency key it passes that gate first.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `nothing_to_check` when it names no acceptance commands,
    /// `dependencies_open` when a task it depends on did not succeed, `task_not_completable` while it runs or when it
    /// ended otherwise.
    pub async fn request_completion(&mut self, id: TaskId, actor: &str) -> Result<Task> {
        let connection = self.connection()?;
        let row = select_tasks!(
            "WITH task AS (
                 UPDATE tasks
                 SET status = CASE WHEN concurrency_key IS NULL THEN 'ready'::task_status ELSE 'pending' END,
                     status_reason = CASE WHEN concurrency_key IS NULL THEN NULL
                                          ELSE 'concurrency'::status_reason END,
                     status_detail = NULL, verify_only = true, attempt = 0, deaths = 0,
                     isolated = false,
                     run_at = now(), announced_at = now(), completed_at = NULL, event_seq = event_seq + 1,
                     updated_at = now()
                 WHERE id = $1 AND status IN ('pending', 'ready', 'waiting', 'failed') AND duty IS NULL
                   AND acceptance <> '[]'
                   AND status_reason IS DISTINCT FROM 'dependencies'
                   AND status_reason IS DISTINCT FROM 'dependency_failed'
                   -- A journal that was dropped cannot be gone on with.
                   AND EXISTS (SELECT 1 FROM events WHERE events.task_id = $1)
                 RETURNING *
             ), event AS (
                 INSERT INTO events (task_id, seq, kind, data) SELECT id, event_seq, $2, $3 FROM task
             )",
            "task",
            "",
            id.uuid(),
            EventKind::CompletionRequested.as_str(),
            json!({ "actor": actor }),
        )
        .fetch_optional(&mut *connection)
        .await?;
        match row {
            Some(row) => Task::try_from(row),
            None => {
                let task = show(connection, id).await?;
                let waits =
                    matches!(task.reason, Some(StatusReason::Dependencies | StatusReason::DependencyFailed));
                let (code, message) = if is_journal_pruned(connection, id).await? {
                    ("steps_pruned", "its journal was removed after the retention".to_owned())
                } else if task.acceptance.is_empty() {
                    ("nothing_to_check", "the task names no acceptance commands that could decide".to_owned())
                } else if waits {
                    ("dependencies_open", "the tasks that it depends on did not succeed".to_owned())
                } else {
                    ("task_not_completable", format!("a task that is {} cannot be completed", task.status))
                };
                Err(Error::Conflict { code, message })
            }
        }
    }
}
