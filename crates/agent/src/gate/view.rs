//! What lies in Postgres, as this worker last read it: each second, and at once when somebody says that it changed.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use hive_store::{OpenBreaker, ProviderState, StoppedKey};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Gate, Inner, PROVIDER_UPDATES};
use crate::meter;

/// The pause between two looks. A key that is stopped is stopped for the fleet within twice this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is older is read again before a call.
const STALE_AFTER: Duration = Duration::from_millis(1_500);

/// The last look.
#[derive(Default)]
pub(super) struct View {
    // Protects the last look; replaced whole, never held over an await.
    seen: RwLock<Option<Seen>>,
}

#[derive(Clone)]
struct Seen {
    at: Instant,
    state: ProviderState,
}

impl View {
    fn with<T>(&self, of: impl FnOnce(&Seen) -> Option<T>) -> Option<T> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(of)
    }

    /// True when what was read is too old to go by, as while Postgres is slow.
    pub(super) fn is_stale(&self) -> bool {
        self.age() > STALE_AFTER
    }

    /// How long ago it was read.
    fn age(&self) -> Duration {
        self.with(|seen| Some(seen.at.elapsed())).unwrap_or(Duration::MAX)
    }

    /// True when the provider refused a model for its rate without naming a time, and has not answered since.
    pub(super) fn is_limited_unnamed(&self, model: &str) -> bool {
        let is = |seen: &Seen| {
            seen.state.models.iter().find(|state| state.model == model).map(|s| s.is_limited_unnamed)
        };
        self.with(is).unwrap_or(false)
    }

    /// The stop of the key, and how long nobody may try it yet.
    pub(super) fn stop(&self) -> Option<(StoppedKey, Duration)> {
        self.with(|seen| {
            let stop = seen.state.stopped.first()?.clone();
            let left = stop.probe_in.saturating_sub(seen.at.elapsed());
            Some((stop, left))
        })
    }

    /// The open breaker of a model, and how long nobody may try it yet.
    pub(super) fn open(&self, model: &str) -> Option<(OpenBreaker, Duration)> {
        self.with(|seen| {
            let open = seen.state.models.iter().find(|state| state.model == model)?.open.clone()?;
            let left = open.probe_in.saturating_sub(seen.at.elapsed());
            Some((open, left))
        })
    }

    /// How long no call may be made yet.
    pub(super) fn held(&self, model: &str) -> Duration {
        let held = self.with(|seen| {
            let state = seen.state.models.iter().find(|state| state.model == model)?;
            Some(state.held_for.saturating_sub(seen.at.elapsed()))
        });
        held.unwrap_or_default()
    }

    /// The limits that the provider named.
    pub(super) fn limits(&self, model: &str) -> [u64; 3] {
        let limits = self.with(|seen| {
            seen.state.models.iter().find(|state| state.model == model).map(|state| state.limits)
        });
        limits.unwrap_or_default()
    }

    /// Workers that share the rate.
    pub(super) fn workers(&self) -> u64 {
        self.with(|seen| Some(seen.state.workers)).unwrap_or(1).max(1)
    }
}

impl Inner {
    /// Reads what holds now, unless that was done within `age`: one look serves all calls of that time.
    pub(super) async fn look_unless_younger(&self, age: Duration) {
        if self.view.age() >= age {
            self.look().await;
        }
    }

    /// Reads what holds now. What cannot be read stays as it was seen.
    pub(super) async fn look(&self) {
        let at = Instant::now();
        match tokio::time::timeout(Duration::from_secs(2), self.store.provider(Some(&self.key))).await {
            Ok(Ok(state)) => {
                meter::provider(&state);
                let mut seen = self.view.seen.write().unwrap_or_else(PoisonError::into_inner);
                if seen.as_ref().is_none_or(|seen| seen.at <= at) {
                    self.lift_own_holds(&state, at);
                    *seen = Some(Seen { at, state });
                }
            }
            Ok(Err(error)) => tracing::debug!("the state of the provider is read later: {error}"),
            Err(_) => tracing::debug!("the state of the provider is read later"),
        }
    }

    /// A hold of this worker's own that was written down before a look, and that the look does not show, was lifted.
    fn lift_own_holds(&self, state: &ProviderState, looked_at: Instant) {
        let is_held = |model: &str| state.models.iter().any(|s| s.model == model && !s.held_for.is_zero());
        for (model, own) in self.own().iter_mut() {
            if own.hold_written.is_some_and(|written| written <= looked_at) && !is_held(model) {
                own.held_until = None;
            }
        }
    }

    /// After a change: this worker sees it at once, the others with the nudge or their next look.
    pub(super) async fn changed(&self) {
        self.look().await;
        self.queue.notify(PROVIDER_UPDATES, &self.key).await;
    }
}

impl Gate {
    /// Looks until `stop`. A worker whose key is not stopped wakes what waits for one that is: the key was changed.
    pub async fn watch(self, stop: CancellationToken) {
        self.inner.look().await;
        self.wake_after_a_changed_key().await;
        let mut nudges = self.inner.queue.subscribe(&[PROVIDER_UPDATES]);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK_EVERY) => {}
                _ = nudges.recv() => {}
            }
            self.inner.look().await;
        }
    }

    async fn wake_after_a_changed_key(&self) {
        if self.inner.view.stop().is_some() {
            return;
        }
        let woken = match self.inner.store.provider(None).await {
            Ok(state) if !state.stopped.is_empty() => self.inner.store.wake_provider_waits().await,
            Ok(_) => Ok(0),
            Err(error) => Err(error),
        };
        match woken {
            Ok(0) => {}
            Ok(woken) => {
                tracing::info!("{woken} tasks that waited for the provider come back: the key is another");
            }
            Err(error) => tracing::warn!("tasks that wait for the provider come back at their time: {error}"),
        }
    }
}
