//! Agents begin to fall asleep. One night at a time for each, whoever asks: the index of open nights decides.

use hive_domain::{AgentId, SleepId, SleepRefusal, SleepSettings, SleepTrigger, Sleepers};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Sleep, select_sleeps};
use crate::{
    error::{Error, Result},
    meter,
    once::Once,
    pool::Store,
};

/// What became of a wish that agents sleep.
#[derive(Clone, Debug, Default)]
pub struct PutToSleep {
    /// Nights that began.
    pub begun: Vec<Sleep>,
    /// Nights that had begun before.
    pub already: Vec<Sleep>,
    /// Agents that stay awake, and why.
    pub refused: Vec<(AgentId, SleepRefusal)>,
}

impl Store {
    /// Puts agents to sleep. Nothing of them starts from the commit on.
    ///
    /// # Errors
    /// [`Error::Invalid`] when an agent, a type or a role does not exist.
    pub async fn sleep(&self, whom: &Sleepers, trigger: SleepTrigger, actor: &str) -> Result<PutToSleep> {
        let mut tx = self.pool.begin().await?;
        let put = begin(&mut tx, whom, trigger, actor).await?;
        tx.commit().await?;
        Ok(put)
    }

    /// Whether these agents are there and may sleep, as [`Store::sleep`] would find now.
    ///
    /// # Errors
    /// [`Error::Invalid`] when an agent, a type or a role does not exist, or a named agent is inactive.
    pub async fn rehearse_sleep(&self, whom: &Sleepers) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        let meant = meant(&mut connection, whom).await?;
        let inactive = sqlx::query_scalar!(
            "SELECT id FROM agents WHERE id = ANY ($1) AND status <> 'active' ORDER BY id LIMIT 1",
            &meant
        );
        match inactive.fetch_optional(&mut *connection).await? {
            Some(agent) => {
                let message = format!("agent {agent} is inactive and does not sleep");
                Err(Error::Invalid { field: "/agent_ids", message })
            }
            None => Ok(()),
        }
    }
}

impl Once {
    /// See [`Store::sleep`].
    ///
    /// # Errors
    /// As there.
    pub async fn sleep(&mut self, whom: &Sleepers, trigger: SleepTrigger, actor: &str) -> Result<PutToSleep> {
        begin(self.connection()?, whom, trigger, actor).await
    }
}

/// The agents that are meant, in the order of their ids.
///
/// # Errors
/// [`Error::Invalid`] when there is none.
pub(super) async fn meant(connection: &mut PgConnection, whom: &Sleepers) -> Result<Vec<Uuid>> {
    let (ids, kind, role): (Option<Vec<Uuid>>, Option<&str>, Option<&str>) = match whom {
        Sleepers::AgentIds(ids) => (Some(ids.iter().map(|id| id.uuid()).collect()), None, None),
        Sleepers::AgentType(kind) => (None, Some(kind), None),
        Sleepers::Role(role) => (None, None, Some(role)),
        Sleepers::All => (None, None, None),
    };
    let found = sqlx::query_scalar!(
        "SELECT a.id FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
         WHERE ($1::uuid[] IS NULL OR a.id = ANY ($1)) AND ($2::text IS NULL OR a.type = $2)
           AND ($3::text IS NULL OR v.role = $3)
           -- Who is named is answered for; of a group those count that work.
           AND ($1::uuid[] IS NOT NULL OR a.status = 'active')
         ORDER BY a.id",
        ids.as_deref(),
        kind,
        role,
    )
    .fetch_all(connection)
    .await?;
    let none = |field, message: String| Err(Error::Invalid { field, message });
    match whom {
        Sleepers::AgentIds(ids) => match ids.iter().find(|id| !found.contains(&id.uuid())) {
            Some(missing) => none("/agent_ids", format!("agent {missing} does not exist")),
            None => Ok(found),
        },
        Sleepers::AgentType(kind) if found.is_empty() => {
            none("/agent_type", format!("no active agent has the type {kind:?}"))
        }
        Sleepers::Role(role) if found.is_empty() => {
            none("/role", format!("no active agent has the role {role:?}"))
        }
        Sleepers::AgentType(_) | Sleepers::Role(_) | Sleepers::All => Ok(found),
    }
}

/// Puts these agents to sleep, as far as they are awake and may.
pub(crate) async fn begin(
    connection: &mut PgConnection,
    whom: &Sleepers,
    trigger: SleepTrigger,
    actor: &str,
) -> Result<PutToSleep> {
    let agents = meant(&mut *connection, whom).await?;
    let ids: Vec<Uuid> = agents.iter().map(|_| SleepId::new().uuid()).collect();
    let usual = SleepSettings::default();
    let begun = sqlx::query_scalar!(
        r#"WITH sleep AS (
               INSERT INTO sleeps (id, agent_id, trigger, requested_by, falls_by, wake_by)
               SELECT g.id, g.agent_id, $3::text::sleep_trigger, $4,
                      now() + make_interval(secs => coalesce(w.fall_seconds, $5)),
                      now() + make_interval(secs => coalesce(w.fall_seconds, $5) + coalesce(w.sleep_seconds, $6))
               FROM unnest($1::uuid[], $2::uuid[]) AS g (id, agent_id)
               JOIN agents a ON a.id = g.agent_id AND a.status = 'active'
               LEFT JOIN sleep_settings w ON w.agent_id = g.agent_id
               WHERE NOT EXISTS (SELECT 1 FROM tasks t
                                 WHERE t.assigned_agent_id = g.agent_id AND t.status IN ('ready', 'running')
                                   -- What would be over before the night is, at the latest, has failed by then.
                                   AND (t.priority <= 2
                                        OR t.deadline <= now() + make_interval(secs => coalesce(w.fall_seconds, $5)
                                                                                       + coalesce(w.sleep_seconds, $6))))
               -- In one order, so that two groups that meet do not wait for each other in a circle.
               ORDER BY g.agent_id
               ON CONFLICT (agent_id) WHERE state <> 'awake' DO NOTHING
               RETURNING id, agent_id, trigger, requested_by, wake_by
           ), event AS (
               INSERT INTO sleep_events (sleep_id, seq, kind, data)
               SELECT id, 1, 'falling_asleep',
                      jsonb_build_object('trigger', trigger, 'requested_by', requested_by, 'wake_by', wake_by)
               FROM sleep
           )
           SELECT id AS "id!" FROM sleep"#,
        &ids,
        &agents,
        trigger.as_str(),
        actor,
        usual.fall_seconds,
        usual.sleep_seconds,
    )
    .fetch_all(&mut *connection)
    .await?;
    let open =
        select_sleeps!("WHERE s.agent_id = ANY ($1) AND s.state <> 'awake' ORDER BY s.agent_id", &agents);
    let open: Vec<Sleep> =
        open.fetch_all(&mut *connection).await?.into_iter().map(Sleep::try_from).collect::<Result<_>>()?;
    let (begun, already): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|sleep| begun.contains(&sleep.id.uuid()));
    let awake: Vec<Uuid> = agents
        .into_iter()
        .filter(|agent| !begun.iter().chain(&already).any(|sleep| sleep.agent.uuid() == *agent))
        .collect();
    let refused = sqlx::query!(
        r#"SELECT id, status = 'active' AS "active!" FROM agents WHERE id = ANY ($1) ORDER BY id"#,
        &awake
    );
    let refused = refused.fetch_all(connection).await?.into_iter().map(|row| {
        let why = if row.active { SleepRefusal::UrgentWork } else { SleepRefusal::Inactive };
        (row.id.into(), why)
    });
    meter::sleeps(trigger, begun.len());
    Ok(PutToSleep { refused: refused.collect(), begun, already })
}
