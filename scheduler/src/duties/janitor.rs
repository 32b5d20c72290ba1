//! Removing from Redis what nobody needs any more.

use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::{Doors, duty::Duty};

const EVERY: Duration = Duration::from_secs(5);

/// One pass. Returns how many entries were dropped.
///
/// # Errors
/// Redis is away; what was dropped stays dropped.
pub async fn janitor(doors: &Doors) -> anyhow::Result<u64> {
    doors.queue.janitor().await.context("Redis could not be swept")
}

/// A pass each 5 s until `stop`.
pub(crate) async fn keep_clean(doors: Doors, stop: CancellationToken) {
    let mut duty = Duty::new("janitor", EVERY);
    while !stop.is_cancelled() {
        let doors = doors.clone();
        duty.attempt(async move { janitor(&doors).await }).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}
