//! Vectors of what is about to be stored, and what was of use.

use std::sync::PoisonError;

use hive_domain::ContextId;
use hive_embed::{Embedder, Kind};
use hive_store::Vectors;
use tokio::time::timeout;

use super::Memory;
use crate::chunks::chunks;

impl Memory {
    /// The vectors of an entry that is about to be stored, if they are made at once. Without them the entry is found by
    /// its words from the moment it is stored, and by its meaning as soon as [`Memory::tend`] comes to it.
    pub async fn vectors_of(&self, title: &str, content: &str) -> Option<Vectors> {
        let inner = &self.inner;
        let model = inner.models.active(&inner.store).await.ok()?;
        let embedder = inner.models.embedder(&model).await?;
        match timeout(inner.settings.vectors_within, embed(&embedder, title, content)).await {
            Ok(Ok(vectors)) => Some(vectors),
            Ok(Err(error)) => {
                tracing::warn!(%error, "An entry was not embedded; it is tried again later");
                None
            }
            Err(_) => None,
        }
    }

    /// After the commit of an entry without vectors.
    pub fn wants_vectors(&self) {
        self.inner.due.notify_one();
    }

    /// Counts recalls; written by [`Memory::tend`].
    pub fn count_recalls(&self, ids: impl IntoIterator<Item = ContextId>) {
        self.add_recalls(ids.into_iter().map(|id| (id, 1)));
    }

    pub(super) fn add_recalls(&self, counts: impl IntoIterator<Item = (ContextId, i64)>) {
        let mut recalled = self.inner.recalled.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, count) in counts {
            *recalled.entry(id).or_default() += count;
        }
    }

    /// How many tokens a text has for the embedded model, about what it has for others.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        self.inner.models.configured().count_tokens(text)
    }
}

/// One vector for each chunk of an entry; its title stands before each.
pub(super) async fn embed(embedder: &Embedder, title: &str, content: &str) -> hive_embed::Result<Vectors> {
    let texts: Vec<String> = chunks(content)
        .into_iter()
        .map(|range| {
            if title.is_empty() { content[range].to_owned() } else { format!("{title}\n{}", &content[range]) }
        })
        .collect();
    let chunks = embedder.embed(&texts, Kind::Document).await?;
    Ok(Vectors { model: embedder.model().to_owned(), chunks })
}
