//! What can be done to many tasks at once.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::status::{UnknownName, names};

names! {
    /// What is done to each.
    ActionKind, "action" {
        /// Ended, with all that belongs to it.
        Cancel = "cancel",
        /// Given another priority.
        Reprioritise = "reprioritise",
        /// Tried again by a new task.
        Redrive = "redrive",
    }
}

names! {
    /// How far an action is.
    ActionStatus, "action status" {
        /// Some of its tasks wait for their turn.
        Working = "working",
        /// Each of its tasks was acted on or skipped.
        Done = "done",
        /// Its slices kept failing: some of its tasks were left as they are.
        Failed = "failed",
    }
}
