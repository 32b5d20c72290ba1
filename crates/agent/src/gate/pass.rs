//! Whether a call may be made, and when.

use std::time::Duration;

use hive_claude::limit_name;
use hive_domain::{Outcome, StatusReason};
use hive_queue::{Ask, Grant};
use hive_store::Probe;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Gate, Inner};
use crate::{meter, run::Control};

/// How long nothing is taken to have come between.
const FRESH: Duration = Duration::from_millis(150);
/// A call that is later than this at its place in the rate takes another one: calls of many places that are sent together
/// would fill a window of ten seconds beyond the limit. With the burst of the script a window holds
/// (10 + 0.25 + 0.4) s x 92 % at most, which is 98 %.
const LATE: Duration = Duration::from_millis(400);

/// The right to one call. It is handed back with what came of it.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit {
    pub(super) model: String,
    pub(super) bytes: usize,
    pub(super) asked: [u64; 2],
    /// What it asked for is a guess: no reply had shown yet what calls take.
    pub(super) is_guess: bool,
    pub(super) tries: Option<Tries>,
    /// When it was asked for: what is told later is not known to it.
    pub(super) asked_at: Instant,
    pub(super) granted: Instant,
    /// The model has a rate: its place means something.
    pub(super) is_paced: bool,
    /// The call was sent, as far as is known.
    pub(super) is_sent: bool,
}

impl Permit {
    /// When the call may be sent.
    pub(crate) const fn place(&self) -> Instant {
        self.granted
    }
}

/// The call finds out for all whether it goes on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tries {
    /// A stopped key.
    Key,
    /// A model whose breaker is open.
    Model(Probe),
}

/// What turns a call away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    KeyStopped,
    BreakerOpen,
    Held,
    Full,
    TooManyRepeats,
    /// The stores cannot be asked.
    Unknown,
}

impl Cause {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::KeyStopped => "key_stopped",
            Self::BreakerOpen => "breaker_open",
            Self::Held => "held",
            Self::Full => "rate",
            Self::TooManyRepeats => "repeats",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a call is not made now.
#[derive(Debug)]
pub(crate) struct Hindrance {
    pub(crate) cause: Cause,
    after: Duration,
    detail: String,
}

impl Hindrance {
    /// A model that stands in would be asked: this one is out, not merely in demand.
    pub(crate) const fn is_outage(&self) -> bool {
        matches!(self.cause, Cause::BreakerOpen | Cause::TooManyRepeats)
    }

    /// The task waits without a slot, and the wait counts as no attempt.
    pub(crate) fn outcome(self) -> Outcome {
        let reason = match self.cause {
            Cause::Held | Cause::Full => StatusReason::RateLimited,
            Cause::KeyStopped | Cause::BreakerOpen | Cause::TooManyRepeats | Cause::Unknown => {
                StatusReason::ProviderUnavailable
            }
        };
        Outcome::Wait { after: self.after, reason, detail: self.detail }
    }
}

/// What a call comes to at the gate.
pub(crate) enum Entry {
    /// It may be made now.
    Go(Permit),
    /// It may not, and it is not worth a slot to wait for it.
    Wait(Hindrance),
    /// The lease was lost while it waited.
    Lost,
    /// The worker drains.
    Drain,
}

enum Pass {
    Go(Permit, Duration),
    Wait(Hindrance),
}

impl Gate {
    /// Brings a call through, waiting for a place that is near.
    pub(crate) async fn enter(
        &self,
        model: &str,
        bytes: usize,
        max_tokens: u32,
        repeats: bool,
        control: &Control,
    ) -> Entry {
        let (model, deadline) = (limit_name(model), Instant::now() + self.inner.policy.longest_wait);
        loop {
            let wait = match self.inner.pass(model, bytes, max_tokens, repeats).await {
                // Its place may lie ahead: the intent is written meanwhile; see [`Permit::place`].
                Pass::Go(permit, wait) => {
                    return Entry::Go(Permit { granted: permit.granted + wait, ..permit });
                }
                Pass::Wait(hindrance)
                    if hindrance.cause == Cause::Held && Instant::now() + hindrance.after < deadline =>
                {
                    hindrance.after
                }
                Pass::Wait(hindrance) => {
                    meter::turned_away(model, hindrance.cause.as_str());
                    return Entry::Wait(hindrance);
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = control.lost.cancelled() => return Entry::Lost,
                () = control.drain.cancelled() => return Entry::Drain,
            }
        }
    }

    /// False when something came between since the permit was asked for, or when its place is over: its call is not to be
    /// sent with it. `missed`: how many places the same question has missed.
    pub(crate) async fn is_still_good(&self, permit: &Permit, missed: u32) -> bool {
        let inner = &self.inner;
        if !inner.is_let_pass(permit) {
            return false;
        }
        // The place may have lain ahead, and the provider may have told another worker to hold meanwhile.
        if permit.asked_at.elapsed() >= FRESH {
            if inner.is_held_by_redis(&permit.model).await {
                return false;
            }
            inner.look_unless_younger(FRESH).await;
            if !inner.is_let_pass(permit) {
                return false;
            }
        }
        // A machine so slow that it misses each place still gets on.
        let late = LATE.saturating_mul(1 << missed.min(6));
        permit.tries.is_some() || !permit.is_paced || permit.granted.elapsed() <= late
    }

    /// False when a call of this model would surely be turned away, as far as this worker has seen.
    pub(crate) fn is_clear(&self, model: &str) -> bool {
        let (view, model) = (&self.inner.view, limit_name(model));
        view.stop().is_none() && view.open(model).is_none() && self.inner.held(model).is_zero()
    }
}

impl Inner {
    /// False when this worker knows of something against the call. One that tries goes past what it tries, and past
    /// nothing else.
    fn is_let_pass(&self, permit: &Permit) -> bool {
        let (view, model) = (&self.view, &permit.model);
        let is_free = match permit.tries {
            Some(Tries::Key) => true,
            Some(Tries::Model(_)) => view.stop().is_none(),
            None => view.stop().is_none() && view.open(model).is_none(),
        };
        is_free && self.held(model).is_zero()
    }

    /// True when Redis answers that the model is held: sooner than Postgres can be looked at.
    async fn is_held_by_redis(&self, model: &str) -> bool {
        if !self.asks_redis() {
            return false;
        }
        match self.queue.held(self.bucket(model)).await {
            Ok(held) => !held.is_zero(),
            Err(error) => {
                self.redis_failed(&error);
                false
            }
        }
    }

    async fn pass(&self, model: &str, bytes: usize, max_tokens: u32, repeats: bool) -> Pass {
        let estimate = self.own().entry(model.to_owned()).or_default().estimate;
        let asked = estimate.of(bytes, max_tokens);
        let mut permit = Permit {
            model: model.to_owned(),
            bytes,
            asked,
            is_guess: estimate.is_guess(),
            tries: None,
            asked_at: Instant::now(),
            granted: Instant::now(),
            is_paced: false,
            is_sent: true,
        };
        match self.hindered(model).await {
            Ok(tries) => permit.tries = tries,
            Err(hindrance) => return Pass::Wait(hindrance),
        }
        let policy = &self.policy;
        permit.is_paced = self.own_limits(model).iter().any(|limit| *limit > 0.0);
        let held = self.held(model);
        // Before Redis is asked: an answer that lay about makes the place no later than it is.
        permit.granted = Instant::now();
        let grant = if held.is_zero() { self.place(&mut permit, repeats).await } else { Grant::Held(held) };
        let (cause, after, what) = match grant {
            Grant::Go(wait) => return Pass::Go(permit, wait),
            Grant::Held(wait) => (
                Cause::Held,
                wait + jitter(wait / 4),
                format!("the provider holds model {model}: retry-after"),
            ),
            Grant::Full(wait) => (
                Cause::Full,
                // The times that are told differ. Back a little before its place, a call waits for it with its slot; later,
                // the place would be lost.
                wait.saturating_sub(jitter(policy.longest_wait.min(wait / 4))),
                format!("the rate of model {model} is used up by the fleet"),
            ),
            Grant::TooManyRepeats(wait) => (
                Cause::TooManyRepeats,
                wait / 2 + jitter(wait / 2),
                format!("too many calls of model {model} failed and were repeated within a minute"),
            ),
        };
        self.drop_tries(&permit).await;
        Pass::Wait(Hindrance { cause, after, detail: what })
    }

    /// What the stores say against any call; whether this one finds out for all.
    async fn hindered(&self, model: &str) -> Result<Option<Tries>, Hindrance> {
        if self.view.is_stale() {
            self.look().await;
        }
        let policy = &self.policy;
        if let Some((stop, left)) = self.view.stop() {
            let may = left.is_zero()
                && self.store.probe_key(&self.key, policy.key_probe_every).await.unwrap_or(false);
            if may {
                return Ok(Some(Tries::Key));
            }
            // Whoever comes too late for this try comes back for the next one.
            let left = if left.is_zero() { policy.key_probe_every } else { left };
            let detail = format!("key {} is stopped ({}): {}", self.key, stop.reason, stop.detail);
            return Err(Hindrance { cause: Cause::KeyStopped, after: left + jitter(left / 4), detail });
        }
        let Some((open, left)) = self.view.open(model) else { return Ok(None) };
        if left.is_zero() {
            let probe = Uuid::now_v7();
            match self.store.take_probe(&self.key, model, probe, policy.probe_within).await {
                Ok(true) => return Ok(Some(Tries::Model(probe))),
                Ok(false) => self.look().await,
                Err(error) => {
                    let detail = format!("whether model {model} is back cannot be tried: {error}");
                    return Err(Hindrance { cause: Cause::Unknown, after: policy.breaker_pause, detail });
                }
            }
            if self.view.open(model).is_none() {
                return Ok(None);
            }
        }
        // Not for as long as a try may take: it mostly ends soon.
        let after = if open.probing { policy.breaker_pause } else { left.max(policy.breaker_pause / 4) };
        let detail = format!("the breaker of model {model} is open: {}", open.detail);
        Err(Hindrance { cause: Cause::BreakerOpen, after: after + jitter(after / 4), detail })
    }

    /// How long nobody may call, as far as this worker knows.
    pub(super) fn held(&self, model: &str) -> Duration {
        let own = self.own().get(model).and_then(|own| own.held_until);
        let own = own.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        own.max(self.view.held(model))
    }

    async fn place(&self, permit: &mut Permit, repeats: bool) -> Grant {
        let model = &permit.model;
        let limits = self.policy.limits.of(model);
        if self.asks_redis() {
            let mut ask = Ask {
                input: permit.asked[0],
                output: permit.asked[1],
                is_guess: permit.is_guess,
                limits,
                repeats,
                longest_wait: self.policy.longest_wait,
                repeats_allowed: self.policy.repeats_allowed,
            };
            match self.queue.reserve(self.bucket(model), &mut ask).await {
                Ok(grant) => {
                    (permit.asked, permit.is_guess) = ([ask.input, ask.output], ask.is_guess);
                    return grant;
                }
                Err(error) => self.redis_failed(&error),
            }
        }
        // What another worker was told lies in Postgres too.
        match self.store.held_for(&self.key, model).await {
            Ok(held) if !held.is_zero() => return Grant::Held(held),
            Ok(_) => {}
            Err(error) => tracing::debug!("a hold could not be read: {error}"),
        }
        let limits = self.own_limits(model);
        let now = std::time::Instant::now();
        let mut own = self.own();
        let share = &mut own.entry(model.clone()).or_default().share;
        match share.reserve(now, permit.asked, limits, repeats, &self.policy) {
            // It tells all that are too many the same time.
            Grant::Full(wait) => Grant::Full(wait + jitter(wait / 4)),
            grant => grant,
        }
    }

    /// This worker's part of the limits; 0 for none.
    pub(super) fn own_limits(&self, model: &str) -> [f64; 3] {
        let (set, said, workers) =
            (self.policy.limits.of(model), self.view.limits(model), self.view.workers() as f64);
        [0, 1, 2].map(|n| match (set[n], said[n]) {
            (0, limit) | (limit, 0) => limit as f64 / workers,
            (set, said) => set.min(said) as f64 / workers,
        })
    }

    /// A call that was to find out is not made: another may.
    pub(super) async fn drop_tries(&self, permit: &Permit) {
        let dropped = match permit.tries {
            None => return,
            Some(Tries::Key) => self.store.give_back_key_probe(&self.key).await,
            Some(Tries::Model(probe)) => {
                self.store.end_probe(&self.key, &permit.model, probe, Duration::ZERO).await
            }
        };
        if let Err(error) = dropped {
            tracing::debug!("a try of model {} is forgotten later: {error}", permit.model);
        }
    }
}

/// A random time up to `most`, so that those who are sent away do not come back in step.
fn jitter(most: Duration) -> Duration {
    most.max(Duration::from_millis(20)).mul_f64(rand::random())
}
