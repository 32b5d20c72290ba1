//! What a call tells the fleet.

use std::time::Duration;

use hive_claude::{
    Error, Health, KeyStop, Reply, Usage, accepts_key, health, hold, is_unnamed_limit, limit_name, stops_key,
};
use hive_domain::TaskId;
use hive_queue::{Ended, Settlement};
use hive_store::Probe;
use tokio::time::Instant;

use super::{
    Gate, Inner,
    pass::{Permit, Tries},
    policy::LONGEST_UNNAMED,
};
use crate::meter;

/// What a call is believed to have taken at most, in tokens each way: twice the longest window of a model. A wrong figure
/// would hold up all the others.
const MOST_TOKENS: u64 = 2_000_000;

impl Gate {
    /// After a reply to a call of `task`.
    pub(crate) async fn answered(&self, permit: Permit, task: TaskId, reply: &Reply) {
        self.inner.refusals().answered(task);
        let charged = counted(&reply.usage);
        {
            let mut own = self.inner.own();
            let own = own.entry(permit.model.clone()).or_default();
            own.estimate.learn(permit.bytes, charged);
            own.answered = Some(Instant::now());
        }
        self.inner.settle(&permit, charged, &reply.rate_limits, Ended::Answered, "").await;
        if self.inner.view.is_limited_unnamed(&permit.model)
            && let Err(error) = self.inner.store.forget_unnamed_limits(&self.inner.key, &permit.model).await
        {
            tracing::debug!("that model {} answers again is told later: {error}", permit.model);
        }
    }

    /// After the last try of a question that was first asked so long ago. A provider that refuses for its rate and names no
    /// time is given one, for all: each task would ask as often again. Not when it answered others meanwhile: one
    /// question that is out of luck holds up itself alone.
    pub(crate) async fn given_up(&self, model: &str, error: &Error, asked_for: Duration) {
        if !is_unnamed_limit(error) {
            return;
        }
        let (inner, model) = (&self.inner, limit_name(model));
        let answered = inner.own().get(model).and_then(|own| own.answered);
        if answered.is_some_and(|answered| answered.elapsed() < asked_for) {
            return;
        }
        let held =
            inner.store.hold_model_unnamed(&inner.key, model, inner.policy.unnamed_hold, LONGEST_UNNAMED);
        match held.await {
            Ok(Some(wait)) => inner.hold(model, wait).await,
            Ok(None) => {}
            Err(error) => tracing::warn!("a hold of model {model} could not be written down: {error}"),
        }
    }

    /// After an error of a call of `task`. A hold and a stop of the key are known to this worker at once, and written down
    /// for the others before this returns. True when the key is refused for this task alone, and is not stopped for it.
    pub(crate) async fn failed(&self, permit: Permit, task: TaskId, error: &Error, detail: &str) -> bool {
        let charged = error.charged().as_ref().map_or(permit.asked, counted);
        if let Some(wait) = hold(error) {
            self.inner.hold(&permit.model, wait).await;
        }
        let stops = stops_key(error);
        let is_of_task = stops == Some(KeyStop::Permission) && self.inner.refusals().refused(task);
        if let Some(reason) = stops.filter(|_| !is_of_task) {
            self.inner.stop_key(reason, detail, permit.granted).await;
        }
        let (ended, none) = (health(error), hive_claude::RateLimits::default());
        let ended = match ended {
            Health::Answers => Ended::Neither,
            Health::Fails => Ended::Failed,
            Health::Unknown => Ended::Neither,
        };
        let limits = match error {
            Error::Api(error) => &error.rate_limits,
            _ => &none,
        };
        // An error that is no failure shows a breaker's try that somebody answers.
        let ended = match (ended, permit.tries) {
            (Ended::Neither, Some(Tries::Model(_))) if health(error) == Health::Answers => Ended::Answered,
            (ended, _) => ended,
        };
        self.inner.settle(&permit, charged, limits, ended, detail).await;
        if matches!(permit.tries, Some(Tries::Key)) && accepts_key(error) {
            self.inner.resume_key().await;
        }
        is_of_task
    }

    /// After a call that we gave up.
    pub(crate) async fn cut(&self, permit: Permit, seen: Option<&Usage>) {
        let charged = seen.map_or(permit.asked, counted);
        let limits = hive_claude::RateLimits::default();
        self.inner.settle(&permit, charged, &limits, Ended::Neither, "").await;
    }

    /// Instead of a call that is not made.
    pub(crate) async fn give_back(&self, permit: Permit) {
        let limits = hive_claude::RateLimits::default();
        self.inner.settle(&Permit { is_sent: false, ..permit }, [0; 2], &limits, Ended::Neither, "").await;
    }

    /// How long a task waits whose call found the key refused.
    pub(crate) fn stopped_for(&self) -> Duration {
        self.inner.policy.key_probe_every.mul_f64(1.0 + rand::random::<f64>() / 4.0)
    }
}

impl Inner {
    async fn stop_key(&self, reason: KeyStop, detail: &str, sent_at: Instant) {
        let (key, reason) = (&self.key, reason.as_str());
        let stopped =
            self.store.stop_key(key, reason, detail, self.policy.key_probe_every, sent_at.elapsed());
        match stopped.await {
            Ok(true) => {
                meter::key_stopped(reason);
                tracing::error!(
                    "Stopped key {key} for all workers ({reason}): {detail}; mend it, then: hive provider resume"
                );
            }
            Ok(false) => {}
            Err(error) => tracing::error!("key {key} is refused, and the fleet cannot be told: {error}"),
        }
        self.changed().await;
    }

    async fn hold(&self, model: &str, wait: Duration) {
        // By our own clock the answer came a moment ago; the others count from the moment they are told.
        let until = Instant::now().checked_add(wait);
        {
            let mut own = self.own();
            let own = own.entry(model.to_owned()).or_default();
            own.held_until = own.held_until.max(until);
            own.hold_written = None;
        }
        let (redis, postgres) = tokio::join!(
            self.queue.hold(self.bucket(model), wait),
            self.store.hold_model(&self.key, model, wait)
        );
        if let Err(error) = redis {
            self.redis_failed(&error);
        }
        match postgres {
            Ok(()) => {
                self.own().entry(model.to_owned()).or_default().hold_written = Some(Instant::now());
            }
            Err(error) => tracing::warn!("a hold of model {model} could not be written down: {error}"),
        }
        self.changed().await;
    }

    async fn settle(
        &self,
        permit: &Permit,
        charged: [u64; 2],
        limits: &hive_claude::RateLimits,
        ended: Ended,
        detail: &str,
    ) {
        let windows = [limits.requests, limits.input_tokens, limits.output_tokens];
        let said = windows.map(|window| window.map_or(0, |window| window.limit));
        self.learn(&permit.model, said).await;
        let policy = &self.policy;
        let settlement = Settlement {
            asked: permit.asked,
            guessed: permit.is_guess.then(|| permit.granted.elapsed()),
            charged,
            is_sent: permit.is_sent,
            limits: policy.limits.of(&permit.model),
            said,
            left: windows.map(|window| window.map(|window| window.remaining)),
            ended,
            too_many: (policy.failures_in_a_row, policy.ends_looked_at, policy.ends_window),
        };
        let mut settled = None;
        if self.asks_redis() {
            match self.queue.settle_call(self.bucket(&permit.model), &settlement).await {
                Ok(too_many) => settled = Some(too_many),
                Err(error) => self.redis_failed(&error),
            }
        }
        let too_many = settled.unwrap_or_else(|| {
            let (limits, now) = (self.own_limits(&permit.model), std::time::Instant::now());
            let mut own = self.own();
            let share = &mut own.entry(permit.model.clone()).or_default().share;
            share.settle(
                now,
                [u64::from(!permit.is_sent), permit.asked[0], permit.asked[1]],
                [0, charged[0], charged[1]],
                limits,
                ended,
                policy,
            )
        });
        if too_many {
            self.open(&permit.model, detail).await;
        }
        self.tell_what_was_found(permit, ended).await;
    }

    async fn learn(&self, model: &str, said: [u64; 3]) {
        let is_news = {
            let mut own = self.own();
            let own = own.entry(model.to_owned()).or_default();
            let is_news = said != [0; 3] && own.learned != said;
            own.learned = said;
            is_news
        };
        if is_news && let Err(error) = self.store.learn_limits(&self.key, model, said).await {
            tracing::debug!("the limits of model {model} are written down later: {error}");
        }
    }

    async fn open(&self, model: &str, detail: &str) {
        match self.store.open_breaker(&self.key, model, detail, self.policy.breaker_pause).await {
            Ok(true) => {
                meter::breaker(model, "open");
                tracing::warn!(
                    "Opened the breaker of model {model}: too many calls failed, the last with: {detail}"
                );
                self.changed().await;
            }
            Ok(false) => {}
            Err(error) => tracing::warn!("the breaker of model {model} could not be opened: {error}"),
        }
    }

    async fn resume_key(&self) {
        match self.store.resume_keys(Some(&self.key), "a call that tried").await {
            Ok(_) => tracing::info!("Key {} is in use again: a call was answered", self.key),
            Err(error) => tracing::warn!("that key {} is good could not be written down: {error}", self.key),
        }
        self.changed().await;
    }

    /// An answer closes the breaker of its model, whether the call was the one that tries or not.
    async fn close(&self, model: &str, probe: Option<Probe>, sent_at: Instant) -> hive_store::Result<()> {
        if self.store.close_breaker(&self.key, model, probe, sent_at.elapsed()).await? {
            meter::breaker(model, "closed");
            tracing::info!("Closed the breaker of model {model}: a call was answered");
        }
        Ok(())
    }

    /// A call that found something out for all says what it found.
    async fn tell_what_was_found(&self, permit: &Permit, ended: Ended) {
        let told = match (permit.tries, ended) {
            (None, Ended::Answered) if self.view.open(&permit.model).is_some() => {
                self.close(&permit.model, None, permit.granted).await
            }
            (None, _) => return,
            (Some(Tries::Key), Ended::Answered) => return self.resume_key().await,
            (Some(Tries::Key), _) if permit.is_sent => return,
            (Some(Tries::Key), _) => self.store.give_back_key_probe(&self.key).await,
            (Some(Tries::Model(probe)), Ended::Answered) => {
                self.close(&permit.model, Some(probe), permit.granted).await
            }
            (Some(Tries::Model(probe)), Ended::Failed) => {
                self.store.end_probe(&self.key, &permit.model, probe, self.policy.breaker_pause).await
            }
            (Some(Tries::Model(probe)), Ended::Neither) => {
                self.store.end_probe(&self.key, &permit.model, probe, Duration::ZERO).await
            }
        };
        if let Err(error) = told {
            tracing::warn!("what a try found could not be written down: {error}");
        }
        self.changed().await;
    }
}

/// Tokens that count toward the rate: what was read from the cache does not.
fn counted(usage: &Usage) -> [u64; 2] {
    [usage.input_tokens.saturating_add(usage.cache_creation_input_tokens), usage.output_tokens]
        .map(|tokens| tokens.min(MOST_TOKENS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_no_call_can_have_taken_is_not_believed() {
        let usage = Usage { input_tokens: u64::MAX, output_tokens: 1 << 60, ..Usage::default() };
        assert_eq!(counted(&usage), [MOST_TOKENS; 2]);
        let usage = Usage { input_tokens: 7, cache_creation_input_tokens: 5, output_tokens: 3, ..usage };
        assert_eq!(counted(&usage), [12, 3]);
    }
}
