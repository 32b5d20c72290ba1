//! `hive verify` on the fleet under fire: what must hold at every moment, and at the end everything.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context;
use serde_json::Value;
use tokio::{process::Command, time::Instant};

use crate::fleet::{self, Fleet};

/// These give the fleet time to recover, and may be broken while it has not.
const TAKES_TIME: [&str; 5] =
    ["ghost_run", "overdue_task", "dependencies_missed", "ready_without_ticket", "unwanted_ticket"];

/// Violations found, each as one line.
pub(crate) struct Verified {
    pub(crate) checks: usize,
    pub(crate) violations: Vec<(String, String)>,
}

/// Where the deployment is.
pub(crate) struct Stores {
    pub(crate) database_url: String,
    pub(crate) redis_url: String,
    pub(crate) prefix: String,
}

impl Stores {
    fn of(fleet: &Fleet) -> anyhow::Result<Self> {
        Ok(Self {
            database_url: fleet.stores.database_url().context("no Postgres")?.to_owned(),
            redis_url: fleet.stores.redis_url().context("no Redis")?.to_owned(),
            prefix: "hive".to_owned(),
        })
    }
}

/// Runs the product's own checker; `None` when a store is away.
pub(crate) async fn verify(
    programs: &Path,
    stores: &Stores,
    ticket_grace: u32,
) -> anyhow::Result<Option<Verified>> {
    let output = Command::new(programs.join("hive"))
        .args(["--json", "verify", "--all", "--ticket-grace", &ticket_grace.to_string()])
        .env("DATABASE_URL", &stores.database_url)
        .env("REDIS_URL", &stores.redis_url)
        .env("HIVE_REDIS_PREFIX", &stores.prefix)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await??;
    if !matches!(output.status.code(), Some(0 | 1)) || output.stdout.is_empty() {
        return Ok(None);
    }
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    let mut violations = Vec::new();
    for check in &checks {
        let name = check["name"].as_str().unwrap_or_default();
        for violation in check["violations"].as_array().into_iter().flatten() {
            let (task, evidence) = (&violation["task_id"], &violation["evidence"]);
            let line = format!(
                "{name}: {} {}",
                task.as_str().unwrap_or_default(),
                evidence.as_str().unwrap_or_default()
            );
            violations.push((name.to_owned(), line));
        }
    }
    Ok(report["tickets_seen"]
        .as_bool()
        .unwrap_or_default()
        .then_some(Verified { checks: checks.len(), violations }))
}

impl Verified {
    /// What must not be broken even while the fleet recovers.
    pub(crate) fn at_any_moment(self) -> Vec<String> {
        let broken = self.violations.into_iter().filter(|(name, _)| !TAKES_TIME.contains(&name.as_str()));
        broken.map(|(_, line)| line).collect()
    }
}

/// Under fire.
pub(crate) async fn now(fleet: &Fleet) -> anyhow::Result<Option<Verified>> {
    verify(&fleet::programs()?, &Stores::of(fleet)?, 300).await
}

/// Asks until all is whole, for as long as the slowest recovery may take: tickets that a dead worker held are put back
/// by another's heartbeat, and one that nobody wants is dropped when it is taken.
pub(crate) async fn at_the_end(fleet: &Fleet) -> anyhow::Result<Verified> {
    const PATIENCE: Duration = Duration::from_secs(45);
    const GRACE: u32 = 15;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let verified = verify(&fleet::programs()?, &Stores::of(fleet)?, GRACE).await?;
        match verified {
            Some(verified) if verified.violations.is_empty() || Instant::now() > deadline => {
                return Ok(verified);
            }
            None if Instant::now() > deadline => anyhow::bail!("hive verify could not reach the stores"),
            _ => tokio::time::sleep(Duration::from_secs(2)).await,
        }
    }
}
