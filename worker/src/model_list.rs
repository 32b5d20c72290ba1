//! The list of models: asked for by one worker of the fleet at a time, read by all, and looked through for models that
//! are named and do not answer much longer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use hive_agent::{ModelBook, Models};
use hive_claude::{Catalogue, Claude, Standing};
use hive_domain::ReportedModel;
use hive_store::Store;
use hive_telemetry::{Health, health::State};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::meter;

/// A list that is older is asked for anew.
const STALE: Duration = Duration::from_secs(3_600);
/// How often a worker looks whether a list is wanted, or a newer one is there.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How often what is there is looked through: agents, rules and days change without a new list.
const READ_EVERY: Duration = Duration::from_secs(60);
/// The longest that the service may take; shorter than others wait for whoever asks.
const ASK_WITHIN: Duration = Duration::from_secs(40);
/// The longest that a start waits for the list.
const START_WITHIN: Duration = Duration::from_secs(10);
/// Findings that the health page names.
const NAMED: usize = 10;

/// The component of the health page.
const COMPONENT: &str = "models";

/// Keeps the book of one worker true.
pub(crate) struct ModelList {
    store: Store,
    claude: Claude,
    /// What stands for the key in the store.
    key: String,
    worker: String,
    health: Health,
    book: Arc<ModelBook>,
    /// The list that was last read.
    seen: Option<DateTime<Utc>>,
    /// What was already told.
    told: BTreeSet<String>,
}

impl ModelList {
    /// Tells the fleet the classes of this worker, asks for the list when it is this worker's turn, and reports what is
    /// named and ends. A service that does not answer holds nobody up: what the build and the last list know, holds.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub(crate) async fn open(
        store: Store,
        claude: Claude,
        key: String,
        worker: String,
        classes: &Models,
        health: Health,
    ) -> hive_store::Result<Self> {
        health.optional(COMPONENT);
        store.report_model_classes(&worker, classes.all()).await?;
        let known = store.known_models().await?;
        let book = Arc::new(ModelBook::new(classes.clone(), Catalogue::new(&known.reported, known.now)));
        let mut list = Self { store, claude, key, worker, health, book, seen: None, told: BTreeSet::new() };
        if timeout(START_WITHIN, list.refresh()).await.is_err() {
            tracing::warn!("The service did not list its models within {} s", START_WITHIN.as_secs());
        }
        list.read().await?;
        Ok(list)
    }

    /// What calls look into.
    pub(crate) fn book(&self) -> Arc<ModelBook> {
        Arc::clone(&self.book)
    }

    /// Goes on until the process is asked to stop.
    pub(crate) async fn keep(mut self, stop: CancellationToken) {
        let mut read = Instant::now();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK_EVERY) => {}
            }
            self.refresh().await;
            let newest = self.store.models_refreshed_at().await;
            let is_newer = newest.is_ok_and(|at| at != self.seen);
            if is_newer || read.elapsed() >= READ_EVERY {
                read = Instant::now();
                // Postgres being away is said by its own component.
                if let Err(error) = self.read().await {
                    tracing::debug!("what is known of models is read later: {error}");
                }
            }
        }
    }

    /// Asks the service, when a list is wanted and nobody else is at it.
    async fn refresh(&self) {
        match self.store.take_model_refresh(&self.worker, STALE).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::debug!("whether a list of models is wanted is not known: {error}"),
        }
        // A service that has refused the key is not asked with it, whatever for.
        match self.store.is_key_stopped(&self.key).await {
            Ok(false) => {}
            Ok(true) => {
                return self.finish(Err(&format!("key {} is stopped", self.key))).await;
            }
            Err(error) => return self.finish(Err(&error.to_string())).await,
        }
        let listed = match timeout(ASK_WITHIN, self.claude.models()).await {
            Ok(Ok(models)) if models.is_empty() => Err("the service lists no models".to_owned()),
            Ok(Ok(models)) => Ok(models.into_iter().map(ReportedModel::from).collect::<Vec<_>>()),
            Ok(Err(error)) => Err(hive_telemetry::redact(&error.to_string()).into_owned()),
            Err(_) => Err(format!("no answer within {} s", ASK_WITHIN.as_secs())),
        };
        meter::models_listed(listed.is_ok());
        match &listed {
            Ok(models) => tracing::info!(models = models.len(), "The service listed its models"),
            Err(error) => tracing::warn!("The service did not list its models: {error}"),
        }
        self.finish(listed.as_deref().map_err(String::as_str)).await;
    }

    async fn finish(&self, listed: Result<&[ReportedModel], &str>) {
        if let Err(error) = self.store.finish_model_refresh(&self.worker, listed).await {
            tracing::warn!("The list of models was not stored: {error}");
        }
    }

    /// Takes over what is stored, and tells what is named and ends.
    async fn read(&mut self) -> hive_store::Result<()> {
        let known = self.store.known_models().await?;
        let uses = self.store.model_uses().await?;
        let catalogue = Catalogue::new(&known.reported, known.now);
        let findings = catalogue.findings(&uses, self.book.classes.all());
        for trouble in Standing::TROUBLES {
            let count = findings.iter().filter(|finding| finding.standing.as_str() == trouble).count();
            meter::model_findings(trouble, count);
        }
        let sentences: BTreeSet<String> = findings.iter().map(hive_claude::Finding::sentence).collect();
        for sentence in sentences.difference(&self.told) {
            tracing::warn!("A model that is named does not stand well: {sentence}");
        }
        let first: Vec<&str> = sentences.iter().take(NAMED).map(String::as_str).collect();
        self.health.set(
            COMPONENT,
            match first.is_empty() {
                true => State::Up,
                false => State::Degraded(first.join("; ")),
            },
        );
        self.told = sentences;
        self.seen = known.refresh.refreshed_at;
        self.book.replace(catalogue);
        Ok(())
    }
}
