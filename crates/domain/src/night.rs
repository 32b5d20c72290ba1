//! A night: one consolidation of one memory.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    NanoUsd,
    status::{UnknownName, names},
};

names! {
    /// What began a night.
    SleepTrigger, "sleep trigger" {
        /// Its time had come.
        Cron = "cron",
        /// Nothing was to do.
        Idle = "idle",
        /// Much had piled up.
        Pressure = "pressure",
        /// Somebody asked.
        Manual = "manual",
    }
}

names! {
    /// Where a night stands.
    CycleState, "state of a sleep cycle" {
        /// Waits for a worker.
        Pending = "pending",
        /// At work, or waiting for answers of the model.
        Running = "running",
        /// Its version was published.
        Completed = "completed",
        /// Probes were answered worse than before; nothing changed.
        RejectedByGate = "rejected_by_gate",
        /// It failed; nothing changed.
        Failed = "failed",
        /// It was stopped; nothing changed.
        Cancelled = "cancelled",
        /// Its version was published and taken back.
        RolledBack = "rolled_back",
    }
}

impl CycleState {
    /// Whether it is not over.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

names! {
    /// What a night does, in this order.
    CyclePhase, "phase of a sleep cycle" {
        /// Facts from what was lived through since the last night.
        Extract = "extract",
        /// What says the same in the same words.
        Dedupe = "dedupe",
        /// What says the same in other words.
        Merge = "merge",
        /// What was overtaken.
        Contradict = "contradict",
        /// What several agents learnt rises to their project.
        Promote = "promote",
        /// What has faded.
        Decay = "decay",
        /// The gate, and the switch.
        Publish = "publish",
    }
}

impl CyclePhase {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|phase| *phase == self)?;
        Self::ALL.get(at + 1).copied()
    }
}

/// What a night may use. What does not fit is skipped, and the night says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleBudget {
    /// Money, in billionths of a dollar; no bound of its own unless named.
    pub money: Option<NanoUsd>,
    /// Tokens of all its calls, in and out; no bound unless named.
    pub tokens: Option<i64>,
    /// Minutes from its first phase on, 1 to 1440.
    pub minutes: i32,
}

impl CycleBudget {
    /// Minutes of a night that names none.
    pub const MINUTES: i32 = 480;
}

impl Default for CycleBudget {
    fn default() -> Self {
        Self { money: None, tokens: None, minutes: Self::MINUTES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other_to_the_switch() {
        let mut phase = CyclePhase::Extract;
        let mut met = vec![phase];
        while let Some(next) = phase.next() {
            phase = next;
            met.push(phase);
        }
        assert_eq!(met, CyclePhase::ALL);
    }
}
