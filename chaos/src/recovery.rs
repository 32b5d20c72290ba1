//! How long work stood still, by the database's clock.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::strike::Struck;

/// How long after Redis forgot is looked at.
const AFTERWARDS: TimeDelta = TimeDelta::seconds(20);

/// A task whose worker was killed, and how long it took until somebody went on with it.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    pub(crate) task: Uuid,
    pub(crate) at: DateTime<Utc>,
    pub(crate) seconds: f64,
}

/// How long each of them took, in the same order.
pub(crate) fn seconds(recoveries: &[Recovery]) -> Vec<f64> {
    recoveries.iter().map(|recovery| recovery.seconds).collect()
}

/// From each kill of a worker to the next `event` of each task it was running, the fastest first: the pass that takes it
/// back, or the claim that follows, which also waits for a free place.
pub(crate) async fn after_kills(
    pool: &PgPool,
    struck: &Struck,
    event: &str,
) -> anyhow::Result<Vec<Recovery>> {
    let mut recoveries = Vec::new();
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
            recoveries.extend(next.map(|next| Recovery {
                task: *task,
                at: hit.at,
                seconds: (next - hit.at).as_seconds_f64(),
            }));
        }
    }
    recoveries.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    Ok(recoveries)
}

/// What happened to a task from the kill to its next claim, for who wants to know why it took long.
pub(crate) async fn story(pool: &PgPool, recovery: &Recovery) -> anyhow::Result<String> {
    let events: Vec<(DateTime<Utc>, String, Option<String>)> = sqlx::query_as(
        "SELECT created_at, kind, data ->> 'reason' FROM events
         WHERE task_id = $1 AND created_at >= $2 ORDER BY seq LIMIT 6",
    )
    .bind(recovery.task)
    .bind(recovery.at)
    .fetch_all(pool)
    .await?;
    let mut told = format!("task {} killed", recovery.task);
    for (at, kind, reason) in events {
        let after = (at - recovery.at).as_seconds_f64();
        write!(told, ", {after:.1} s {kind} {}", reason.unwrap_or_default())?;
    }
    Ok(told)
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
