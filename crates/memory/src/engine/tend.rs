//! What is done beside the searches: vectors for entries and messages that have none, counts of recalls, the switch to another model.

use std::{sync::PoisonError, time::Duration};

use hive_domain::ContextId;
use hive_store::EmbeddingModel;
use tokio::time::{sleep, timeout};

use super::{Memory, Result};

/// How often is looked without being woken.
pub(super) const EVERY: Duration = Duration::from_secs(1);

impl Memory {
    /// Tends the memory until it is dropped. What fails is tried again.
    pub async fn tend(&self) {
        let mut reported = None;
        loop {
            drop(timeout(EVERY, self.inner.due.notified()).await);
            match self.tend_once().await {
                Ok(_) => reported = None,
                Err(error) => {
                    let line = error.to_string();
                    if reported.as_ref() != Some(&line) {
                        tracing::warn!(%error, "The memory could not be tended; it is tried again");
                        reported = Some(line);
                    }
                    sleep(EVERY).await;
                }
            }
        }
    }

    /// One turn of it; how many entries and messages got vectors.
    ///
    /// # Errors
    /// When Postgres does not answer, or has vectors of another length under the name of this process's model; those of
    /// the active model are made all the same.
    pub async fn tend_once(&self) -> Result<usize> {
        self.write_recalls().await?;
        let inner = &self.inner;
        let (configured, own) = (inner.models.configured(), inner.models.own());
        let announced = self.announce(&own).await;
        let active = inner.models.active(&inner.store).await?;
        let mut given = 0;
        if announced.is_ok() {
            given += self.give_vectors(configured).await? + self.give_message_vectors(configured).await?;
        }
        if active.model != own.model
            && let Some(embedder) = inner.models.embedder(&active).await
        {
            given += self.give_vectors(&embedder).await? + self.give_message_vectors(&embedder).await?;
        }
        announced?;
        if active.model != own.model && inner.store.finish_embedding_model(&own.model).await? {
            tracing::info!("Searches use vectors of {} from now on", own.model);
        }
        Ok(given)
    }

    /// Once in the life of a process: one of an older configuration that is still up must not call its model back.
    async fn announce(&self, own: &EmbeddingModel) -> Result<()> {
        let inner = &self.inner;
        if !inner.models.is_announced() {
            inner.store.use_embedding_model(own).await?;
            inner.models.set_announced();
        }
        Ok(())
    }

    async fn write_recalls(&self) -> Result<()> {
        let counts: Vec<(ContextId, i64)> = {
            let mut recalled = self.inner.recalled.lock().unwrap_or_else(PoisonError::into_inner);
            recalled.drain().collect()
        };
        if !counts.is_empty() {
            let noted = self.inner.store.note_recalled(&counts).await;
            let noted = noted.inspect_err(|_| self.add_recalls(counts))?;
            for resident in self.inner.residents.all() {
                resident.set_recalled(&noted);
            }
        }
        Ok(())
    }
}
