//! What must not change with size: memory while a large backlog drains, and the claim beside many finished tasks.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hive_store::{Claimant, Config, Store};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::percentile::Times;

/// Finished tasks that get their steps together.
const TASKS_TOGETHER: i64 = 5_000;
/// Claims that are timed.
const CLAIMS: usize = 300;

/// Requests that submit `count` such tasks, so many with each; the API takes 1,000.
pub(crate) fn requests(count: usize, together: usize, task: &Value) -> Vec<Value> {
    let many = |count| json!({ "tasks": vec![task; count] });
    let whole = std::iter::repeat_n(together, count / together);
    whole.chain(Some(count % together).filter(|rest| *rest > 0)).map(many).collect()
}

/// Gives the finished tasks so many steps in all.
pub(crate) async fn journal(pool: &PgPool, finished: i64, steps: i64) -> anyhow::Result<()> {
    if finished == 0 {
        return Ok(());
    }
    let (each, mut last) = ((steps / finished).max(1), uuid::Uuid::nil());
    for _ in 0..steps / (each * TASKS_TOGETHER) {
        last = sqlx::query_scalar(
            "WITH given AS (SELECT id FROM tasks WHERE title = 'finished' AND id > $1 ORDER BY id LIMIT $2),
                  written AS (
                      INSERT INTO steps (task_id, seq, epoch, kind, body)
                      SELECT id, seq, 1, 'reply', json_build_object('text', repeat('what the model said ', 10))
                      FROM given, generate_series(1, $3) AS seq)
             SELECT id FROM given ORDER BY id DESC LIMIT 1",
        )
        .bind(last)
        .bind(TASKS_TOGETHER)
        .bind(i32::try_from(each)?)
        .fetch_one(pool)
        .await?;
    }
    Ok(())
}

/// How long one claim takes, alone on an idle system whose workers are stopped, beside so many finished tasks.
pub(crate) async fn claims(pool: &PgPool, url: &str, finished: i64) -> anyhow::Result<Times> {
    for _ in 0..finished / 50_000 {
        sqlx::query(
            "INSERT INTO tasks (id, project_id, title, duty, created_by, status, run_at, completed_at)
             SELECT (left(replace(first_id_of(now() - random() * interval '1 day')::text, '-', ''), 12)
                     || right(replace(gen_random_uuid()::text, '-', ''), 20))::uuid,
                    project_id, 'finished', 'noop', 'bench', 'succeeded', now(), now()
             FROM (SELECT project_id FROM tasks LIMIT 1) AS project, generate_series(1, 50000)",
        )
        .execute(pool)
        .await?;
    }
    let ready: Vec<(uuid::Uuid,)> = sqlx::query_as(
        "INSERT INTO tasks (id, project_id, title, duty, created_by, status, announced_at)
         SELECT (left(replace(first_id_of(now())::text, '-', ''), 12)
                 || right(replace(gen_random_uuid()::text, '-', ''), 20))::uuid,
                project_id, 'claimed', 'noop', 'bench', 'ready', now() + interval '1 hour'
         FROM (SELECT project_id FROM tasks LIMIT 1) AS project, generate_series(1, $1)
         RETURNING id",
    )
    .bind(i32::try_from(CLAIMS)?)
    .fetch_all(pool)
    .await?;
    // As a worker asks.
    let store = Store::connect_lazy(&Config { lookups: true, ..Config::new(url.to_owned()) })?;
    let claimant = Claimant::ordinary("bench");
    let mut times = Vec::with_capacity(CLAIMS);
    for (id,) in ready {
        let started = Instant::now();
        let lease = store.claim(id.into(), 0, &claimant).await?.context("a ready task is claimed")?;
        times.push(started.elapsed());
        ensure!(lease.epoch() == 1, "the first claim has the epoch 1");
        // Beyond the pace of a busy worker, so that each goes alone.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.close().await;
    Ok(Times::new(times))
}
