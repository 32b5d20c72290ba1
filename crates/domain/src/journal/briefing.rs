//! What an agent is told after a night, in the first call of its first task.

use serde::{Deserialize, Serialize};

use crate::ids::SleepId;

/// The harness told the agent what happened while it slept. The words are kept as they were sent: what was true that
/// morning is sent again to the byte, however often the run is resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Briefing {
    /// The night.
    pub sleep: SleepId,
    /// What the model reads.
    pub text: String,
}
