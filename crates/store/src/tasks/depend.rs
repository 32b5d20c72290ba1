//! Letting a task wait for further tasks.

use std::collections::HashMap;

use hive_domain::{TaskId, cycle::find_cycle, event::EventKind, task::Task};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::select_tasks;
use crate::{
    error::{Error, Result},
    once::Once,
    pool::Store,
};

/// Tasks that one task waits for at most.
pub const MAX_DEPENDENCIES: i64 = 100;

impl Store {
    /// As [`Once::depend`], in a transaction of its own.
    ///
    /// # Errors
    /// See there.
    pub async fn depend(&self, id: TaskId, depends_on: &[TaskId], actor: &str) -> Result<Task> {
        let mut once = self.alone().await?;
        let task = once.depend(id, depends_on, actor).await?;
        once.commit().await?;
        Ok(task)
    }
}

impl Once {
    /// Lets a task that no worker has taken so far wait for these tasks too. One that is ready is pending then; a ticket
    /// of it finds nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for a task that does not exist or too many of them; [`Error::Cycle`] when
    /// one of them waits for this one, directly or not; [`Error::Conflict`] `task_started` when it has begun or ended.
    pub async fn depend(&mut self, id: TaskId, depends_on: &[TaskId], actor: &str) -> Result<Task> {
        let connection = self.connection()?;
        let mut awaited: Vec<Uuid> = depends_on.iter().map(|id| id.uuid()).collect();
        awaited.sort_unstable();
        awaited.dedup();
        // One at a time: two edges that close a circle only together would each not see the other.
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('hive.dependencies'))")
            .fetch_one(&mut *connection)
            .await?;
        check(connection, id, &awaited).await?;
        let row = select_tasks!(
            "WITH task AS (
                 UPDATE tasks
                 SET status = 'pending', status_reason = 'dependencies', status_detail = NULL, announced_at = NULL,
                     event_seq = event_seq + 1, updated_at = now()
                 WHERE id = $1 AND status IN ('pending', 'ready') AND started_at IS NULL
                 RETURNING *
             ), event AS (
                 INSERT INTO events (task_id, seq, kind, data) SELECT id, event_seq, $2, $3 FROM task
             )",
            "task",
            "",
            id.uuid(),
            EventKind::DependenciesAdded.as_str(),
            json!({ "actor": actor, "depends_on": awaited }),
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else {
            return Err(not_waiting(connection, id).await?);
        };
        sqlx::query!(
            "INSERT INTO task_dependencies (task_id, depends_on) SELECT $1, awaited FROM unnest($2::uuid[]) AS awaited
             ON CONFLICT DO NOTHING",
            id.uuid(),
            &awaited,
        )
        .execute(&mut *connection)
        .await?;
        let mut task = Task::try_from(row)?;
        task.dependencies = sqlx::query_scalar!(
            "SELECT depends_on FROM task_dependencies WHERE task_id = $1 ORDER BY 1",
            id.uuid(),
        )
        .fetch_all(connection)
        .await?
        .into_iter()
        .map(Into::into)
        .collect();
        Ok(task)
    }
}

/// Everything that can be said against it while nobody else may add edges.
async fn check(connection: &mut PgConnection, id: TaskId, awaited: &[Uuid]) -> Result<()> {
    let invalid = |message: String| Error::Invalid { field: "/depends_on", message };
    let missing = sqlx::query_scalar!(
        r#"SELECT awaited AS "awaited!" FROM unnest($1::uuid[]) AS awaited
           WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = awaited)"#,
        awaited,
    )
    .fetch_all(&mut *connection)
    .await?;
    if let Some(missing) = missing.first() {
        return Err(invalid(format!("task {missing} does not exist")));
    }
    // Everything that the task would wait for, each once, however many ways lead there.
    let edges = sqlx::query!(
        r#"WITH RECURSIVE reached (id) AS (
               SELECT unnest($1::uuid[])
               UNION
               SELECT d.depends_on FROM reached JOIN task_dependencies d ON d.task_id = reached.id
           )
           SELECT d.task_id, d.depends_on FROM reached JOIN task_dependencies d ON d.task_id = reached.id"#,
        awaited,
    )
    .fetch_all(&mut *connection)
    .await?;
    let own = awaited.iter().map(|awaited| (id.uuid(), *awaited));
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    let (mut ids, mut waits_for) = (Vec::new(), Vec::<Vec<usize>>::new());
    let mut place = |id: Uuid, ids: &mut Vec<Uuid>| {
        *places.entry(id).or_insert_with(|| {
            ids.push(id);
            ids.len() - 1
        })
    };
    for (from, to) in own.chain(edges.into_iter().map(|edge| (edge.task_id, edge.depends_on))) {
        let (from, to) = (place(from, &mut ids), place(to, &mut ids));
        waits_for.resize(ids.len(), Vec::new());
        waits_for[from].push(to);
    }
    if let Some(cycle) = find_cycle(&waits_for) {
        return Err(Error::Cycle(cycle.into_iter().map(|place| ids[place].into()).collect()));
    }
    let all = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (SELECT depends_on FROM task_dependencies WHERE task_id = $1
                                             UNION SELECT unnest($2::uuid[])) AS all_of_them"#,
        id.uuid(),
        awaited,
    )
    .fetch_one(connection)
    .await?;
    if all > MAX_DEPENDENCIES {
        return Err(invalid(format!("a task waits for at most {MAX_DEPENDENCIES} tasks, not {all}")));
    }
    Ok(())
}

async fn not_waiting(connection: &mut PgConnection, id: TaskId) -> Result<Error> {
    let status =
        sqlx::query_scalar!(r#"SELECT status::text AS "status!" FROM tasks WHERE id = $1"#, id.uuid())
            .fetch_optional(connection)
            .await?;
    Ok(match status {
        None => Error::NotFound { what: "task", id: id.to_string() },
        Some(status) => Error::Conflict {
            code: "task_started",
            message: format!("a task that is {status} and has begun waits for nothing more"),
        },
    })
}
