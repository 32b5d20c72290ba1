//! Sessions: tasks that a person starts, watches and pauses together.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hive_domain::{ProjectId, SessionId, TaskStatus};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// A session to be made.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Chosen by the caller.
    pub id: SessionId,
    /// The owner.
    pub project: ProjectId,
    /// 1 to 255 characters.
    pub name: String,
    /// Who asked.
    pub created_by: String,
}

/// A session and where its tasks stand.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The owner.
    pub project: ProjectId,
    /// Need not be unique.
    pub name: String,
    /// Who asked.
    pub created_by: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// How many of its tasks are in each state; states of none are left out.
    pub tasks: BTreeMap<String, i64>,
}

struct Row {
    id: Uuid,
    project_id: Uuid,
    name: String,
    created_by: String,
    created_at: DateTime<Utc>,
    tasks: serde_json::Value,
}

impl TryFrom<Row> for Session {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let tasks: BTreeMap<String, i64> = serde_json::from_value(row.tasks)
            .map_err(|e| Error::inconsistent("sessions", "tasks", row.id, e))?;
        for name in tasks.keys() {
            name.parse::<TaskStatus>().map_err(|e| Error::inconsistent("tasks", "status", row.id, e))?;
        }
        Ok(Self {
            id: row.id.into(),
            project: row.project_id.into(),
            name: row.name,
            created_by: row.created_by,
            created_at: row.created_at,
            tasks,
        })
    }
}

impl Store {
    /// Makes a session.
    ///
    /// # Errors
    /// [`Error::Invalid`] `/project_id` for a project that does not exist.
    pub async fn create_session(&self, new: &NewSession) -> Result<Session> {
        let made = sqlx::query!(
            "INSERT INTO sessions (id, project_id, name, created_by) VALUES ($1, $2, $3, $4) RETURNING created_at",
            new.id.uuid(),
            new.project.uuid(),
            new.name,
            new.created_by,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(|error| match Error::constraint(&error) {
            Some("sessions_project_id_fkey") => {
                Error::Invalid { field: "/project_id", message: "this project does not exist".to_owned() }
            }
            _ => error.into(),
        })?;
        Ok(Session {
            id: new.id,
            project: new.project,
            name: new.name.clone(),
            created_by: new.created_by.clone(),
            created_at: made.created_at,
            tasks: BTreeMap::new(),
        })
    }

    /// One session.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn session(&self, id: SessionId) -> Result<Session> {
        sqlx::query_as!(
            Row,
            r#"SELECT s.id, s.project_id, s.name, s.created_by, s.created_at,
                      (SELECT coalesce(jsonb_object_agg(status, count), '{}')
                       FROM (SELECT t.status, count(*) FROM tasks t WHERE t.session_id = s.id GROUP BY 1) AS counts)
                          AS "tasks!"
               FROM sessions s WHERE s.id = $1"#,
            id.uuid(),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| Error::NotFound { what: "session", id: id.to_string() })?
        .try_into()
    }

    /// Sessions before `cursor`, newest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn sessions(
        &self,
        project: Option<ProjectId>,
        cursor: Option<SessionId>,
        limit: i64,
    ) -> Result<Vec<Session>> {
        sqlx::query_as!(
            Row,
            r#"SELECT s.id, s.project_id, s.name, s.created_by, s.created_at,
                      (SELECT coalesce(jsonb_object_agg(status, count), '{}')
                       FROM (SELECT t.status, count(*) FROM tasks t WHERE t.session_id = s.id GROUP BY 1) AS counts)
                          AS "tasks!"
               FROM sessions s
               WHERE ($1::uuid IS NULL OR s.project_id = $1) AND ($2::uuid IS NULL OR s.id < $2)
               ORDER BY s.id DESC
               LIMIT $3"#,
            project.map(ProjectId::uuid),
            cursor.map(SessionId::uuid),
            limit,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Session::try_from)
        .collect()
    }
}
