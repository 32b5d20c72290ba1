//! What is still to be done.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::fleet::Fleet;

const OPEN: &str =
    "SELECT count(*) FROM tasks WHERE status IN ('proposed', 'pending', 'ready', 'running', 'waiting')";

/// Waits until nothing is open; how much is, when the time is up. `meanwhile` is done at each look.
pub(crate) async fn drained(
    fleet: &mut Fleet,
    deadline: Instant,
    mut meanwhile: impl AsyncFnMut(&mut Fleet) -> anyhow::Result<()>,
) -> anyhow::Result<i64> {
    loop {
        let open: i64 = sqlx::query_scalar(OPEN).fetch_one(&fleet.pool).await?;
        meanwhile(fleet).await?;
        if open == 0 || Instant::now() > deadline {
            return Ok(open);
        }
        sleep(Duration::from_millis(200)).await;
    }
}
