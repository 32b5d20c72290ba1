//! How many tasks stand where: for dashboards and alarms.

use hive_domain::{Priority, StatusReason, TaskStatus};

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// Tasks that stand alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Where. Tasks that succeeded, failed or were cancelled are not counted: they only grow.
    pub status: TaskStatus,
    /// Why.
    pub reason: Option<StatusReason>,
    /// How urgent.
    pub priority: Priority,
    /// How many.
    pub count: i64,
    /// Seconds since the one of them changed that has not changed for longest.
    pub oldest_seconds: f64,
    /// How many of them are running and hold a lease that has ended.
    pub lapsed: i64,
    /// How many of them are dead and were tried again as another task: nobody has to look after them any more.
    pub redriven: i64,
}

impl Store {
    /// Counts the tasks that are not at their end, and the dead ones, in one statement over the index of states.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn census(&self) -> Result<Vec<Standing>> {
        let rows = sqlx::query!(
            r#"SELECT status::text AS "status!", status_reason::text AS reason, priority, count(*) AS "count!",
                      extract(epoch FROM max(now() - updated_at))::double precision AS "oldest!",
                      count(*) FILTER (WHERE lease_until < now()) AS "lapsed!",
                      count(*) FILTER (WHERE status = 'dead'
                                         AND id IN (SELECT redriven_from FROM tasks WHERE redriven_from IS NOT NULL))
                          AS "redriven!"
               FROM tasks
               -- One state after the other, so that the index of states is used also when most tasks are at their end.
               WHERE status = ANY (ARRAY['proposed', 'pending', 'ready', 'running', 'waiting', 'dead']::task_status[])
               GROUP BY status, status_reason, priority"#,
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let wrong = |column, error: &dyn std::fmt::Display| {
                    Error::inconsistent("tasks", column, "census", error.to_string())
                };
                Ok(Standing {
                    status: row.status.parse().map_err(|e| wrong("status", &e))?,
                    reason: row
                        .reason
                        .map(|r| r.parse())
                        .transpose()
                        .map_err(|e| wrong("status_reason", &e))?,
                    priority: Priority::try_from(i64::from(row.priority))
                        .map_err(|e| wrong("priority", &e))?,
                    count: row.count,
                    oldest_seconds: row.oldest,
                    lapsed: row.lapsed,
                    redriven: row.redriven,
                })
            })
            .collect()
    }
}
