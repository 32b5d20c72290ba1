//! Checkpoints: a worker with a directory for them makes those that are asked for, one at a time in the fleet, and looks
//! after those that lie there.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use hive_store::{
    Store,
    checkpoints::FinishedCheckpoint,
    housekeeping::{CHECKPOINTS, Done, Order},
};
use hive_workspace::Workspaces;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use uuid::Uuid;

use crate::{housekeeping, meter};

/// How often a worker looks whether one is asked for, and whether one is lost.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the lease is renewed: a sixth of the time after which it counts as lost.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// The longest that one may take.
const WITHIN: Duration = Duration::from_secs(4 * 3600);
/// The longest that git may take for one repository: all of its objects are written.
const GIT_WITHIN: Duration = Duration::from_secs(1800);

/// What one worker does for checkpoints.
pub(crate) struct Checkpoints {
    store: Store,
    workspaces: Workspaces,
    repositories: hive_workspace::Config,
    place: Option<Place>,
    worker: String,
}

/// Where they are kept.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    /// How many.
    pub(crate) keep: usize,
}

impl Checkpoints {
    pub(crate) async fn new(
        store: Store,
        repositories: hive_workspace::Config,
        place: Option<Place>,
        worker: String,
    ) -> anyhow::Result<Self> {
        let repositories = hive_workspace::Config { timeout: GIT_WITHIN, ..repositories };
        let workspaces = Workspaces::new(repositories.clone()).await.context("HIVE_DATA cannot be used")?;
        if let Some(place) = &place {
            let made = tokio::fs::create_dir_all(&place.root).await;
            made.with_context(|| format!("HIVE_CHECKPOINTS: {} cannot be made", place.root.display()))?;
        }
        Ok(Self { store, workspaces, repositories, place, worker })
    }

    /// Goes on until the process is asked to stop.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // Whatever goes wrong is said by the checkpoint, or is Postgres being away, which health says.
            if let Err(error) = self.look(&stop).await {
                tracing::debug!("Checkpoints: {error:#}");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        if self.store.fail_lost_checkpoints().await? > 0 {
            tracing::warn!("A checkpoint was lost; its row says why");
        }
        let Some(place) = &self.place else { return Ok(()) };
        let host = housekeeping::host(&place.root);
        if let Some(id) = self.store.take_checkpoint(&self.worker).await? {
            self.make(place, id, stop).await?;
        }
        let look_after = async |order: &Order| self.look_after(place, order).await;
        housekeeping::housekeeping(&self.store, CHECKPOINTS, &host, look_after).await
    }

    async fn make(&self, place: &Place, id: Uuid, stop: &CancellationToken) -> anyhow::Result<()> {
        let began = Instant::now();
        tracing::info!(checkpoint.id = %id, "Making checkpoint {id}");
        let (store, workspaces) = (self.store.clone(), self.workspaces.clone());
        let (repositories, root) = (self.repositories.clone(), place.root.clone());
        // A task of its own, so that a panic ends one checkpoint and not all of them; it ends with its owner.
        let mut making = AbortOnDropHandle::new(tokio::spawn(async move {
            hive_checkpoint::make(&store, &workspaces, &repositories, &root, id).await
        }));
        let made = tokio::select! {
            made = timeout(WITHIN, &mut making) => match made {
                Ok(Ok(made)) => made.map_err(anyhow::Error::from),
                Ok(Err(panic)) => Err(anyhow::anyhow!("the making ended in a panic: {panic}")),
                Err(_) => Err(anyhow::anyhow!("it took longer than {} s", WITHIN.as_secs())),
            },
            lost = self.hold(id) => Err(lost),
            () = stop.cancelled() => Err(anyhow::anyhow!("the worker that made it was stopped")),
        };
        match made {
            Ok(done) => self.finish(place, id, &done, began).await,
            Err(error) => {
                meter::checkpoint("failed");
                tracing::warn!(checkpoint.id = %id, "Checkpoint {id} was not made: {error:#}");
                Ok(self.store.fail_checkpoint(id, &self.worker, &format!("{error:#}")).await?)
            }
        }
    }

    async fn finish(
        &self,
        place: &Place,
        id: Uuid,
        done: &FinishedCheckpoint,
        began: Instant,
    ) -> anyhow::Result<()> {
        if !self.store.finish_checkpoint(id, &self.worker, done).await? {
            anyhow::bail!("checkpoint {id} was given up meanwhile; housekeeping removes its files");
        }
        meter::checkpoint("done");
        meter::checkpoint_made(began.elapsed(), done.bytes, done.finished_at.timestamp());
        tracing::info!(checkpoint.id = %id, bytes = done.bytes, "Checkpoint {id} is whole");
        // Not only at night: many that are asked for must not fill the disk.
        hive_checkpoint::sweep(&self.store, &place.root, place.keep, false, false).await?;
        Ok(())
    }

    /// Renews the lease; ends when it is lost.
    async fn hold(&self, id: Uuid) -> anyhow::Error {
        loop {
            sleep(RENEW_EVERY).await;
            match self.store.renew_checkpoint(id, &self.worker).await {
                Ok(true) => {}
                Ok(false) => return anyhow::anyhow!("it was given up meanwhile"),
                // The making itself finds out when the database stays away.
                Err(error) => tracing::debug!("a checkpoint could not be renewed: {error}"),
            }
        }
    }

    async fn look_after(&self, place: &Place, order: &Order) -> anyhow::Result<Done> {
        let found = hive_checkpoint::sweep(&self.store, &place.root, place.keep, true, order.dry_run).await?;
        let removed = found.removed.len() + found.remains.len();
        Ok(Done {
            removed_rows: i64::try_from(removed)?,
            removed_bytes: i64::try_from(found.removed_bytes)?,
            report: json!({
                "verified": found.verified, "kept": found.kept, "removed": found.removed,
                "remains": found.remains, "unknown": found.unknown,
            }),
        })
    }
}
