//! Which model's vectors are searched now, and who makes vectors of it.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hive_embed::{Config, Embedder, MINI_LM};
use hive_store::{EmbeddingModel, Store};
use tokio::sync::OnceCell;

use super::Result;

/// How old what is known may be. A switch to another model is seen by then.
const KNOWN_FOR: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Models {
    configured: Embedder,
    /// Of use while another model is being built, and the entries have vectors of this one.
    embedded: OnceCell<Option<Embedder>>,
    active: Mutex<Option<(Instant, EmbeddingModel)>>,
    announced: AtomicBool,
}

impl Models {
    pub(super) const fn new(configured: Embedder) -> Self {
        Self {
            configured,
            embedded: OnceCell::const_new(),
            active: Mutex::new(None),
            announced: AtomicBool::new(false),
        }
    }

    /// Whether Postgres knows that this process wants vectors of its model.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }

    pub(super) fn set_announced(&self) {
        self.announced.store(true, Ordering::Relaxed);
    }

    pub(super) const fn configured(&self) -> &Embedder {
        &self.configured
    }

    /// The active model.
    pub(super) async fn active(&self, store: &Store) -> Result<EmbeddingModel> {
        let known = self.active.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, model)) = known
            && at.elapsed() < KNOWN_FOR
        {
            return Ok(model);
        }
        let model = store.active_embedding_model().await?.unwrap_or_else(|| self.own());
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), model.clone()));
        Ok(model)
    }

    /// The model of this process, as its configuration has it.
    pub(super) fn own(&self) -> EmbeddingModel {
        EmbeddingModel {
            model: self.configured.model().to_owned(),
            dims: i32::try_from(self.configured.dimensions()).unwrap_or(i32::MAX),
        }
    }

    /// Who makes vectors of `model`, if anybody here does; not who makes some of another length under its name.
    pub(super) async fn embedder(&self, model: &EmbeddingModel) -> Option<Embedder> {
        if self.own() == *model {
            return Some(self.configured.clone());
        }
        if model.model != MINI_LM {
            return None;
        }
        let open = || async {
            Embedder::open(&Config::embedded())
                .inspect_err(|error| tracing::error!(%error, "The embedded model does not load"))
                .ok()
        };
        self.embedded.get_or_init(open).await.clone()
    }
}
