//! The four lanes tickets wait in.

use std::fmt;

/// A lane is one apalis queue. apalis-redis drops a ticket's priority, so priority is the choice of lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Priorities 1 and 2.
    Urgent,
    /// Priorities 3 and 4.
    High,
    /// Priorities 5 (the default) and 6.
    Normal,
    /// Priorities 7 to 9.
    Low,
}

impl Lane {
    /// All lanes, most urgent first. `depth` reports in this order.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// The lane of a task's priority: 1 is most urgent, 9 least. What lies outside goes to the nearest lane.
    #[must_use]
    pub const fn from_priority(priority: u8) -> Self {
        match priority {
            0..=2 => Self::Urgent,
            3..=4 => Self::High,
            5..=6 => Self::Normal,
            7.. => Self::Low,
        }
    }

    /// The name used in Redis keys, logs and metrics. Written by hand: it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// The position in [`Lane::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Urgent => 0,
            Self::High => 1,
            Self::Normal => 2,
            Self::Low => 3,
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == name)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_priority_has_its_lane() {
        let lanes: Vec<_> = (1..=9).map(Lane::from_priority).map(Lane::as_str).collect();
        assert_eq!(lanes, ["urgent", "urgent", "high", "high", "normal", "normal", "low", "low", "low"]);
    }

    #[test]
    fn names_and_positions_lead_back_to_the_lane() {
        for (position, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane.index(), position);
            assert_eq!(Lane::from_name(lane.as_str()), Some(lane));
        }
        assert_eq!(Lane::from_name("other"), None);
    }
}
