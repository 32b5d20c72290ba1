//! Whether a model may be named for calls to come.

use chrono::{DateTime, Duration, Utc};
use hive_domain::Lifecycle;

use super::facts::{ModelFacts, Source};
use crate::{price::cost, wire::usage::Usage};

/// An end that is nearer than this is told.
const SOON: Duration = Duration::days(30);

/// How a model stands. What does not stand well is a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be named.
    Good,
    /// It answers, and its end is announced or less than 30 days away.
    Ending(String),
    /// The service listed it once and does not any more.
    Vanished(String),
    /// It does not answer any more.
    Retired(String),
    /// It answers, but what it costs could not be counted, so that it is never asked.
    Unpriced(String),
    /// Neither this build nor the service knows it.
    Unknown(String),
}

impl Standing {
    /// The labels of all that are not good.
    pub const TROUBLES: [&'static str; 5] = ["ending", "vanished", "retired", "unpriced", "unknown"];

    pub(super) fn of(facts: Option<&ModelFacts>, id: &str, now: DateTime<Utc>) -> Self {
        let Some(facts) = facts else {
            return Self::Unknown(format!("{id} is neither a class nor a model that is known here"));
        };
        let instead = facts.successor.as_ref().map(|id| format!("; use {id}")).unwrap_or_default();
        let day = |at: DateTime<Utc>| at.format("%Y-%m-%d").to_string();
        if facts.is_retired(now) {
            let since = facts.retires_at.filter(|at| *at <= now).map(|at| format!(" since {}", day(at)));
            return Self::Retired(format!("{id} is retired{}{instead}", since.unwrap_or_default()));
        }
        if let Some(at) = facts.vanished_at {
            return Self::Vanished(format!("{id} is not listed by the service since {}{instead}", day(at)));
        }
        if cost(id, &Usage::default()).is_none() {
            return Self::Unpriced(format!("{id} has no price here, so that its cost could not be counted"));
        }
        match facts.retires_at {
            Some(at) if at <= now + SOON => {
                Self::Ending(format!("{id} is to be retired on {}{instead}", day(at)))
            }
            _ if facts.lifecycle == Lifecycle::Deprecated => {
                let on = facts.retires_at.map(|at| format!(" and is to be retired on {}", day(at)));
                Self::Ending(format!("{id} is deprecated{}{instead}", on.unwrap_or_default()))
            }
            _ => Self::Good,
        }
    }

    /// The label of it: `good` or one of [`Standing::TROUBLES`].
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Ending(_) => "ending",
            Self::Vanished(_) => "vanished",
            Self::Retired(_) => "retired",
            Self::Unpriced(_) => "unpriced",
            Self::Unknown(_) => "unknown",
        }
    }

    /// What is wrong, for a person.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Good => None,
            Self::Ending(text)
            | Self::Vanished(text)
            | Self::Retired(text)
            | Self::Unpriced(text)
            | Self::Unknown(text) => Some(text),
        }
    }

    /// Why nobody may begin to name it; `None` while it answers.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.trouble().filter(|_| !matches!(self, Self::Ending(_)))
    }
}

impl ModelFacts {
    /// Whether it has come to its end. A day that this build knew in advance does not count against a service that still
    /// lists the model as one that answers.
    pub(super) fn is_retired(&self, now: DateTime<Utc>) -> bool {
        let by = |field| self.sources.get(field) == Some(&Source::Service);
        let is_listed = by("lifecycle") && self.vanished_at.is_none();
        let has_come = self.retires_at.is_some_and(|at| at <= now);
        self.lifecycle == Lifecycle::Retired || (has_come && (by("retires_at") || !is_listed))
    }
}
