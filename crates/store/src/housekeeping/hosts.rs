//! What a host has to know about the tasks whose files it holds.

use hive_domain::TaskId;
use uuid::Uuid;

use crate::{error::Result, pool::Store};

/// A task that some host holds files of.
#[derive(Clone, Debug)]
pub struct HostTask {
    /// Its id.
    pub id: TaskId,
    /// It ended ten minutes ago or more, so that whoever ran it has put its files away.
    pub is_over: bool,
    /// Address and base commit of its repository.
    pub repository: Option<(String, String)>,
}

impl Store {
    /// Those of `ids` that this hive knows.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn host_tasks(&self, ids: &[TaskId]) -> Result<Vec<HostTask>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows = sqlx::query!(
            r#"SELECT id, coalesce(completed_at < now() - interval '10 minutes', false) AS "is_over!", repository_url,
                      base_commit
               FROM tasks WHERE id = ANY ($1)"#,
            &ids,
        )
        .fetch_all(&self.pool)
        .await?;
        let task = rows.into_iter().map(|row| HostTask {
            id: row.id.into(),
            is_over: row.is_over,
            repository: row.repository_url.zip(row.base_commit),
        });
        Ok(task.collect())
    }

    /// The addresses that tasks which have not ended work on.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn open_repositories(&self) -> Result<Vec<String>> {
        let urls = sqlx::query_scalar!(
            r#"SELECT DISTINCT repository_url AS "url!" FROM tasks
               WHERE status IN ('proposed', 'pending', 'ready', 'running', 'waiting') AND repository_url IS NOT NULL"#,
        );
        Ok(urls.fetch_all(&self.pool).await?)
    }
}
