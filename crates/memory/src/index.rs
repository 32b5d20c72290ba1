//! All that one project may recall, in memory: words with their places, vectors in a short and a very short form, and who
//! may see what from when to when. It does no I/O and reads no clock; an entry is put in, changed and taken out by its id.
//!
//! Every figure that a search uses (how rare a word is, how long entries are) is taken over what the reader may see: what
//! others remember does not even move a weight.

mod filter;
mod lists;
mod order;
mod put;
mod rows;
mod scan;
mod scratch;
mod search;
mod view;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use hive_domain::{ContextId, MemoryOwner, MemoryVersionId, TrustClass};

pub use filter::Filter;
use rows::Rows;
use scratch::Scratch;
pub use search::{Found, Query};
use view::View;

use crate::{analyse::Analyser, strength};

/// No slot.
const NONE: u32 = u32::MAX;

/// An entry as the index takes it.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub id: ContextId,
    /// Whose it is.
    pub owner: MemoryOwner,
    /// What is searched by words: title and content.
    pub text: &'a str,
    /// What its meaning is searched by: one vector, or one for each chunk; none until they are made.
    pub vectors: Vec<Vec<f32>>,
    /// What may change of it.
    pub about: About,
}

/// What of an entry may change while its text stays.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// What kind of thing it is.
    pub kind: String,
    /// How far its source is believed.
    pub trust: TrustClass,
    /// What it is a part of.
    pub parent: Option<ContextId>,
    /// What was said just before, by the same owner.
    pub follows: Option<ContextId>,
    /// Since when it holds, in microseconds since 1970.
    pub valid_from: i64,
    /// Until when it held.
    pub valid_to: Option<i64>,
    /// When it was stored.
    pub recorded_at: i64,
    /// The night that brought it.
    pub born: Option<MemoryVersionId>,
    /// The night that retired it.
    pub died: Option<MemoryVersionId>,
    /// How much it weighs, 0 to 1.
    pub importance: f32,
    /// It does not fade.
    pub pinned: bool,
    /// How often it was recalled, and when last.
    pub recalled: (u64, i64),
}

/// The index of one project, with what is everybody's.
#[derive(Debug)]
pub struct Index {
    analyser: Analyser,
    by_id: HashMap<ContextId, u32>,
    slots: Vec<Option<Slot>>,
    hot: Vec<Hot>,
    spans: Vec<Span>,
    free: Vec<u32>,
    lexicon: HashMap<Box<str>, u32>,
    postings: Vec<Vec<Posting>>,
    owners: Vec<Owned>,
    owner_numbers: HashMap<MemoryOwner, u32>,
    kinds: Vec<String>,
    /// Entries whose predecessor has not come yet, by the id of that.
    orphans: HashMap<ContextId, Vec<u32>>,
    active_versions: HashMap<MemoryVersionId, bool>,
    rows: Rows,
    scratch: Mutex<Vec<Scratch>>,
    /// Those of the latest searches, the latest first.
    views: Mutex<Vec<Arc<View>>>,
}

/// What a search reads of each entry that it passes, side by side: a scan that met the rest as well would mostly wait for
/// memory.
#[derive(Clone, Copy, Debug)]
struct Hot {
    /// Its first vector.
    row: u32,
    length: u32,
    kind: u32,
    trust: TrustClass,
    /// A night brought or retired it.
    nightly: bool,
    /// It has a predecessor or successors.
    linked: bool,
    /// It has several vectors.
    chunked: bool,
}

/// When an entry holds and when it has faded, in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Span {
    valid_from: i64,
    valid_to: i64,
    fades_at: i64,
}

/// Where an entry lies.
#[derive(Debug)]
struct Slot {
    id: ContextId,
    owner: u32,
    /// A mark of the text, to know whether it changed.
    text_mark: u64,
    length: u32,
    /// It is a question: what is asked in it is not answered in it.
    asks: bool,
    terms: Box<[u32]>,
    rows: Box<[u32]>,
    previous: u32,
    next: Vec<u32>,
    about: About,
}

#[derive(Clone, Copy, Debug)]
struct Posting {
    slot: u32,
    count: u32,
}

#[derive(Debug)]
struct Owned {
    owner: MemoryOwner,
    members: Vec<u32>,
}

impl Index {
    /// An empty index for vectors of this length.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Self {
            analyser: Analyser::default(),
            by_id: HashMap::new(),
            slots: Vec::new(),
            hot: Vec::new(),
            spans: Vec::new(),
            free: Vec::new(),
            lexicon: HashMap::new(),
            postings: Vec::new(),
            owners: Vec::new(),
            owner_numbers: HashMap::new(),
            kinds: Vec::new(),
            orphans: HashMap::new(),
            active_versions: HashMap::new(),
            rows: Rows::new(dimensions),
            scratch: Mutex::default(),
            views: Mutex::default(),
        }
    }

    /// How many entries it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let postings: usize = self.postings.iter().map(|list| list.capacity() * size_of::<Posting>()).sum();
        let slots: usize = self.slots.iter().flatten().map(Slot::bytes).sum();
        // A key of the lexicon has some 8 letters, and a map has room to grow.
        let maps = self.lexicon.len() * 56 + self.by_id.len() * 40;
        let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let views: usize = views.iter().map(|view| view.bytes()).sum();
        postings
            + slots
            + self.hot.capacity() * size_of::<Hot>()
            + self.spans.capacity() * size_of::<Span>()
            + views
            + maps
            + self.postings.capacity() * size_of::<Vec<Posting>>()
            + self.rows.bytes()
    }

    /// Says whether what a night did is to be seen.
    pub fn set_version(&mut self, version: MemoryVersionId, active: bool) {
        self.active_versions.insert(version, active);
        self.forget_views();
    }

    /// To be called by all that changes the index.
    fn forget_views(&mut self) {
        self.views.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Copies what a search reads of an entry to where it reads it.
    fn heat(&mut self, at: u32) {
        let Some(slot) = self.slots[at as usize].as_ref() else { return };
        let about = &slot.about;
        let (recalls, last) = about.recalled;
        let half_life = strength::half_life(&about.kind);
        let fades_at = strength::fades_at(about.importance, about.recorded_at, recalls, last, half_life);
        let kind = self.kinds.iter().position(|kind| *kind == about.kind);
        self.spans[at as usize] = Span {
            valid_from: about.valid_from,
            valid_to: about.valid_to.unwrap_or(i64::MAX),
            fades_at: if about.pinned { i64::MAX } else { fades_at },
        };
        self.hot[at as usize] = Hot {
            row: slot.rows.first().copied().unwrap_or(NONE),
            length: slot.length,
            kind: kind.and_then(|kind| u32::try_from(kind).ok()).unwrap_or(NONE),
            trust: about.trust,
            nightly: about.born.is_some() || about.died.is_some(),
            linked: slot.previous != NONE || !slot.next.is_empty(),
            chunked: slot.rows.len() > 1,
        };
    }

    fn slot(&self, slot: u32) -> Option<&Slot> {
        self.slots.get(slot as usize)?.as_ref()
    }

    fn is_active(&self, version: Option<MemoryVersionId>) -> Option<bool> {
        version.map(|version| self.active_versions.get(&version).copied().unwrap_or(false))
    }
}

impl Slot {
    fn bytes(&self) -> usize {
        size_of::<Option<Self>>()
            + size_of_val(&*self.terms)
            + size_of_val(&*self.rows)
            + self.next.capacity() * size_of::<u32>()
            + self.about.kind.capacity()
    }
}
