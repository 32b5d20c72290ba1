//! Forks: a new task that goes on from a step of another.
//!
//! The shared steps are copied, not referred to: replay stays one query over one task's rows, the original may be
//! pruned without taking the fork's history along, and rows of a journal are small (under 64 KiB; what is larger lies
//! in artifacts, which both tasks refer to by their hash). A copied step has the epoch 0: no run of the fork wrote it,
//! and the fork is not charged for it.

use hive_domain::{Limits, MessagePolicy, TaskId, event::EventKind, journal::Entry, task::Task};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
    tasks::show,
};

/// A fork to be made. What is `None` stays as in the original.
#[derive(Clone, Debug)]
pub struct NewFork {
    /// Chosen by the caller.
    pub id: TaskId,
    /// The original.
    pub from: TaskId,
    /// The last step that is shared.
    pub at: i32,
    /// What people read; the agent is told when it differs.
    pub title: Option<String>,
    /// The same at length.
    pub description: Option<String>,
    /// The model that answers from here on.
    pub model: Option<String>,
    /// What the fork's own steps may use up.
    pub limits: Option<Limits>,
    /// What the agent reads before it goes on.
    pub messages: Vec<String>,
    /// Who asked.
    pub created_by: String,
}

impl Store {
    /// Makes the fork: the row, its share of the journal, and its first event, in one transaction. It begins with the
    /// files of the last shared step and keeps the original's agent and version, so that what it sends to the model
    /// begins with the same bytes. It is not a part of the original's parent, and has no deadline.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `nothing_to_fork` for a built-in duty; [`Error::Invalid`] for a step
    /// that does not exist or that stands between a reply and the results of its tools: the files of such a moment are
    /// in no commit.
    pub async fn fork(&self, new: &NewFork) -> Result<Task> {
        let mut once = self.alone().await?;
        let task = once.fork(new).await?;
        once.commit().await?;
        Ok(task)
    }

    /// The task whose words opened the conversation of `task`: itself, or the first of the line it was forked from. Those
    /// words never change, and every request of the line begins with them.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn opener(&self, task: &Task) -> Result<Task> {
        if task.forked_from.is_none() {
            return Ok(task.clone());
        }
        let first = sqlx::query_scalar!(
            r#"WITH RECURSIVE line AS (
                   SELECT id, forked_from FROM tasks WHERE id = $1
                   UNION ALL
                   SELECT t.id, t.forked_from FROM tasks t JOIN line ON t.id = line.forked_from
               )
               SELECT id AS "id!" FROM line WHERE forked_from IS NULL"#,
            task.id.uuid(),
        )
        .fetch_one(&self.pool)
        .await?;
        self.task(first.into()).await
    }
}

impl Once {
    /// As [`Store::fork`].
    ///
    /// # Errors
    /// See there.
    pub async fn fork(&mut self, new: &NewFork) -> Result<Task> {
        let connection = self.connection()?;
        let original = show(connection, new.from).await?;
        if original.duty.is_some() {
            let message = "a built-in duty has no steps".to_owned();
            return Err(Error::Conflict { code: "nothing_to_fork", message });
        }
        check_place(connection, new).await?;
        let limits = new.limits.as_ref().unwrap_or(&original.limits);
        let limits =
            serde_json::to_value(limits).map_err(|e| Error::inconsistent("tasks", "limits", new.id, e))?;
        let title = new.title.as_ref().unwrap_or(&original.title);
        let data = json!({ "title": title, "priority": original.priority.get(), "forked_from": new.from,
                           "forked_at": new.at });
        sqlx::query!(
            "WITH RECURSIVE place AS (
                 SELECT commit_hash, epoch FROM steps WHERE task_id = $2 AND seq <= $3 AND commit_hash IS NOT NULL
                 ORDER BY seq DESC LIMIT 1
             ), line AS (
                 SELECT id, base_ref, base_commit, forked_from, forked_at FROM tasks WHERE id = $2
                 UNION ALL
                 -- A shared step stands for the files of the task that took it.
                 SELECT t.id, t.base_ref, t.base_commit, t.forked_from, t.forked_at
                 FROM line JOIN tasks t ON t.id = line.forked_from WHERE line.forked_at > $3
             ), taken AS (
                 SELECT base_ref, base_commit FROM line WHERE forked_at IS NULL OR forked_at <= $3
             ), task AS (
                 INSERT INTO tasks (id, project_id, title, description, repository_url, base_ref, base_commit, acceptance,
                                    context, labels, limits, model, on_dependency_failure, max_attempts, created_by,
                                    assigned_agent_id, agent_version, priority, status, status_reason,
                                    announced_at, next_seq,
                                    event_seq, session_id, concurrency_key, forked_from, forked_at, journal_format,
                                    messages_sent)
                 SELECT $1, t.project_id, coalesce($4, t.title), coalesce($5, t.description), t.repository_url,
                        CASE WHEN t.repository_url IS NULL OR place.epoch = 0 THEN t.base_ref
                             WHEN place.epoch > 0 THEN format('hive/%s', t.id)
                             ELSE taken.base_ref END,
                        CASE WHEN t.repository_url IS NOT NULL THEN coalesce(place.commit_hash, taken.base_commit) END,
                        t.acceptance, t.context, t.labels, $6, coalesce($7, t.model), t.on_dependency_failure,
                        t.max_attempts, $8, t.assigned_agent_id, t.agent_version, t.priority,
                        CASE WHEN t.concurrency_key IS NULL THEN 'ready'::task_status ELSE 'pending' END,
                        CASE WHEN t.concurrency_key IS NOT NULL THEN 'concurrency'::status_reason END,
                        CASE WHEN t.concurrency_key IS NULL THEN now() END, $3 + 1, 1,
                        t.session_id, t.concurrency_key, t.id, $3, t.journal_format, cardinality($9::text[])
                 FROM tasks t CROSS JOIN taken LEFT JOIN place ON true WHERE t.id = $2
                 RETURNING id
             ), step AS (
                 INSERT INTO steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at)
                 SELECT task.id, s.seq, 0, s.kind, s.body, s.commit_hash, s.sandbox, s.created_at
                 FROM task, steps s WHERE s.task_id = $2 AND s.seq <= $3
             ), artifact AS (
                 -- Named step-<seq>-<tool use id> where they belong to a step.
                 INSERT INTO task_artifacts (task_id, name, sha256, media_type)
                 SELECT task.id, a.name, a.sha256, a.media_type
                 FROM task, task_artifacts a
                 WHERE a.task_id = $2 AND a.name ~ '^step-[0-9]+-' AND split_part(a.name, '-', 2)::int <= $3
             ), message AS (
                 INSERT INTO task_messages (task_id, number, text, policy, author)
                 SELECT task.id, told.number, told.text, $10::text::message_policy, $8
                 FROM task, unnest($9) WITH ORDINALITY AS told (text, number)
             )
             INSERT INTO events (task_id, seq, kind, data) SELECT id, 1, $11, $12 FROM task",
            new.id.uuid(),
            new.from.uuid(),
            new.at,
            new.title,
            new.description,
            limits,
            new.model,
            new.created_by,
            &new.messages,
            MessagePolicy::Enqueue.as_str(),
            EventKind::Created.as_str(),
            data,
        )
        .execute(&mut *connection)
        .await?;
        show(connection, new.id).await
    }
}

/// Refuses a step that no fork can begin after.
async fn check_place(connection: &mut PgConnection, new: &NewFork) -> Result<()> {
    let refuse = |message| Err(Error::Invalid { field: "/from_step", message });
    let row = sqlx::query!(
        r#"SELECT kind::text AS "kind!", body::text AS "body!" FROM steps WHERE task_id = $1 AND seq = $2"#,
        new.from.uuid(),
        new.at,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else {
        return refuse(format!("the task has no step {}", new.at));
    };
    let entry = Entry::from_stored(&row.kind, &row.body)
        .map_err(|e| Error::inconsistent("steps", "body", format!("{}/{}", new.from, new.at), e))?;
    let is_between = match &entry {
        Entry::Reply(reply) => !reply.calls().is_empty(),
        Entry::Intent(_) | Entry::Outcome(_) => true,
        _ => false,
    };
    if is_between {
        return refuse(format!(
            "step {} stands between a reply and the results of its tools; fork before the reply or after the results",
            new.at
        ));
    }
    Ok(())
}
