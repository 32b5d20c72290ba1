//! The begin of a night: one at a time for each memory, whoever asks.

use hive_domain::{
    AgentId, CycleBudget, CycleId, MemoryOwner, MemoryVersionId, ProjectId, SessionId, SleepTrigger,
};

use super::{SleepCycle, read};
use crate::{
    contexts::versions,
    error::{Error, Result},
    once::Once,
    pool::Store,
};

/// A night to be begun.
#[derive(Clone, Debug)]
pub struct NewCycle {
    /// Chosen by the caller.
    pub id: CycleId,
    /// Whose memory.
    pub owner: MemoryOwner,
    /// What begins it.
    pub trigger: SleepTrigger,
    /// Who asks, 1 to 255 characters: a person, or the duty that found it due.
    pub asked_by: String,
    /// What it may use.
    pub budget: CycleBudget,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Begun {
    /// A night was begun; a worker takes it.
    New(SleepCycle),
    /// One is under way for this memory, and no other was begun.
    Running(SleepCycle),
}

impl Begun {
    /// The night that is under way now.
    #[must_use]
    pub const fn cycle(&self) -> &SleepCycle {
        match self {
            Self::New(cycle) | Self::Running(cycle) => cycle,
        }
    }
}

impl Store {
    /// Begins a night, unless one is under way for the same memory. Any number may ask at the same time: one of them
    /// gets [`Begun::New`]. Nudges are the caller's; without one a worker finds it within a second or so.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an owner that does not exist, or bounds that cannot be.
    pub async fn begin_cycle(&self, new: &NewCycle) -> Result<Begun> {
        let mut once = self.alone().await?;
        let begun = once.begin_cycle(new).await?;
        once.commit().await?;
        Ok(begun)
    }
}

impl Once {
    /// See [`Store::begin_cycle`].
    ///
    /// # Errors
    /// As there.
    pub async fn begin_cycle(&mut self, new: &NewCycle) -> Result<Begun> {
        let owner = new.owner;
        let (project, session, agent) = (
            owner.project().map(ProjectId::uuid),
            owner.session().map(SessionId::uuid),
            owner.agent().map(AgentId::uuid),
        );
        let connection = self.connection()?;
        let found = sqlx::query!(
            r#"SELECT $1::uuid IS NULL OR EXISTS (SELECT FROM projects WHERE id = $1) AS "project!",
                      $2::uuid IS NULL OR EXISTS (SELECT FROM sessions WHERE id = $2 AND project_id = $1) AS "session!",
                      $3::uuid IS NULL OR EXISTS (SELECT FROM agents WHERE id = $3 AND project_id = $1) AS "agent!""#,
            project,
            session,
            agent,
        )
        .fetch_one(&mut *connection)
        .await?;
        let bounds = new.budget.money.is_none_or(|money| money.0 >= 0)
            && new.budget.tokens.is_none_or(|tokens| tokens >= 0);
        for (fine, field, what) in [
            (found.project, "/project_id", "no such project"),
            (found.session, "/session_id", "the project has no such session"),
            (found.agent, "/agent_id", "the project has no such agent"),
            (bounds, "/budget", "a bound is not negative"),
            (
                (1..=1_440).contains(&new.budget.minutes),
                "/budget/minutes",
                "write minutes between 1 and 1440",
            ),
            ((1..=255).contains(&new.asked_by.chars().count()), "/asked_by", "1 to 255 characters"),
        ] {
            if !fine {
                return Err(Error::Invalid { field, message: what.to_owned() });
            }
        }
        // Who asks at the same moment waits here, and then finds the other's. One that ends meanwhile makes room.
        sqlx::query!(
            "SELECT pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'sleep', $1::text, $2::uuid, $3::uuid, $4::uuid), 0))",
            owner.scope().as_str(),
            project,
            session,
            agent,
        )
        .fetch_one(&mut *connection)
        .await?;
        let open = sqlx::query_scalar!(
            "SELECT id FROM sleep_cycles
             WHERE scope = $1::text::memory_scope AND project_id IS NOT DISTINCT FROM $2
               AND session_id IS NOT DISTINCT FROM $3 AND agent_id IS NOT DISTINCT FROM $4
               AND state IN ('pending', 'running')",
            owner.scope().as_str(),
            project,
            session,
            agent,
        )
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(open) = open {
            return Ok(Begun::Running(read::one(connection, open.into()).await?));
        }
        let version = MemoryVersionId::new();
        versions::begin(&mut *connection, version, owner).await?;
        sqlx::query!(
            "INSERT INTO sleep_cycles (id, scope, project_id, session_id, agent_id, trigger, asked_by, budget_nano_usd,
                                       budget_tokens, budget_minutes, version_id)
             VALUES ($1, $2::text::memory_scope, $3, $4, $5, $6::text::sleep_trigger, $7, $8, $9, $10, $11)",
            new.id.uuid(),
            owner.scope().as_str(),
            project,
            session,
            agent,
            new.trigger.as_str(),
            new.asked_by,
            new.budget.money.map(|money| money.0),
            new.budget.tokens,
            new.budget.minutes,
            version.uuid(),
        )
        .execute(&mut *connection)
        .await?;
        Ok(Begun::New(read::one(connection, new.id).await?))
    }
}
