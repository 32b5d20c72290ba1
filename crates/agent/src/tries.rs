//! The tries of one question: how often which model was asked, and who comes next.

use std::time::{Duration, Instant};

use hive_claude::{EndReason, Error, RetryPolicy, Verdict, WaitReason, verdict};

use crate::choice::Choice;

/// Tries of a model for which another may stand in: it is not waited for as long.
const TRIES_BEFORE_FALLBACK: u32 = 2;

/// What follows from a failed call.
#[derive(Debug)]
pub(crate) enum Next {
    /// As the verdict says.
    Verdict(Verdict),
    /// Ask the model that stands in.
    StandIn {
        /// The model before is not known to the provider, or not for this key.
        is_gone: bool,
    },
}

impl Next {
    /// The model is overloaded, unreachable, unknown or forbidden: another may be asked in its place.
    pub(crate) const fn is_out(&self) -> bool {
        match self {
            Self::StandIn { .. } => true,
            Self::Verdict(verdict) => is_out(*verdict),
        }
    }
}

const fn is_out(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Later { reason: WaitReason::ProviderUnavailable, .. }
        | Verdict::End { reason: EndReason::ModelNotFound | EndReason::ModelForbidden } => true,
        Verdict::Later { .. }
        | Verdict::Again { .. }
        | Verdict::StopKey { .. }
        | Verdict::TooLong
        | Verdict::End { .. } => false,
    }
}

/// One question's.
#[derive(Debug)]
pub(crate) struct Tries {
    /// Whom to ask first.
    wished: Choice,
    /// Those that may stand in, in the order of the policy.
    stand_ins: Vec<Choice>,
    /// How many of them were gone on to.
    current: usize,
    /// Failed tries of the current model.
    failed: u32,
    started: Instant,
}

impl Tries {
    /// The wished model first, then those that may stand in.
    pub(crate) fn new(wished: Choice, stand_ins: Vec<Choice>) -> Self {
        Self { wished, stand_ins, current: 0, failed: 0, started: Instant::now() }
    }

    /// Whom to ask, and how.
    pub(crate) fn choice(&self) -> &Choice {
        self.current.checked_sub(1).and_then(|nth| self.stand_ins.get(nth)).unwrap_or(&self.wished)
    }

    /// Its id.
    pub(crate) fn model(&self) -> &str {
        &self.choice().model
    }

    /// Whom the task wished for, when that is another.
    pub(crate) fn stands_in_for(&self) -> Option<&str> {
        (self.current > 0).then_some(self.wished.model.as_str())
    }

    /// The next call repeats one that failed.
    pub(crate) const fn is_repeat(&self) -> bool {
        self.failed > 0
    }

    const fn has_next(&self) -> bool {
        self.current < self.stand_ins.len()
    }

    /// Goes on to the model that stands in; false when there is none.
    pub(crate) fn stand_in(&mut self) -> bool {
        let has_next = self.has_next();
        if has_next {
            self.current += 1;
            self.failed = 0;
        }
        has_next
    }

    /// Decides after a failed call. The only place that does, with the verdict on the error.
    pub(crate) fn after(&mut self, error: &Error, policy: &RetryPolicy, jitter: f64) -> Next {
        self.failed += 1;
        let mut policy = *policy;
        if self.has_next() {
            policy.max_tries = policy.max_tries.min(TRIES_BEFORE_FALLBACK);
        }
        let verdict = verdict(error, self.failed, self.started.elapsed(), &policy, jitter);
        if is_out(verdict) && self.stand_in() {
            Next::StandIn { is_gone: matches!(verdict, Verdict::End { .. }) }
        } else {
            Next::Verdict(verdict)
        }
    }

    /// How long the tries have taken.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use hive_claude::Partial;
    use hive_domain::{Route, RouteReason};

    use super::*;

    fn cut() -> Error {
        Error::Cut { partial: Partial::default(), source: None }
    }

    fn tries(stand_ins: &[&str]) -> Tries {
        let wished = Choice {
            model: "own".to_owned(),
            effort: None,
            max_tokens: None,
            fallback: Vec::new(),
            route: Route { reason: RouteReason::Agent, version: 1 },
        };
        let stand_ins = stand_ins.iter().map(|name| wished.stand_in(name)).collect();
        Tries::new(wished, stand_ins)
    }

    #[test]
    fn without_a_policy_the_task_waits() {
        let mut tries = tries(&[]);
        for _ in 1..6 {
            let next = tries.after(&cut(), &RetryPolicy::default(), 0.0);
            assert!(matches!(next, Next::Verdict(Verdict::Again { .. })), "{next:?}");
            assert!(tries.is_repeat());
        }
        let next = tries.after(&cut(), &RetryPolicy::default(), 0.0);
        assert!(matches!(next, Next::Verdict(Verdict::Later { .. })), "{next:?}");
        assert_eq!((tries.model(), tries.stands_in_for()), ("own", None));
    }

    #[test]
    fn the_declared_models_are_asked_in_their_order() {
        let mut tries = tries(&["second", "third"]);
        for model in ["own", "second"] {
            assert_eq!(tries.model(), model);
            assert!(matches!(
                tries.after(&cut(), &RetryPolicy::default(), 0.0),
                Next::Verdict(Verdict::Again { .. })
            ));
            let next = tries.after(&cut(), &RetryPolicy::default(), 0.0);
            assert!(matches!(next, Next::StandIn { is_gone: false }), "{next:?}");
            assert!(!tries.is_repeat(), "its first try repeats nothing");
        }
        assert_eq!((tries.model(), tries.stands_in_for()), ("third", Some("own")));
    }
}
