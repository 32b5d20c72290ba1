//! Budgets: how much money what may spend, and how much of it is left.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    money::NanoUsd,
    status::{UnknownName, names},
};

names! {
    /// What a budget covers.
    BudgetScope, "budget scope" {
        /// Every task.
        Org = "org",
        /// The tasks of one session.
        Session = "session",
        /// The tasks of one agent.
        Agent = "agent",
        /// One task and all below it.
        Task = "task",
    }
}

names! {
    /// How long a budget has to last.
    BudgetPeriod, "budget period" {
        /// For good.
        Total = "total",
        /// For a day, UTC; the next one begins with nothing spent.
        Day = "day",
    }
}

/// A cap on money, and what is used of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its id.
    pub id: Uuid,
    /// What it covers.
    pub scope: BudgetScope,
    /// The session, the agent or the task; all zeros for [`BudgetScope::Org`].
    pub target: Uuid,
    /// How long it lasts.
    pub period: BudgetPeriod,
    /// The most that may be spent and reserved together.
    pub cap: NanoUsd,
    /// What calls cost, and what those of unknown outcome may have cost; of `day`, when the period is a day.
    pub spent: NanoUsd,
    /// What calls in progress may cost at most.
    pub reserved: NanoUsd,
    /// The day (UTC) of the database at which this was read.
    pub day: NaiveDate,
}

impl Budget {
    /// What may still be reserved.
    #[must_use]
    pub const fn left(&self) -> NanoUsd {
        NanoUsd(self.cap.0.saturating_sub(self.spent.0).saturating_sub(self.reserved.0))
    }

    /// When it has its whole cap again by itself.
    #[must_use]
    pub fn renews_at(&self) -> Option<DateTime<Utc>> {
        match self.period {
            BudgetPeriod::Total => None,
            BudgetPeriod::Day => {
                self.day.checked_add_days(Days::new(1)).map(|next| next.and_time(NaiveTime::MIN).and_utc())
            }
        }
    }
}

impl fmt::Display for Budget {
    /// As in "The daily budget of agent 0197…".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.period {
            BudgetPeriod::Total => "budget",
            BudgetPeriod::Day => "daily budget",
        };
        match self.scope {
            BudgetScope::Org => write!(f, "The {kind} of the organisation"),
            scope => write!(f, "The {kind} of {scope} {}", self.target),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_says_what_is_left_and_when_it_is_whole_again() {
        let budget = Budget {
            id: Uuid::nil(),
            scope: BudgetScope::Org,
            target: Uuid::nil(),
            period: BudgetPeriod::Day,
            cap: NanoUsd(10),
            spent: NanoUsd(7),
            reserved: NanoUsd(2),
            day: NaiveDate::from_ymd_opt(2026, 12, 31).unwrap(),
        };
        assert_eq!(budget.left(), NanoUsd(1));
        assert_eq!(budget.renews_at().unwrap().to_rfc3339(), "2027-01-01T00:00:00+00:00");
        assert_eq!(budget.to_string(), "The daily budget of the organisation");
        let total = Budget { period: BudgetPeriod::Total, scope: BudgetScope::Agent, ..budget };
        assert_eq!(total.renews_at(), None);
        assert_eq!(total.to_string(), format!("The budget of agent {}", Uuid::nil()));
    }
}
