//! The lanes tickets wait in.

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
    /// Tasks that may be what killed their workers, whatever their priority: only isolated workers take them.
    Isolated,
}

impl Lane {
    /// How many there are.
    pub const COUNT: usize = 5;
    /// All lanes, most urgent first, and the isolated one. `depth` reports in this order.
    pub const ALL: [Self; Self::COUNT] = [Self::Urgent, Self::High, Self::Normal, Self::Low, Self::Isolated];
    /// The lanes of an ordinary worker, most urgent first.
    pub const ORDINARY: &'static [Self] = &[Self::Urgent, Self::High, Self::Normal, Self::Low];
    /// The lane of an isolated worker.
    pub const ISOLATED: &'static [Self] = &[Self::Isolated];

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

    /// The priorities that it serves, most urgent first; the isolated lane serves all.
    #[must_use]
    pub const fn priorities(self) -> (i16, i16) {
        match self {
            Self::Urgent => (1, 2),
            Self::High => (3, 4),
            Self::Normal => (5, 6),
            Self::Low => (7, 9),
            Self::Isolated => (1, 9),
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
            Self::Isolated => "isolated",
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
            Self::Isolated => 4,
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
    fn a_lane_names_its_own_priorities() {
        for lane in Lane::ORDINARY {
            let (from, to) = lane.priorities();
            assert!((from..=to).all(|priority| Lane::from_priority(priority.try_into().unwrap()) == *lane));
        }
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
