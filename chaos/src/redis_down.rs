//! How much of the normal rate goes on while Redis is away, as a phase of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hive_local::RedisData;
use tokio::time::{Instant, sleep};

use crate::{client::Client, fleet::Fleet};

/// Clients that submit no-op tasks as fast as they are accepted.
const CLIENTS: usize = 16;
const SETTLE: Duration = Duration::from_secs(3);
const MEASURE: Duration = Duration::from_secs(8);

/// Tasks per second with Redis, and without.
pub(crate) async fn rates(fleet: &mut Fleet, client: &Arc<Client>) -> anyhow::Result<(f64, f64)> {
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, stop, next) = (Arc::clone(client), Arc::clone(&stop), Arc::clone(&next));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if !client.noop(next.fetch_add(1, Ordering::Relaxed)).await {
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            })
        })
        .collect();
    sleep(SETTLE).await;
    let with = rate(fleet).await?;
    fleet.stores.kill_redis();
    sleep(SETTLE).await;
    let without = rate(fleet).await?;
    fleet.stores.start_redis(RedisData::Wipe)?;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await?;
    }
    Ok((with, without))
}

async fn rate(fleet: &Fleet) -> anyhow::Result<f64> {
    let done = "SELECT count(*) FROM tasks WHERE duty IS NOT NULL AND status = 'succeeded'";
    let before: i64 = sqlx::query_scalar(done).fetch_one(&fleet.pool).await?;
    let started = Instant::now();
    sleep(MEASURE).await;
    let after: i64 = sqlx::query_scalar(done).fetch_one(&fleet.pool).await?;
    Ok((after - before) as f64 / started.elapsed().as_secs_f64())
}
