//! The clock of the double, which a test can put forward.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::stage;

/// Runs with real time and never backward. Batches, the prompt cache, rate limits and outages go by it.
#[derive(Debug)]
pub(crate) struct Clock {
    started: (DateTime<Utc>, Instant),
    // Controls put it forward while requests read it.
    ahead: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: (stage::now(), Instant::now()), ahead: Mutex::new(Duration::ZERO) }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let since = self.started.1.elapsed().saturating_add(ahead);
        self.started.0 + TimeDelta::from_std(since).unwrap_or(TimeDelta::MAX / 2)
    }

    pub(crate) fn advance(&self, more: Duration) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = ahead.saturating_add(more);
    }
}
