//! How long work stood still, by the database's clock.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use crate::strike::Struck;

/// How long after Redis forgot is looked at.
const AFTERWARDS: TimeDelta = TimeDelta::seconds(20);

/// Seconds from each kill of a worker to the next `event` of each task it was running, in order: the pass that takes it
/// back, or the claim that follows, which also waits for a free place.
pub(crate) async fn after_kills(pool: &PgPool, struck: &Struck, event: &str) -> anyhow::Result<Vec<f64>> {
    let mut seconds = Vec::new();
    for hit in struck.hits.iter().filter(|hit| hit.killed) {
        for (task, epoch) in &hit.running {
            let next: Option<DateTime<Utc>> = sqlx::query_scalar(
                "SELECT min(created_at) FROM events
                 WHERE task_id = $1 AND kind = $3 AND created_at > $4
                   AND coalesce((data ->> 'epoch')::bigint > $2, true)",
            )
            .bind(task)
            .bind(epoch)
            .bind(event)
            .bind(hit.at)
            .fetch_one(pool)
            .await?;
            // Without a next claim it had settled in the last moment.
            seconds.extend(next.map(|next| (next - hit.at).as_seconds_f64()));
        }
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

/// The longest time without a claim in the seconds after Redis forgot everything.
pub(crate) async fn after_forgetting(pool: &PgPool, struck: &Struck) -> anyhow::Result<f64> {
    let mut longest: f64 = 0.0;
    for at in &struck.forgot {
        let claims: Vec<DateTime<Utc>> = sqlx::query_scalar(
            "SELECT created_at FROM events WHERE kind = 'task.started' AND created_at BETWEEN $1 AND $2
             ORDER BY created_at",
        )
        .bind(at)
        .bind(*at + AFTERWARDS)
        .fetch_all(pool)
        .await?;
        let mut before = *at;
        for claim in claims {
            longest = longest.max((claim - before).as_seconds_f64());
            before = claim;
        }
    }
    Ok(longest)
}

/// Nearest rank; 0 of nothing.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}
