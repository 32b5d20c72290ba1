//! How tickets come: in silence, one by one, or in a rush.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

/// Silence of the lanes after which Postgres is asked.
const QUIET: Duration = Duration::from_secs(1);
/// Tickets that come within [`WITHIN`] are a rush: where so many come, more wait than tickets lead to one by one.
const MANY: u32 = 8;
const WITHIN: Duration = Duration::from_millis(25);
/// What a ticket waits in a rush. It is not held longer, since it may lead to a task that is claimed by its ticket only,
/// such as one with a rate.
const HELD: Duration = Duration::from_millis(50);

/// The tickets that came lately, and whether the next ones wait. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Flow(Arc<Inner>);

struct Inner {
    // Protects two times and a count; held for a few instructions.
    came: Mutex<Came>,
    rush: Notify,
    held: watch::Sender<bool>,
}

struct Came {
    last: Instant,
    counting_since: Instant,
    count: u32,
}

impl Flow {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self(Arc::new(Inner {
            came: Mutex::new(Came { last: now, counting_since: now, count: 0 }),
            rush: Notify::new(),
            held: watch::Sender::new(false),
        }))
    }

    /// A ticket came.
    pub(crate) fn came(&self) {
        let now = Instant::now();
        let mut came = self.0.came.lock().unwrap_or_else(PoisonError::into_inner);
        came.last = now;
        if now.duration_since(came.counting_since) > WITHIN {
            (came.counting_since, came.count) = (now, 0);
        }
        came.count += 1;
        if came.count == MANY {
            came.count = 0;
            self.0.rush.notify_one();
        }
    }

    /// Returns when no ticket came for a while.
    pub(crate) async fn quiet(&self) {
        loop {
            let until = self.0.came.lock().unwrap_or_else(PoisonError::into_inner).last + QUIET;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Whether no ticket came for a while, as when Redis is away.
    pub(crate) fn is_quiet(&self) -> bool {
        let last = self.0.came.lock().unwrap_or_else(PoisonError::into_inner).last;
        last + QUIET <= Instant::now()
    }

    /// Returns when tickets came in a rush, if only since the last time it was asked.
    pub(crate) async fn rush(&self) {
        self.0.rush.notified().await;
    }

    /// Whether tickets wait while Postgres is asked for many tasks at once.
    pub(crate) fn hold(&self, held: bool) {
        self.0.held.send_if_modified(|now| std::mem::replace(now, held) != held);
    }

    /// Returns when a ticket may be followed.
    pub(crate) async fn passes(&self) {
        let mut held = self.0.held.subscribe();
        // The sender lives in this value.
        let _ = timeout(HELD, held.wait_for(|held| !held)).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_tickets_within_a_moment_are_a_rush_and_few_are_none() {
        let flow = Flow::new();
        for _ in 0..100 {
            flow.came();
            tokio::time::advance(WITHIN / (MANY - 2)).await;
        }
        assert!(flow.rush().now_or_never().is_none());
        for _ in 0..MANY {
            flow.came();
        }
        assert!(flow.rush().now_or_never().is_some());
        assert!(flow.rush().now_or_never().is_none(), "each rush counts once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_ticket_passes_with_the_end_of_the_rush_or_after_a_while() {
        let flow = Flow::new();
        assert!(flow.passes().now_or_never().is_some());
        flow.hold(true);
        let started = Instant::now();
        flow.passes().await;
        assert_eq!(started.elapsed(), HELD);
        let waiting = tokio::spawn({
            let flow = flow.clone();
            async move { flow.passes().await }
        });
        tokio::task::yield_now().await;
        flow.hold(false);
        let started = Instant::now();
        waiting.await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_begins_with_the_last_ticket() {
        let flow = Flow::new();
        tokio::time::advance(QUIET / 2).await;
        flow.came();
        let started = Instant::now();
        assert!(!flow.is_quiet());
        flow.quiet().await;
        assert_eq!(started.elapsed(), QUIET);
        assert!(flow.is_quiet());
    }
}
