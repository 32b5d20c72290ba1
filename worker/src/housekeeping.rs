//! Duties about files. Only who has them can do it, so each host takes each order once, by whichever of its workers comes
//! first. `workspaces` is here: what lies on this host of tasks that have ended.

use std::{path::Path, time::Duration};

use anyhow::Context;
use hive_domain::TaskId;
use hive_store::{
    Store,
    housekeeping::{Done, Order, WORKSPACES},
};
use hive_workspace::{CommitHash, Found, Leftover, RepositoryUrl, Source, Workspaces};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How often orders are looked for.
const EVERY: Duration = Duration::from_secs(3);
/// The longest that one order may take; the next one does the rest.
const ORDER_WITHIN: Duration = Duration::from_secs(900);
/// Directories that a report names at most.
const NAMED: usize = 100;

/// Does orders until the process is asked to stop.
pub(crate) async fn keep_house(
    store: Store,
    workspaces: Workspaces,
    config: hive_workspace::Config,
    stop: CancellationToken,
) {
    let host = host(&config.root);
    while !stop.is_cancelled() {
        // Whatever goes wrong is said by the order, or is Postgres being away, which health says.
        let work = async |order: &Order| sweep(&store, &workspaces, &config, order).await;
        if let Err(error) = housekeeping(&store, WORKSPACES, &host, work).await {
            tracing::debug!("Housekeeping of this host: {error:#}");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(EVERY) => {}
        }
    }
}

/// Does the order of this duty that nobody on this host has taken, if there is one.
pub(crate) async fn housekeeping(
    store: &Store,
    duty: &'static str,
    host: &str,
    work: impl AsyncFnOnce(&Order) -> anyhow::Result<Done>,
) -> anyhow::Result<()> {
    let Some(order) = store.take_order(&[duty.to_owned()], host).await? else { return Ok(()) };
    metrics::counter!("hive_housekeeping_runs_total", "duty" => duty).increment(1);
    let swept = timeout(ORDER_WITHIN, work(&order)).await;
    let outcome = swept.context("it took too long").and_then(|outcome| outcome);
    let said = outcome.as_ref().map_err(|error| format!("{error:#}"));
    store.finish_order(&order, host, said.as_ref().copied().map_err(String::as_str)).await?;
    match outcome {
        Ok(done) if !order.dry_run => {
            let labels = [("duty", duty)];
            let (rows, bytes) = (done.removed_rows.max(0) as u64, done.removed_bytes.max(0) as u64);
            metrics::counter!("hive_housekeeping_removed_rows_total", &labels).increment(rows);
            metrics::counter!("hive_housekeeping_removed_bytes_total", &labels).increment(bytes);
        }
        Ok(_) => {}
        Err(error) => {
            metrics::counter!("hive_housekeeping_failures_total", "duty" => duty).increment(1);
            tracing::warn!("Duty {duty} failed on this host: {error:#}");
        }
    }
    Ok(())
}

/// What one sweep found, by what became of it.
#[derive(Default)]
struct Swept {
    done: Done,
    deleted: Vec<Value>,
    quarantined: Vec<Value>,
    in_use: usize,
    unknown: Vec<String>,
    errors: Vec<String>,
}

impl Swept {
    fn note(&mut self, leftovers: Vec<Leftover>) {
        for Leftover { path, bytes, found } in leftovers {
            let name = path.display().to_string();
            match found {
                Found::Deleted => {
                    self.done.removed_rows += 1;
                    self.done.removed_bytes += bytes as i64;
                    self.deleted.push(json!(name));
                }
                Found::Quarantined(reason) => {
                    tracing::warn!(path = name, "Work that was left behind is in quarantine: {reason:?}");
                    self.quarantined.push(json!({ "path": name, "reason": format!("{reason:?}") }));
                }
                Found::InUse => self.in_use += 1,
            }
        }
    }

    fn report(mut self) -> Done {
        self.done.report = json!({
            "deleted": first(self.deleted), "quarantined": first(self.quarantined), "in_use": self.in_use,
            "unknown": first(self.unknown), "errors": first(self.errors),
        });
        self.done
    }
}

fn first<T>(mut list: Vec<T>) -> Vec<T> {
    list.truncate(NAMED);
    list
}

async fn sweep(
    store: &Store,
    workspaces: &Workspaces,
    config: &hive_workspace::Config,
    order: &Order,
) -> anyhow::Result<Done> {
    let mut swept = Swept::default();
    let here = workspaces.tasks_here()?;
    let ids: Vec<TaskId> = here.iter().filter_map(|name| name.parse().ok()).collect();
    let known = store.host_tasks(&ids).await?;
    // What this hive does not know may belong to another one on the same disk.
    let names: Vec<String> = known.iter().map(|task| task.id.to_string()).collect();
    swept.unknown = here.into_iter().filter(|name| !names.contains(name)).collect();
    for task in known.iter().filter(|task| task.is_over) {
        let source = task.repository.as_ref().map(|(url, base)| source(url, base, config));
        let outcome = match source {
            // A task without files has no directory; what is there is somebody's.
            None => Err(anyhow::anyhow!("a task without a repository has a directory")),
            Some(Err(error)) => Err(error),
            Some(Ok(source)) => workspaces
                .sweep_task(&task.id.to_string(), &source, order.dry_run)
                .await
                .map_err(anyhow::Error::from),
        };
        match outcome {
            Ok(leftovers) => swept.note(leftovers),
            Err(error) => swept.errors.push(format!("{}: {error:#}", task.id)),
        }
    }
    let used = store.open_repositories().await?;
    let used: Vec<_> = used.iter().filter_map(|url| RepositoryUrl::parse(url, config).ok()).collect();
    match workspaces.sweep_mirrors(&used, order.dry_run).await {
        Ok(mirrors) => swept.note(mirrors),
        Err(error) => swept.errors.push(format!("mirrors: {error}")),
    }
    Ok(swept.report())
}

fn source(url: &str, base: &str, config: &hive_workspace::Config) -> anyhow::Result<Source> {
    Ok(Source { url: RepositoryUrl::parse(url, config)?, base: CommitHash::parse(base)? })
}

/// A name for this host's files: two roots on one machine are two.
pub(crate) fn host(root: &Path) -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", name.trim(), root.display())
}
