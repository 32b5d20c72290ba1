//! Nights: consolidations of a memory, each a transaction over many phases. What a night makes is rows of a version that
//! nobody sees until it is published; see [`crate::contexts`].

mod begin;
mod changes;
mod diff;
mod end;
mod gate;
mod lease;
mod left_out;
mod material;
mod phases;
mod read;
mod readings;
mod rollback;
mod told;

use chrono::{DateTime, Utc};
use hive_domain::{
    CycleBudget, CycleId, CyclePhase, CycleState, MemoryOwner, MemoryVersionId, NanoUsd, SleepTrigger,
};
use serde_json::Value;

pub use begin::{Begun, NewCycle};
pub use changes::{ChangeKind, NightChange, NightEntry};
pub use diff::{CHANGE_KINDS, CycleChange, EntryText, ShownEntry};
pub use end::GateFinding;
pub use gate::NightProbe;
pub use lease::CycleLease;
pub use material::NightItem;
pub use phases::{NightAnswer, NightRequest, PhaseEnd};
pub use read::CycleFilter;
pub use readings::GIVEN_UP_AFTER;
pub use rollback::{RollbackConflict, RollbackObstacle, RollbackWish, RolledBack};
pub use told::{CycleWait, LostProbes};

/// A night as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct SleepCycle {
    /// Its id.
    pub id: CycleId,
    /// Whose memory it works on.
    pub owner: MemoryOwner,
    /// What began it.
    pub trigger: SleepTrigger,
    /// Who asked for it.
    pub asked_by: String,
    /// What it may use.
    pub budget: CycleBudget,
    /// What it makes.
    pub version: MemoryVersionId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Where it stands.
    pub state: CycleState,
    /// Which phase is to be done; the last one when it is over.
    pub phase: CyclePhase,
    /// Which worker has it.
    pub worker: Option<String>,
    /// When a worker took it first.
    pub started_at: Option<DateTime<Utc>>,
    /// What became of entries.
    pub counts: CycleCounts,
    /// What it did not get to.
    pub skipped: Value,
    /// Which of its bounds stopped it: `money`, `tokens` or `time`.
    pub stopped_by: Option<String>,
    /// Questions of the gate.
    pub probes: i32,
    /// The share of them that was answered before it.
    pub quality_before: Option<f32>,
    /// The share of them that is answered after it.
    pub quality_after: Option<f32>,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
    /// When and by whom it was taken back.
    pub rolled_back: Option<(DateTime<Utc>, String)>,
    /// What its calls used and cost, by the ledger; of unknown outcome, besides.
    pub calls: CycleCalls,
}

/// What became of entries in a night.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CycleCounts {
    /// Facts that were drawn from journals.
    pub extracted: i32,
    /// Entries that another one stands for now.
    pub merged: i32,
    /// Entries that were overtaken.
    pub superseded: i32,
    /// Lessons that rose to the project.
    pub promoted: i32,
    /// Entries that had faded.
    pub decayed: i32,
    /// Proposals that a guard refused.
    pub refused: i32,
    /// Entries that it left alone.
    pub kept: i32,
}

/// What a night asked the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CycleCalls {
    /// Requests.
    pub requests: i64,
    /// Tokens that went in, of all kinds.
    pub input_tokens: i64,
    /// Tokens that came out.
    pub output_tokens: i64,
    /// What they cost.
    pub cost: NanoUsd,
    /// What calls of unknown outcome cost at most, besides.
    pub unknown_cost: NanoUsd,
}
