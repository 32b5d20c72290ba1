//! Postgres, an embedder and the indexes of this process, joined. Postgres decides: an index only proposes, and what it
//! proposes is read by a statement that asks once more whether the reader may see it.

mod akin;
mod large;
mod messages;
mod model;
mod query_vectors;
mod recall;
mod resident;
mod residents;
mod tend;
mod vectors;
mod write;

use std::{
    collections::HashMap,
    num::NonZero,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use hive_domain::ContextId;
use hive_embed::Embedder;
use hive_store::Store;
use tokio::sync::{Notify, Semaphore};

pub use messages::{MessageHit, MessagesFound};
use model::Models;
use query_vectors::QueryVectors;
pub use recall::{Hit, Recall, Recalled};
pub(crate) use resident::put;
use residents::Residents;

/// What kept the engine from answering.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres.
    #[error(transparent)]
    Store(#[from] hive_store::Error),
    /// A search panicked, or the process is about to end.
    #[error("the search did not come to its end")]
    Broken,
}

/// Result of every call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a process may spend.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes of all indexes; those that were searched longest ago go first.
    pub most_bytes: usize,
    /// Entries of one index. Of a larger memory Postgres proposes candidates, which is slower and finds a little less.
    pub most_entries: usize,
    /// How long storing an entry waits for its vectors; they are made afterwards when it takes longer.
    pub vectors_within: Duration,
    /// How long a search waits for the vector of its query; it goes by words alone when it takes longer.
    pub query_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            most_bytes: 512 << 20,
            most_entries: 300_000,
            vectors_within: Duration::from_millis(20),
            query_within: Duration::from_secs(2),
        }
    }
}

/// The context engine of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    settings: Settings,
    models: Models,
    residents: Residents,
    query_vectors: QueryVectors,
    turns: Semaphore,
    /// Recalls that were not written yet.
    recalled: Mutex<HashMap<ContextId, i64>>,
    /// Something wants vectors.
    due: Notify,
}

impl Memory {
    /// Joins the parts; nothing is read yet.
    #[must_use]
    pub fn new(store: Store, embedder: Embedder, settings: Settings) -> Self {
        let inner = Inner {
            models: Models::new(embedder),
            residents: Residents::new(settings.most_bytes),
            query_vectors: QueryVectors::default(),
            // More would only take turns on the cores, and those that came first would end later.
            turns: Semaphore::new(thread::available_parallelism().map_or(2, NonZero::get)),
            recalled: Mutex::default(),
            due: Notify::new(),
            store,
            settings,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Bytes that the indexes of this process take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inner.residents.bytes()
    }
}
