//! The limit of the same run: what pgbench reaches on the same Postgres with as many commits as a no-op task makes,
//! each changing a task-like row and adding an event-like one.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, bail};
use sqlx::PgPool;

/// Commits of one no-op task: accepted, claimed, settled.
const SCRIPT: &str = "
\\set id random(1, 9000000000000000000)
WITH t AS (INSERT INTO bench_tasks (id, status, title) VALUES (:id, 'ready', 'probe') ON CONFLICT DO NOTHING RETURNING id)
INSERT INTO bench_events (task_id, seq, kind) SELECT id, 1, 'task.created' FROM t;
WITH t AS (UPDATE bench_tasks SET status = 'running' WHERE id = :id RETURNING id)
INSERT INTO bench_events (task_id, seq, kind) SELECT id, 2, 'task.started' FROM t;
WITH t AS (UPDATE bench_tasks SET status = 'succeeded' WHERE id = :id RETURNING id)
INSERT INTO bench_events (task_id, seq, kind) SELECT id, 3, 'task.succeeded' FROM t;
";

/// Tasks per second of three commits each, with 16 clients for 8 s.
pub(crate) async fn tasks_per_second(pool: &PgPool, url: &str, postgres_pid: u32) -> anyhow::Result<f64> {
    let schema = "
        CREATE TABLE bench_tasks (id bigint PRIMARY KEY, status text NOT NULL, title text NOT NULL);
        CREATE INDEX ON bench_tasks (status, id);
        CREATE TABLE bench_events (task_id bigint NOT NULL, seq bigint NOT NULL, kind text NOT NULL,
                                   created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (task_id, seq));";
    sqlx::raw_sql(schema).execute(pool).await?;
    let directory = tempfile::tempdir()?;
    let script = directory.path().join("task.sql");
    std::fs::write(&script, SCRIPT)?;
    let program = pgbench(postgres_pid)?;
    let url = url.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .args(["--no-vacuum", "--protocol=prepared", "--client=16", "--jobs=2", "--time=8", "--file"])
            .arg(script)
            .arg(url)
            .output()
    })
    .await??;
    sqlx::raw_sql("DROP TABLE bench_tasks, bench_events").execute(pool).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr));
    }
    let line = text.lines().find_map(|line| line.strip_prefix("tps = ")).context("pgbench printed no tps")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

/// The pgbench that belongs to the running Postgres.
fn pgbench(postgres_pid: u32) -> anyhow::Result<PathBuf> {
    let server = std::fs::read_link(format!("/proc/{postgres_pid}/exe"))?;
    let program = server.with_file_name("pgbench");
    if !program.is_file() {
        bail!("{} is missing; it comes with Postgres", program.display());
    }
    Ok(program)
}
