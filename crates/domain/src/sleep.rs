//! Nights: why an agent falls asleep, where it stands, and why it wakes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    ids::AgentId,
    money::NanoUsd,
    status::{UnknownName, names},
};

names! {
    /// Where an agent stands between two days. The transitions are drawn in `docs/STATES.md`.
    SleepState, "sleep state" {
        /// Nothing of it starts any more, and what runs stops at its next step edge.
        FallingAsleep = "falling_asleep",
        /// Its cycle is at work.
        Asleep = "asleep",
        /// Its briefing is being written.
        Waking = "waking",
        /// The night is over.
        Awake = "awake",
    }
}

names! {
    /// Why a night ended.
    WakeReason, "wake reason" {
        /// Its cycle ended, well or not.
        CycleEnded = "cycle_ended",
        /// No cycle could begin.
        NoCycle = "no_cycle",
        /// A task or a message came that cannot wait.
        Urgent = "urgent",
        /// A person.
        Requested = "requested",
        /// It may not sleep longer, whatever its cycle does.
        WakeBy = "wake_by",
    }
}

names! {
    /// Why an agent was not put to sleep.
    SleepRefusal, "sleep refusal" {
        /// It takes no tasks anyway.
        Inactive = "inactive",
        /// A task of it is ready or runs that would wake it at once: it is urgent, or its deadline is within the night.
        UrgentWork = "urgent_work",
    }
}

/// Who is put to sleep, or woken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sleepers {
    /// These.
    AgentIds(Vec<AgentId>),
    /// All of this type.
    AgentType(String),
    /// All with this role, word for word.
    Role(String),
    /// Every active agent.
    All,
}

/// When an agent sleeps by itself, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SleepSettings {
    /// Seconds without a task after which it sleeps, if there is something new; `None`: it does not.
    pub idle_seconds: Option<i32>,
    /// New entries of its memory since its last night that make it sleep; `None`: none do.
    pub pressure_entries: Option<i32>,
    /// Steps since its last night that make it sleep; `None`: none do.
    pub pressure_steps: Option<i32>,
    /// Seconds that running work gets to reach a step edge.
    pub fall_seconds: i32,
    /// Seconds after that at which it wakes, whatever its cycle does.
    pub sleep_seconds: i32,
    /// What the cycle of one night may cost; what does not fit is skipped.
    pub night_money: NanoUsd,
}

impl SleepSettings {
    /// Bounds of the waits, in seconds.
    pub const IDLE: std::ops::RangeInclusive<i32> = 1..=30 * 86_400;
    /// Bounds of the counts.
    pub const PRESSURE: std::ops::RangeInclusive<i32> = 1..=100_000;
    /// Bounds of the time to fall asleep, in seconds.
    pub const FALL: std::ops::RangeInclusive<i32> = 0..=86_400;
    /// Bounds of a night, in seconds.
    pub const SLEEP: std::ops::RangeInclusive<i32> = 1..=86_400;
}

impl Default for SleepSettings {
    /// It sleeps when it is told to: five minutes to fall asleep, two hours at most, for a dollar at most.
    fn default() -> Self {
        Self {
            idle_seconds: None,
            pressure_entries: None,
            pressure_steps: None,
            fall_seconds: 300,
            sleep_seconds: 7_200,
            night_money: NanoUsd(1_000_000_000),
        }
    }
}
