//! Pauses: what takes no tasks at the moment, and until when.

use chrono::{DateTime, Utc};
use hive_domain::PauseMode;

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// What a pause covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseScope {
    /// `fleet`, `lane`, `agent` or `session`.
    pub kind: String,
    /// Empty for the fleet, else the lane's name, the agent's or the session's id.
    pub name: String,
}

/// A pause that holds.
#[derive(Clone, Debug)]
pub struct Pause {
    /// What it covers.
    pub scope: PauseScope,
    /// What it does to tasks that run.
    pub mode: PauseMode,
    /// Why, in the words of whoever paused.
    pub reason: String,
    /// Ends by itself then.
    pub until: Option<DateTime<Utc>>,
    /// Who paused.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

struct Row {
    scope: String,
    name: String,
    mode: String,
    reason: String,
    until: Option<DateTime<Utc>>,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Pause {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let mode = row.mode.parse();
        let mode = mode.map_err(|e| Error::inconsistent("pauses", "mode", &row.name, e))?;
        Ok(Self {
            scope: PauseScope { kind: row.scope, name: row.name },
            mode,
            reason: row.reason,
            until: row.until,
            created_by: row.created_by,
            created_at: row.created_at,
        })
    }
}

impl Store {
    /// Pauses, or changes the pause of the same scope. It holds for every claim that begins after the commit.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown kind, for a lane, an agent or a session that does not exist, for a name of the
    /// fleet, which has none, and for an end that has passed.
    pub async fn pause(
        &self,
        scope: &PauseScope,
        mode: PauseMode,
        reason: &str,
        until: Option<DateTime<Utc>>,
        actor: &str,
    ) -> Result<Pause> {
        let row = sqlx::query_as!(
            Row,
            r#"INSERT INTO pauses AS p (scope, name, mode, reason, until, created_by)
               SELECT $1, $2, $3::text::pause_mode, $4, $5, $6
               WHERE ($5::timestamptz IS NULL OR $5 > now())
                 AND CASE $1 WHEN 'fleet' THEN $2 = ''
                             WHEN 'lane' THEN $2 IN (SELECT lane_of(n::smallint) FROM generate_series(1, 9) AS n)
                             WHEN 'agent' THEN EXISTS (SELECT 1 FROM agents WHERE id::text = $2)
                             WHEN 'session' THEN EXISTS (SELECT 1 FROM sessions WHERE id::text = $2)
                             ELSE false END
               ON CONFLICT (scope, name) DO UPDATE
                   SET mode = excluded.mode, reason = excluded.reason, until = excluded.until,
                       created_by = excluded.created_by, created_at = now()
               RETURNING scope, name, mode::text AS "mode!", reason, until, created_by, created_at"#,
            scope.kind,
            scope.name,
            mode.as_str(),
            reason,
            until,
            actor,
        )
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some(row) => row.try_into(),
            None => {
                let past = sqlx::query_scalar!(r#"SELECT coalesce($1 <= now(), false) AS "past!""#, until);
                if past.fetch_one(&self.pool).await? {
                    return Err(Error::Invalid { field: "/until", message: "lies in the past".to_owned() });
                }
                let (field, message) = match scope.kind.as_str() {
                    "fleet" => ("/name", "the fleet has no name".to_owned()),
                    "lane" | "agent" | "session" => {
                        ("/name", format!("{} {} does not exist", scope.kind, scope.name))
                    }
                    kind => ("/scope", format!("{kind:?} is not one of fleet, lane, agent and session")),
                };
                Err(Error::Invalid { field, message })
            }
        }
    }

    /// Ends a pause; false when there was none.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn resume(&self, scope: &PauseScope) -> Result<bool> {
        let ended = sqlx::query!("DELETE FROM pauses WHERE scope = $1 AND name = $2", scope.kind, scope.name);
        Ok(ended.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Removes pauses whose time has passed. Returns how many.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn end_pauses(&self) -> Result<u64> {
        let ended = sqlx::query!("DELETE FROM pauses WHERE until < now()");
        Ok(ended.execute(&self.pool).await?.rows_affected())
    }

    /// The pauses that hold now, oldest first, at most 1,000.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn pauses(&self) -> Result<Vec<Pause>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT scope, name, mode::text AS "mode!", reason, until, created_by, created_at
               FROM pauses WHERE until IS NULL OR until > now() ORDER BY created_at, scope, name LIMIT 1000"#,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(Pause::try_from).collect()
    }
}
