//! Agents asleep: from the wish to sleep to the morning. What is done to their memory meanwhile is a cycle; see
//! [`crate::sleep_cycles`].

pub(crate) mod begin;
mod brief;
mod census;
mod fall;
mod list;
mod morning;
mod saving;
mod settings;
mod triggers;
mod wake;

pub use begin::PutToSleep;
pub use census::SleepCensus;
use chrono::{DateTime, Utc};
pub use fall::Fallen;
use hive_domain::{
    AgentId, CycleId, CycleState, SleepId, SleepState, SleepTrigger, TaskId, WakeReason, journal::Briefing,
};
pub use list::SleepEvent;
pub use morning::Woke;
pub use saving::{Saving, Spent};
pub use settings::ListedSleepSettings;
use uuid::Uuid;
pub use wake::Awakened;

use crate::error::{Error, Result};

/// A night of an agent as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Sleep {
    /// Its id.
    pub id: SleepId,
    /// Whose.
    pub agent: AgentId,
    /// What that agent is called.
    pub agent_name: String,
    /// Why it sleeps.
    pub trigger: SleepTrigger,
    /// A person, a schedule, or the trigger.
    pub requested_by: String,
    /// Where it stands.
    pub state: SleepState,
    /// When it began to fall asleep.
    pub began_at: DateTime<Utc>,
    /// It is asleep then, whatever still runs to its step edge.
    pub falls_by: DateTime<Utc>,
    /// It wakes then, whatever its cycle does.
    pub wake_by: DateTime<Utc>,
    /// When it was asleep.
    pub asleep_at: Option<DateTime<Utc>>,
    /// What is done to its memory.
    pub cycle: Option<CycleId>,
    /// Where that stands.
    pub cycle_state: Option<CycleState>,
    /// Why it woke.
    pub wake_reason: Option<WakeReason>,
    /// When it was awake.
    pub woken_at: Option<DateTime<Utc>>,
    /// What its first run is told.
    pub briefing: Option<Briefing>,
    /// The run that told it, and the number of the entry that holds it.
    pub briefed: Option<(TaskId, i32)>,
}

pub(crate) struct Row {
    id: Uuid,
    agent_id: Uuid,
    agent_name: String,
    trigger: String,
    requested_by: String,
    state: String,
    began_at: DateTime<Utc>,
    falls_by: DateTime<Utc>,
    wake_by: DateTime<Utc>,
    asleep_at: Option<DateTime<Utc>>,
    cycle_id: Option<Uuid>,
    cycle_state: Option<String>,
    wake_reason: Option<String>,
    woken_at: Option<DateTime<Utc>>,
    briefing: Option<serde_json::Value>,
    briefed_task: Option<Uuid>,
    briefed_step: Option<i32>,
}

/// `select_sleeps!(tail, arguments…)`: reads [`Row`]s of `s`, the nights, and `a`, their agents.
macro_rules! select_sleeps {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::sleeps::Row,
            r#"SELECT s.id, s.agent_id, a.name AS agent_name, s.trigger::text AS "trigger!", s.requested_by,
                      s.state::text AS "state!", s.began_at, s.falls_by, s.wake_by, s.asleep_at, s.cycle_id,
                      (SELECT c.state::text FROM sleep_cycles c WHERE c.id = s.cycle_id) AS cycle_state,
                      s.wake_reason::text AS wake_reason, s.woken_at, s.briefing, s.briefed_task, s.briefed_step
               FROM sleeps s JOIN agents a ON a.id = s.agent_id "# + $tail
            $(, $argument)*
        )
    };
}
use select_sleeps;

impl TryFrom<Row> for Sleep {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        let bad = |column| move |e| Error::inconsistent("sleeps", column, id, e);
        let wrong = |column| move |e: serde_json::Error| Error::inconsistent("sleeps", column, id, e);
        Ok(Self {
            id: id.into(),
            agent: row.agent_id.into(),
            agent_name: row.agent_name,
            trigger: row.trigger.parse().map_err(bad("trigger"))?,
            requested_by: row.requested_by,
            state: row.state.parse().map_err(bad("state"))?,
            began_at: row.began_at,
            falls_by: row.falls_by,
            wake_by: row.wake_by,
            asleep_at: row.asleep_at,
            cycle: row.cycle_id.map(Into::into),
            cycle_state: row.cycle_state.map(|name| name.parse()).transpose().map_err(bad("cycle_state"))?,
            wake_reason: row.wake_reason.map(|name| name.parse()).transpose().map_err(bad("wake_reason"))?,
            woken_at: row.woken_at,
            briefing: row.briefing.map(serde_json::from_value).transpose().map_err(wrong("briefing"))?,
            briefed: row.briefed_task.map(Into::into).zip(row.briefed_step),
        })
    }
}
