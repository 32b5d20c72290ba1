//! Carrying out what is to be done to many tasks, slice by slice. Whoever holds a slice when it dies leaves it to the
//! next scheduler.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::reconcile::CHANNEL;
use crate::{Doors, duty::Duty};

/// How long a new action waits for its first slice at most.
const EVERY: Duration = Duration::from_millis(500);

/// One slice of the oldest action that nobody works on. Returns how many tasks were changed or made; `None` when there
/// was nothing to do.
///
/// # Errors
/// Postgres is away, or a task was locked for too long; the slice is as it was, and the next pass takes it again.
pub async fn bulk_actions(doors: &Doors) -> anyhow::Result<Option<usize>> {
    let slice = doors.store.work_on_bulk_actions().await.context("no slice of an action could be done")?;
    let Some(slice) = slice else { return Ok(None) };
    metrics::counter!("hive_bulk_action_tasks_total").increment(slice.changed.len() as u64);
    for changed in &slice.changed {
        let update = json!({ "task_id": changed.task, "seq": changed.event_seq, "status": changed.status });
        doors.queue.notify(CHANNEL, &update.to_string()).await;
    }
    Ok(Some(slice.changed.len()))
}

/// A slice each half second until `stop`, and the next one at once while there is work.
pub(crate) async fn keep_acting(doors: Doors, stop: CancellationToken) {
    let mut duty = Duty::new("bulk_actions", EVERY);
    while !stop.is_cancelled() {
        let doors = doors.clone();
        let done = duty.attempt(async move { bulk_actions(&doors).await }).await;
        if matches!(done, Some(Some(_))) {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = duty.pause() => {}
        }
    }
}
