//! Admission control: while the oldest ready task has waited too long, work of low priority is refused at the door, so
//! that what was accepted is done in time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::StatusCode;
use hive_domain::Priority;
use hive_store::Store;

use crate::error::{ApiError, Result};

/// How often the age is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most urgent priority that is refused.
const REFUSED_FROM: i16 = 7;
/// When a refused caller may come back, in seconds.
const COME_BACK: u32 = 30;

/// The gate, with the age that it last saw.
#[derive(Debug)]
pub struct Admission {
    /// Zero never refuses.
    limit: Duration,
    oldest_ms: AtomicU64,
}

impl Admission {
    /// A gate that closes once a task has been ready for `limit`; zero keeps it open.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit, oldest_ms: AtomicU64::new(0) }
    }

    /// Accepts or refuses work of this priority.
    ///
    /// # Errors
    /// 429 `backlog` with `Retry-After`.
    pub fn admit(&self, priority: Priority) -> Result<()> {
        let oldest = Duration::from_millis(self.oldest_ms.load(Ordering::Relaxed));
        if self.limit.is_zero() || oldest <= self.limit || priority.get() < REFUSED_FROM {
            return Ok(());
        }
        metrics::counter!("hive_admission_refused_total").increment(1);
        let detail = format!(
            "a ready task has waited for {} s, more than {} s; until that is done, tasks of priority {REFUSED_FROM} to 9 \
             are refused",
            oldest.as_secs(),
            self.limit.as_secs()
        );
        Err(ApiError::later(StatusCode::TOO_MANY_REQUESTS, "backlog", detail, COME_BACK))
    }

    /// Follows the age. A database that is away keeps the last one: it takes no tasks anyway.
    pub async fn watch(&self, store: &Store) {
        loop {
            if let Ok(oldest) = store.oldest_ready().await {
                metrics::gauge!("hive_admission_oldest_ready_seconds").set(oldest.as_secs_f64());
                self.oldest_ms
                    .store(u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
