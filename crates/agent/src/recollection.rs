//! The memory of a worker: opened when it is first wanted, since most runs want none.

use std::sync::Arc;

use hive_embed::Embedder;
use hive_memory::{Memory, Settings};
use hive_store::Store;
use tokio::sync::OnceCell;

/// Entries of a project that a worker holds an index of. Of more, Postgres proposes candidates.
const MOST_ENTRIES: usize = 50_000;
/// Entries that are weighed for a task when it begins.
pub(crate) const WEIGHED: usize = 20;

/// The way to the memory.
#[derive(Clone, Debug)]
pub struct Recollection {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    embed: hive_embed::Config,
    settings: Settings,
    budget: u32,
    opened: OnceCell<Option<Memory>>,
}

impl Recollection {
    /// Nothing is opened yet. `budget`: tokens that a task is given of the memory when it begins; 0 for none.
    ///
    /// # Errors
    /// When the settings of the embedder cannot be used.
    pub fn new(
        store: Store,
        embed: hive_embed::Config,
        most_bytes: usize,
        budget: u32,
    ) -> hive_embed::Result<Self> {
        embed.check()?;
        let settings = Settings { most_bytes, most_entries: MOST_ENTRIES, ..Settings::default() };
        let inner = Inner { store, embed, settings, budget, opened: OnceCell::new() };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn budget(&self) -> u32 {
        self.inner.budget
    }

    /// The memory; `None` when its model does not load, which was logged.
    pub(crate) async fn open(&self) -> Option<&Memory> {
        let inner = &self.inner;
        let open = || async {
            Embedder::open(&inner.embed)
                .inspect_err(
                    |error| tracing::error!(%error, "The embedder does not open; nothing is recalled"),
                )
                .ok()
                .map(|embedder| Memory::new(inner.store.clone(), embedder, inner.settings))
        };
        inner.opened.get_or_init(open).await.as_ref()
    }
}
