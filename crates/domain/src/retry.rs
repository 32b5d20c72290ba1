//! When a failed try is tried again. The one place that decides it: a class of error, the number of the try, and a
//! random number go in; a delay comes out.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    journal::TaskResult,
    outcome::Outcome,
    status::{StatusReason, UnknownName, names},
};

names! {
    /// What made a try fail. Stored with the task and with the event of the try.
    ErrorClass, "error class" {
        /// The repository did not answer.
        Repository = "repository",
        /// The repository answered and refused, or somebody else moved the task's branch: no try mends that.
        RepositoryRefused = "repository_refused",
        /// The worker's host: its disk, its processes.
        Host = "host",
        /// A defect of ours.
        Panic = "panic",
        /// The receiver of notifications did not confirm one that it takes twice without harm.
        Notify = "notify",
    }
}

/// Waits between zero and a limit that doubles from `base` up to `cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The limit after the first try.
    pub base: Duration,
    /// The limit of the limit.
    pub cap: Duration,
}

impl ErrorClass {
    /// How tries of this class are spread; `None` ends the task at once.
    #[must_use]
    pub const fn backoff(self) -> Option<Backoff> {
        let (base, cap) = match self {
            // A server that restarts is back within the sum of three such waits; one that is away, within the cap.
            Self::Repository => (5, 300),
            Self::RepositoryRefused => return None,
            // Another worker may take it, and its own host may need a person.
            Self::Host => (15, 300),
            Self::Panic => (10, 120),
            Self::Notify => (2, 60),
        };
        Some(Backoff { base: Duration::from_secs(base), cap: Duration::from_secs(cap) })
    }

    /// The reason of a task that such an error ends.
    const fn ending(self) -> StatusReason {
        match self {
            Self::Repository | Self::RepositoryRefused => StatusReason::Repository,
            Self::Host | Self::Panic | Self::Notify => StatusReason::AttemptsExhausted,
        }
    }
}

/// The wait after try number `attempt` (the first is 1): full jitter, so that many tasks that failed together do not
/// come back together. `random` lies between 0 and 1. `None`: the class is not tried again.
#[must_use]
pub fn delay(class: ErrorClass, attempt: u32, random: f64) -> Option<Duration> {
    let Backoff { base, cap } = class.backoff()?;
    let factor = 1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let limit = base.saturating_mul(factor).min(cap);
    // Anything that is no number from 0 to 1 counts as the longest wait.
    Some(limit.mul_f64(if (0.0..=1.0).contains(&random) { random } else { 1.0 }))
}

impl Outcome {
    /// What follows from a failed try: a wait that the other side asked for is kept and costs no attempt; otherwise
    /// the class decides between another try and the end.
    #[must_use]
    pub fn failed_try(
        class: ErrorClass,
        attempt: u32,
        told: Option<Duration>,
        random: f64,
        detail: String,
    ) -> Self {
        match (delay(class, attempt, random), told) {
            (None, _) => {
                Self::Fail { reason: class.ending(), detail, partial: Box::new(TaskResult::default()) }
            }
            (Some(_), Some(told)) => Self::Wait { after: told, reason: StatusReason::Retry, detail },
            (Some(after), None) => Self::Retry { after, class, detail },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn class() -> impl Strategy<Value = ErrorClass> {
        prop::sample::select(ErrorClass::ALL)
    }

    proptest! {
        #[test]
        fn a_wait_lies_between_zero_and_a_doubling_limit(class in class(), attempt in 1u32..200, random in 0.0f64..=1.0) {
            let Some(backoff) = class.backoff() else {
                prop_assert_eq!(delay(class, attempt, random), None);
                return Ok(());
            };
            let wait = delay(class, attempt, random).unwrap();
            let limit = delay(class, attempt, 1.0).unwrap();
            prop_assert!(wait <= limit && limit <= backoff.cap);
            let next = delay(class, attempt + 1, 1.0).unwrap();
            prop_assert_eq!(next, (limit * 2).min(backoff.cap));
            // Linear in the random number: every wait up to the limit is as likely as any other.
            prop_assert!((wait.as_secs_f64() - limit.as_secs_f64() * random).abs() < 1e-6);
        }

        #[test]
        fn what_is_no_random_number_waits_longest(class in class(), attempt in 1u32..40) {
            for random in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
                prop_assert_eq!(delay(class, attempt, random), delay(class, attempt, 1.0));
            }
        }

        #[test]
        fn a_told_wait_wins_and_costs_no_attempt(class in class(), attempt in 1u32..9, seconds in 0u64..10_000, random in 0.0f64..=1.0) {
            let told = Duration::from_secs(seconds);
            match Outcome::failed_try(class, attempt, Some(told), random, String::new()) {
                Outcome::Wait { after, reason, .. } => {
                    prop_assert_eq!((after, reason), (told, StatusReason::Retry));
                    prop_assert!(class.backoff().is_some());
                }
                Outcome::Fail { .. } => prop_assert!(class.backoff().is_none()),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn a_class_that_no_try_mends_ends_at_once() {
        let end = Outcome::failed_try(ErrorClass::RepositoryRefused, 1, None, 0.5, "no".to_owned());
        assert!(matches!(end, Outcome::Fail { reason: StatusReason::Repository, .. }), "{end:?}");
    }
}
