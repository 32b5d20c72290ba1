//! Entries for an index, without Postgres.

use hive_domain::{ContextId, MemoryOwner, MemoryReader, ProjectId, TrustClass};
use hive_memory::{
    fuse::Weights,
    index::{About, Entry, Filter, Found, Index, Query},
};
use uuid::Uuid;

pub(crate) const PROJECT: ProjectId = ProjectId::DEFAULT;
pub(crate) const READER: MemoryReader = MemoryReader { project: PROJECT, session: None, agent: None };
pub(crate) const OURS: MemoryOwner = MemoryOwner::Project(PROJECT);
/// When everything happens, in microseconds.
pub(crate) const NOW: i64 = 1_700_000_000_000_000;

pub(crate) fn id(number: u32) -> ContextId {
    Uuid::from_u128(u128::from(number) + 1).into()
}

pub(crate) fn about() -> About {
    About {
        kind: "fact".to_owned(),
        trust: TrustClass::User,
        parent: None,
        follows: None,
        valid_from: 0,
        valid_to: None,
        recorded_at: NOW,
        born: None,
        died: None,
        importance: 0.5,
        pinned: false,
        recalled: (0, 0),
    }
}

pub(crate) fn entry(number: u32, text: &str) -> Entry<'_> {
    Entry { id: id(number), owner: OURS, text, vectors: Vec::new(), about: about() }
}

pub(crate) fn query<'a>(text: &'a str, vector: Option<&'a [f32]>) -> Query<'a> {
    Query {
        text,
        vector,
        reader: READER,
        at: NOW,
        filter: Filter::default(),
        weights: Weights::default(),
        most: 10,
    }
}

pub(crate) fn ids(found: &[Found]) -> Vec<ContextId> {
    found.iter().map(|found| found.id).collect()
}

pub(crate) fn words(index: &Index, text: &str) -> Vec<ContextId> {
    ids(&index.search(&query(text, None)))
}
