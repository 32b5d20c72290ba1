//! The number of the last event of the system, for all who watch in this process: one look serves them all. A message at
//! Redis makes it look at once; it also looks by itself, so that the stream is as complete without Redis.

use std::time::Duration;

use hive_queue::{Notice, Subscription};
use hive_store::Store;
use serde::Deserialize;
use tokio::{sync::watch, time::timeout};

/// How often it looks by itself: one row, and only while somebody watches.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The number, told to whoever follows.
#[derive(Debug)]
pub struct Tail(watch::Sender<i64>);

#[derive(Deserialize)]
struct Told {
    seq: i64,
}

impl Default for Tail {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Tail {
    /// Yields the number whenever it rose.
    pub fn follow(&self) -> watch::Receiver<i64> {
        self.0.subscribe()
    }

    /// Looks until it is dropped.
    pub async fn keep(&self, store: &Store, mut hints: Subscription) {
        loop {
            // What is known already is no reason to look again.
            if let Ok(Notice::Message { payload, .. }) = timeout(LOOK_EVERY, hints.recv()).await
                && serde_json::from_str(&payload).is_ok_and(|told: Told| told.seq <= *self.0.borrow())
            {
                continue;
            }
            if self.0.receiver_count() == 0 {
                continue;
            }
            match store.last_system_event().await {
                Ok(last) => {
                    self.0.send_if_modified(|known| {
                        last > *known && {
                            *known = last;
                            true
                        }
                    });
                }
                Err(error) => tracing::debug!(%error, "The last event could not be looked up"),
            }
        }
    }
}
