//! How a person's message meets a run that is at work.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::status::{UnknownName, names};

names! {
    /// What a message does to the call or command in flight.
    MessagePolicy, "message policy" {
        /// Nothing: it is read when the turn is over.
        Enqueue = "enqueue",
        /// Ends it: it is read next.
        Interrupt = "interrupt",
        /// It is not taken while the task runs.
        Reject = "reject",
        /// Ends it as an interruption does, and the last turn is undone.
        Rollback = "rollback",
    }
}

impl MessagePolicy {
    /// True when the call or command in flight is ended.
    #[must_use]
    pub const fn interrupts(self) -> bool {
        matches!(self, Self::Interrupt | Self::Rollback)
    }
}
