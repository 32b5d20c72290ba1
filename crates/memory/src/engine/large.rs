//! A memory that is too large for an index: Postgres proposes candidates by words and by meaning, and they are weighed by
//! the same code as all others. How rare a word is, is then said of the candidates and not of all.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use hive_store::EmbeddingModel;

use super::{Error, Memory, Recall, Result, resident};
use crate::index::{Found, Index};

/// Candidates of each of the two ways.
const PROPOSED: i64 = 200;

impl Memory {
    pub(super) async fn propose_of_many(
        &self,
        model: &EmbeddingModel,
        recall: &Recall,
        vector: Option<Arc<[f32]>>,
    ) -> Result<(Vec<Found>, DateTime<Utc>)> {
        let store = &self.inner.store;
        let at = match recall.as_of {
            Some(as_of) => as_of,
            None => store.now().await?,
        };
        let mut ids = store.propose_by_words(&recall.reader, &recall.text, at, PROPOSED).await?;
        if let Some(vector) = &vector {
            ids.extend(store.propose_by_vector(&recall.reader, model, vector, at, PROPOSED).await?);
        }
        ids.sort_unstable();
        ids.dedup();
        let entries = store.context_feed_of(&model.model, &ids).await?;
        let versions = store.active_memory_versions(recall.reader.project).await?;
        let (recall, dimensions) = (recall.clone(), usize::try_from(model.dims).unwrap_or(0));
        let search = tokio::task::spawn_blocking(move || {
            let mut index = Index::new(dimensions);
            for version in versions {
                index.set_version(version, true);
            }
            for entry in &entries {
                resident::put(&mut index, entry);
            }
            index.search(&recall.query(vector.as_deref(), at))
        });
        Ok((search.await.map_err(|_| Error::Broken)?, at))
    }
}
