//! When an agent sleeps by itself, and how long.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, NanoUsd, SleepSettings};

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// The settings of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSleepSettings {
    /// What holds.
    pub settings: SleepSettings,
    /// One more with each change; 0 while the usual ones hold.
    pub version: i32,
    /// Who said so, and when; `None` while the usual ones hold.
    pub updated: Option<(String, DateTime<Utc>)>,
}

impl Store {
    /// The settings of an agent.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn sleep_settings(&self, agent: AgentId) -> Result<ListedSleepSettings> {
        let row = sqlx::query!(
            r#"SELECT s.idle_seconds, s.pressure_entries, s.pressure_steps, s.fall_seconds AS "fall_seconds?",
                      s.sleep_seconds AS "sleep_seconds?", s.night_nano_usd AS "night_nano_usd?", s.version AS "version?",
                      s.updated_by AS "updated_by?", s.updated_at AS "updated_at?"
               FROM agents a LEFT JOIN sleep_settings s ON s.agent_id = a.id WHERE a.id = $1"#,
            agent.uuid(),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| missing(agent))?;
        let usual = SleepSettings::default();
        Ok(ListedSleepSettings {
            settings: SleepSettings {
                idle_seconds: row.idle_seconds,
                pressure_entries: row.pressure_entries,
                pressure_steps: row.pressure_steps,
                fall_seconds: row.fall_seconds.unwrap_or(usual.fall_seconds),
                sleep_seconds: row.sleep_seconds.unwrap_or(usual.sleep_seconds),
                night_money: row.night_nano_usd.map_or(usual.night_money, NanoUsd),
            },
            version: row.version.unwrap_or(0),
            updated: row.updated_by.zip(row.updated_at),
        })
    }

    /// Sets them; they hold from the next night on. With `expected` only while they have this version.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `sleep_settings_changed`; [`Error::Database`] for numbers beyond the bounds of [`SleepSettings`].
    pub async fn set_sleep_settings(
        &self,
        agent: AgentId,
        settings: &SleepSettings,
        expected: Option<i32>,
        actor: &str,
    ) -> Result<ListedSleepSettings> {
        let set = sqlx::query!(
            "INSERT INTO sleep_settings AS s (agent_id, idle_seconds, pressure_entries, pressure_steps, fall_seconds,
                                              sleep_seconds, updated_by, night_nano_usd)
             SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM agents
             WHERE id = $1 AND ($9::int IS NULL
                                OR $9 = coalesce((SELECT h.version FROM sleep_settings h WHERE h.agent_id = $1), 0))
             ON CONFLICT (agent_id) DO UPDATE
                 SET idle_seconds = excluded.idle_seconds, pressure_entries = excluded.pressure_entries,
                     pressure_steps = excluded.pressure_steps, fall_seconds = excluded.fall_seconds,
                     sleep_seconds = excluded.sleep_seconds, night_nano_usd = excluded.night_nano_usd,
                     version = s.version + 1, updated_by = excluded.updated_by, updated_at = now()
                 -- Somebody else may have changed them since the look above.
                 WHERE $9::int IS NULL OR s.version = $9",
            agent.uuid(),
            settings.idle_seconds,
            settings.pressure_entries,
            settings.pressure_steps,
            settings.fall_seconds,
            settings.sleep_seconds,
            actor,
            settings.night_money.0,
            expected,
        );
        let is_set = set.execute(&self.pool).await?.rows_affected() > 0;
        let now = self.sleep_settings(agent).await?;
        if is_set {
            return Ok(now);
        }
        let message =
            format!("the sleep settings of agent {agent} were changed meanwhile: version {}", now.version);
        Err(Error::Conflict { code: "sleep_settings_changed", message })
    }
}

fn missing(agent: AgentId) -> Error {
    Error::NotFound { what: "agent", id: agent.to_string() }
}
