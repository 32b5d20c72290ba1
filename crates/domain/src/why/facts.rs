//! What has to be known to say why.

use chrono::{DateTime, Utc};

use crate::{budget::Budget, ids::TaskId, money::NanoUsd, night::SleepTrigger, sleep::SleepState};

/// What is known about the surroundings of a task, read in the same moment as the task.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// A pause that covers it.
    pub pause: Option<CoveringPause>,
    /// The night that its agent sleeps through.
    pub sleep: Option<CoveringSleep>,
    /// Ready tasks that go before it, counted up to 1,000.
    pub ahead: i64,
    /// Ordinary workers that live and take tasks.
    pub workers: i64,
    /// Their slots together.
    pub slots: i64,
    /// Isolated workers that live.
    pub isolated_workers: i64,
    /// Tasks that it waits for and that have not ended, up to 10.
    pub open_dependencies: Vec<TaskId>,
    /// Tasks that hold the places of its concurrency key, up to 10.
    pub key_holders: Vec<TaskId>,
    /// Places of its concurrency key.
    pub key_limit: i64,
    /// The budget that its next call did not fit into; `None` once it was removed.
    pub budget: Option<Budget>,
    /// What that call may cost at most.
    pub budget_need: NanoUsd,
    /// Who runs it.
    pub worker: Option<String>,
    /// What stands between the fleet and its models.
    pub provider: Vec<ProviderFact>,
    /// Seconds until its lease ends, by the database's clock; negative once it has ended.
    pub lease_seconds: Option<f64>,
    /// Seconds since its time, by the same clock; negative while that lies ahead.
    pub late_seconds: f64,
}

/// The pause that holds a task back.
#[derive(Clone, Debug)]
pub struct CoveringPause {
    /// `fleet`, `lane`, `agent` or `session`.
    pub scope: String,
    /// Which one; empty for the fleet.
    pub name: String,
    /// Why, in the words of whoever paused.
    pub reason: String,
    /// Ends by itself then.
    pub until: Option<DateTime<Utc>>,
    /// Who paused.
    pub created_by: String,
}

/// The night that holds a task back.
#[derive(Clone, Debug)]
pub struct CoveringSleep {
    /// The agent's name.
    pub agent: String,
    /// Where it stands.
    pub state: SleepState,
    /// Why it sleeps.
    pub trigger: SleepTrigger,
    /// It wakes then at the latest.
    pub wake_by: DateTime<Utc>,
}

/// Something that turns calls to the provider away.
#[derive(Clone, Debug)]
pub struct ProviderFact {
    /// What it is.
    pub kind: ProviderFactKind,
    /// The model; of a stopped key, the key.
    pub of: String,
    /// When it clears by itself, or is tried for the next time.
    pub until: DateTime<Utc>,
    /// What the provider said.
    pub detail: String,
}

/// Kinds of it, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProviderFactKind {
    /// Nobody calls with the key.
    KeyStopped,
    /// Too many calls of a model failed.
    BreakerOpen,
    /// The provider said when to come back.
    Held,
}
