//! Waiting for something to become true.

use std::time::{Duration, Instant};

/// How often something is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// Polls until `look` gives a value.
///
/// # Panics
/// With `what` when `limit` has passed.
pub async fn within<T>(limit: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = look().await {
            return value;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(LOOK).await;
    }
}
