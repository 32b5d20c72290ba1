//! How urgent a task is.

use serde::{Deserialize, Serialize};

/// 1 is most urgent, 9 least, 5 the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i16")]
pub struct Priority(u8);

impl Priority {
    /// The number itself, 1 to 9.
    #[must_use]
    pub const fn get(self) -> i16 {
        self.0 as i16
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

impl TryFrom<i64> for Priority {
    type Error = String;

    fn try_from(value: i64) -> Result<Self, String> {
        match value {
            1..=9 => Ok(Self(value as u8)),
            _ => Err(format!("priority is 1 (most urgent) to 9, not {value}")),
        }
    }
}

impl From<Priority> for i16 {
    fn from(priority: Priority) -> Self {
        priority.get()
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}
