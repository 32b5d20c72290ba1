//! What takes no tasks at the moment.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::status::{UnknownName, names};

names! {
    /// What a pause does to tasks that run.
    PauseMode, "pause mode" {
        /// They stop at their next step edge.
        Pause = "pause",
        /// They end; none starts.
        Drain = "drain",
    }
}
