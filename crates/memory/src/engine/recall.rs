//! Recalling: an index proposes, Postgres shows.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, SecondsFormat, Utc};
use hive_domain::{ContextId, MemoryReader};
use hive_embed::Kind;
use hive_store::{Context, EmbeddingModel};
use tokio::time::timeout;

use super::{Error, Memory, Result, resident::Resident};
use crate::{
    assemble::Piece,
    fuse::Weights,
    index::{Filter, Found, Query},
};

/// Proposals beyond what is wanted, in place of those that Postgres does not show any more.
const SPARE: usize = 10;
/// The least share of what is asked for in words, or the least cosine, of what is related to a question.
const RELATED_WORDS: f32 = 0.1;
const RELATED: f32 = 0.25;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Recall {
    /// In words.
    pub text: String,
    /// Who asks.
    pub reader: MemoryReader,
    /// What held then; now, unless named.
    pub as_of: Option<DateTime<Utc>>,
    /// What it is narrowed to.
    pub filter: Filter,
    /// How much each list counts.
    pub weights: Weights,
    /// How many are wanted at most.
    pub most: usize,
}

impl Recall {
    pub(super) fn query<'a>(&'a self, vector: Option<&'a [f32]>, at: DateTime<Utc>) -> Query<'a> {
        Query {
            text: &self.text,
            vector,
            reader: self.reader,
            at: at.timestamp_micros(),
            filter: self.filter.clone(),
            weights: self.weights,
            most: self.most + SPARE,
        }
    }
}

/// An entry that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The entry, as Postgres shows it to the reader.
    pub context: Context,
    /// Why it was found.
    pub found: Found,
}

impl Hit {
    /// Whether it has enough to do with what was asked to be shown to somebody who did not look for it. Measured: of what
    /// answers a question, one in four hundred is below, and of everything else most.
    #[must_use]
    pub fn is_related(&self) -> bool {
        let parts = &self.found.parts;
        parts.exact > 0.0
            || parts.text >= RELATED_WORDS
            || self.found.cosine.is_some_and(|cosine| cosine >= RELATED)
    }
}

impl From<Hit> for Piece {
    fn from(hit: Hit) -> Self {
        let related = hit.is_related();
        let context = hit.context;
        Self {
            id: context.id,
            kind: context.kind,
            trust: context.trust,
            title: context.title,
            content: context.content,
            since: context.valid_from.to_rfc3339_opts(SecondsFormat::Secs, true),
            related,
        }
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Recalled {
    /// Best first.
    pub hits: Vec<Hit>,
    /// The time that was asked about.
    pub at: DateTime<Utc>,
    /// The model whose vectors were compared; `None` when the search went by words alone, because no vector of the query
    /// was to be had in time.
    pub model: Option<String>,
}

impl Memory {
    /// The entries that fit best of those that the reader may see. All that was committed before the call is searched,
    /// by whichever process it was stored.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn recall(&self, recall: &Recall) -> Result<Recalled> {
        let inner = &self.inner;
        let model = inner.models.active(&inner.store).await?;
        let resident = inner.residents.of(recall.reader.project, &model);
        let known = resident.bytes();
        let fresh = resident.fresh(&inner.store, inner.settings.most_entries);
        let (now, vector) = tokio::join!(fresh, self.query_vector(&model, &recall.text));
        if resident.bytes() > known {
            inner.residents.trim();
        }
        let (found, at) = match now? {
            Some(now) => {
                let at = recall.as_of.unwrap_or(now);
                (self.propose(resident, recall, vector.clone(), at).await?, at)
            }
            None => self.propose_of_many(&model, recall, vector.clone()).await?,
        };
        let hits = self.show(recall, found).await?;
        Ok(Recalled { hits, at, model: vector.map(|_| model.model) })
    }

    async fn propose(
        &self,
        resident: Arc<Resident>,
        recall: &Recall,
        vector: Option<Arc<[f32]>>,
        at: DateTime<Utc>,
    ) -> Result<Vec<Found>> {
        let _turn = self.inner.turns.acquire().await.map_err(|_| Error::Broken)?;
        let recall = recall.clone();
        let search =
            tokio::task::spawn_blocking(move || resident.search(&recall.query(vector.as_deref(), at)));
        search.await.map_err(|_| Error::Broken)
    }

    /// The first of what was found that Postgres shows to the reader. Of the spare ones it is asked only where some of
    /// the others are not shown.
    async fn show(&self, recall: &Recall, mut found: Vec<Found>) -> Result<Vec<Hit>> {
        let mut hits = Vec::with_capacity(recall.most);
        while hits.len() < recall.most && !found.is_empty() {
            let rest = found.split_off(recall.most.min(found.len()));
            let ids: Vec<ContextId> = found.iter().map(|found| found.id).collect();
            let shown = self.inner.store.recallable(&recall.reader, &ids, recall.as_of).await?;
            let mut shown: HashMap<ContextId, Context> =
                shown.into_iter().map(|context| (context.id, context)).collect();
            let seen =
                found.into_iter().filter_map(|found| Some(Hit { context: shown.remove(&found.id)?, found }));
            hits.extend(seen.take(recall.most - hits.len()));
            found = rest;
        }
        Ok(hits)
    }

    pub(super) async fn query_vector(&self, model: &EmbeddingModel, text: &str) -> Option<Arc<[f32]>> {
        if let Some(vector) = self.inner.query_vectors.get(&model.model, text) {
            return Some(vector);
        }
        let embedder = self.inner.models.embedder(model).await?;
        let texts = [text.to_owned()];
        let vectors = timeout(self.inner.settings.query_within, embedder.embed(&texts, Kind::Query)).await;
        let vector: Arc<[f32]> = match vectors {
            Ok(Ok(vectors)) => vectors.into_iter().next()?.into(),
            Ok(Err(error)) => {
                tracing::warn!(%error, "A query was not embedded; it is searched by words alone");
                return None;
            }
            Err(_) => {
                tracing::warn!("A query was not embedded in time; it is searched by words alone");
                return None;
            }
        };
        self.inner.query_vectors.keep(&model.model, text, &vector);
        Some(vector)
    }
}
