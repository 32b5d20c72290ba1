//! One project's memory in this process, kept true by looks at what changed.
//!
//! A search waits for a look that began after it did. So it sees all that was committed before it, by whichever process;
//! and all searches that come during one look are served by the next.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use chrono::{DateTime, Utc};
use hive_domain::{ContextId, ProjectId};
use hive_store::{Change, EmbeddingModel, FeedEntry, Store};
use tokio::sync::Mutex;

use super::{Error, Result};
use crate::index::{About, Entry, Found, Index, Query};

/// Entries that are read at once.
const PAGE: i64 = 2_000;

#[derive(Debug)]
pub(super) struct Resident {
    project: ProjectId,
    pub(super) model: EmbeddingModel,
    index: RwLock<Index>,
    look: Mutex<Look>,
    /// Looks that began.
    begun: AtomicU64,
    bytes: AtomicUsize,
    pub(super) used: AtomicU64,
}

#[derive(Debug)]
struct Look {
    /// 0 before the first one.
    mark: i64,
    /// The number of the last look that came to its end.
    done: u64,
    now: DateTime<Utc>,
    /// Whether the project fits into an index.
    fits: bool,
    /// Entries that are in the index as of this transaction: a look may meet them again.
    applied: HashMap<ContextId, i64>,
}

impl Resident {
    pub(super) fn new(project: ProjectId, model: EmbeddingModel) -> Self {
        let dimensions = usize::try_from(model.dims).unwrap_or(0);
        let look = Look { mark: 0, done: 0, now: DateTime::UNIX_EPOCH, fits: true, applied: HashMap::new() };
        Self {
            project,
            index: RwLock::new(Index::new(dimensions)),
            look: Mutex::new(look),
            begun: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            model,
        }
    }

    /// Bytes as of the last look that changed much.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Brings the index up to all that is committed now. Returns the database's clock.
    ///
    /// `None` when it would hold more than `most` entries, and is left empty.
    pub(super) async fn fresh(self: &Arc<Self>, store: &Store, most: usize) -> Result<Option<DateTime<Utc>>> {
        let arrived = self.begun.load(Ordering::SeqCst);
        let mut look = self.look.lock().await;
        if look.done > arrived {
            return Ok(look.fits.then_some(look.now));
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        if look.mark > 0 {
            self.follow(store, &mut look).await?;
        } else {
            let bound = i64::try_from(most).unwrap_or(i64::MAX);
            look.fits = store.count_contexts(self.project, bound.saturating_add(1)).await? <= bound;
            if look.fits {
                self.load(store, &mut look).await?;
            }
        }
        look.done = number;
        Ok(look.fits.then_some(look.now))
    }

    /// Reads everything. The mark is taken before the first page, so that what changes meanwhile is met again.
    async fn load(self: &Arc<Self>, store: &Store, look: &mut Look) -> Result<()> {
        let begun = Instant::now();
        let first = store.context_changes(self.project, 0).await?;
        let versions = store.active_memory_versions(self.project).await?;
        self.write(|index| {
            for version in versions {
                index.set_version(version, true);
            }
        });
        let mut after = None;
        loop {
            let page = store.context_feed(self.project, &self.model.model, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            self.take(page).await?;
        }
        look.mark = first.mark;
        look.now = first.now;
        self.measure();
        let (count, took) = (self.len(), begun.elapsed());
        tracing::info!(project.id = %self.project, "Read {count} memories into the index in {took:?}");
        Ok(())
    }

    async fn follow(self: &Arc<Self>, store: &Store, look: &mut Look) -> Result<()> {
        let looked = store.context_changes(self.project, look.mark).await?;
        let (mut changed, mut gone) = (HashMap::new(), Vec::new());
        for change in looked.changes {
            match change {
                Change::Entry(id, tx) => {
                    let latest = changed.entry(id).or_insert(tx);
                    *latest = tx.max(*latest);
                }
                Change::Gone(id) => gone.push(id),
                Change::Version(id, active) => self.write(|index| index.set_version(id, active)),
            }
        }
        changed.retain(|id, tx| look.applied.get(id) != Some(tx));
        if !changed.is_empty() {
            let ids: Vec<ContextId> = changed.keys().copied().collect();
            let entries = store.context_feed_of(&self.model.model, &ids).await?;
            self.take(entries).await?;
            if changed.len() > 100 {
                self.measure();
            }
        }
        if !gone.is_empty() {
            self.write(|index| {
                for id in gone {
                    index.remove(id);
                }
            });
        }
        look.applied.extend(changed);
        look.applied.retain(|_, tx| *tx >= looked.mark);
        look.mark = looked.mark;
        look.now = looked.now;
        Ok(())
    }

    /// Puts entries in; what a word is takes a while to say, so it is said on a thread of its own.
    async fn take(self: &Arc<Self>, entries: Vec<FeedEntry>) -> Result<()> {
        let resident = Arc::clone(self);
        let taken = tokio::task::spawn_blocking(move || {
            for entries in entries.chunks(64) {
                // Searches get a turn in between.
                resident.write(|index| entries.iter().for_each(|entry| put(index, entry)));
            }
        });
        taken.await.map_err(|_| Error::Broken)
    }

    pub(super) fn search(&self, query: &Query<'_>) -> Vec<Found> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).search(query)
    }

    /// Counts of recalls as they stand in Postgres. Those that other processes counted since arrive with the next reading
    /// of the entry.
    pub(super) fn set_recalled(&self, noted: &[(ContextId, i64, DateTime<Utc>)]) {
        self.write(|index| {
            for (id, count, at) in noted {
                index.set_recalled(*id, u64::try_from(*count).unwrap_or(0), at.timestamp_micros());
            }
        });
    }

    fn len(&self) -> usize {
        self.index.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn measure(&self) {
        let bytes = self.index.read().unwrap_or_else(PoisonError::into_inner).bytes();
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    fn write<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        change(&mut self.index.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Puts an entry in as Postgres has it.
pub(crate) fn put(index: &mut Index, entry: &FeedEntry) {
    let text = if entry.title.is_empty() {
        entry.content.clone()
    } else {
        format!("{}\n{}", entry.title, entry.content)
    };
    index.put(Entry {
        id: entry.id,
        owner: entry.owner,
        text: &text,
        vectors: entry.vectors.clone(),
        about: About {
            kind: entry.kind.clone(),
            trust: entry.trust,
            parent: entry.parent,
            follows: entry.follows,
            valid_from: entry.valid_from.timestamp_micros(),
            valid_to: entry.valid_to.map(|to| to.timestamp_micros()),
            recorded_at: entry.recorded_at.timestamp_micros(),
            born: entry.born,
            died: entry.died,
            importance: entry.importance,
            pinned: entry.pinned,
            recalled: entry
                .recalled
                .map_or((0, 0), |(count, at)| (u64::try_from(count).unwrap_or(0), at.timestamp_micros())),
        },
    });
}
