//! What a night may do with what people and agents change beside it, and what stays of it afterwards.

mod changed_meanwhile;
mod copies;
mod crowded;
mod deleted;
mod learnt_again;
mod readings;
mod retention;
mod spent;
mod taken_back;
mod told;

use hive_domain::{
    ContextId, CycleBudget, CycleId, CyclePhase, MemoryOwner, MemoryReader, ProjectId, SleepTrigger,
    TrustClass,
};
use hive_store::{
    ChangeKind, Context, CycleLease, GateFinding, NewContext, NewCycle, NightChange, NightEntry, PhaseEnd,
    SleepCycle,
};

use crate::bed::Bed;

const OURS: MemoryOwner = MemoryOwner::Project(ProjectId::DEFAULT);

fn own(bed: &Bed) -> MemoryOwner {
    MemoryOwner::Agent(ProjectId::DEFAULT, bed.agent)
}

async fn put(bed: &Bed, owner: MemoryOwner, kind: &str, content: &str) -> Context {
    let new = NewContext {
        id: ContextId::new(),
        owner,
        parent: None,
        follows: None,
        kind: kind.to_owned(),
        title: String::new(),
        content: content.to_owned(),
        trust: TrustClass::Agent,
        author: "test".to_owned(),
        origin: None,
        sources: Vec::new(),
        valid_from: None,
        valid_to: None,
        importance: 0.5,
        pinned: false,
    };
    bed.store.put_context(&new, None).await.unwrap()
}

async fn fact(bed: &Bed, content: &str) -> Context {
    put(bed, OURS, "fact", content).await
}

async fn begun(bed: &Bed, owner: MemoryOwner) -> CycleLease {
    let new = NewCycle {
        id: CycleId::new(),
        owner,
        trigger: SleepTrigger::Manual,
        asked_by: "test".to_owned(),
        budget: CycleBudget::default(),
    };
    bed.store.begin_cycle(&new).await.unwrap();
    bed.store.take_cycle("one").await.unwrap().unwrap()
}

/// Ends phases up to the last one, each with nothing but `did` with what it did.
async fn to_the_last(bed: &Bed, lease: &CycleLease, from: CyclePhase, did: CyclePhase, end: &PhaseEnd) {
    let mut phase = from;
    while phase != CyclePhase::Publish {
        let nothing = PhaseEnd::default();
        let end = if phase == did { end } else { &nothing };
        assert!(bed.store.finish_phase(lease, phase, end).await.unwrap());
        phase = phase.next().unwrap();
    }
}

/// A whole night that did this.
async fn slept(bed: &Bed, owner: MemoryOwner, did: CyclePhase, end: &PhaseEnd) -> SleepCycle {
    let lease = begun(bed, owner).await;
    to_the_last(bed, &lease, CyclePhase::Extract, did, end).await;
    publish(bed, lease).await
}

async fn publish(bed: &Bed, lease: CycleLease) -> SleepCycle {
    bed.store.publish_cycle(lease, &GateFinding::default()).await.unwrap()
}

/// An entry of a night in the place of `of`, which `by` overtook.
fn entry(content: &str, of: &Context, by: Option<&Context>) -> NightEntry {
    NightEntry {
        id: ContextId::new(),
        lineage: by.map(|_| of.lineage),
        owner: of.owner,
        parent: None,
        kind: "fact".to_owned(),
        title: String::new(),
        content: content.to_owned(),
        trust: TrustClass::Agent,
        origin: None,
        valid_from: of.valid_from,
        valid_to: by.map(|by| by.valid_from),
        superseded_by: by.map(|by| by.id),
        importance: 0.5,
        vectors_of: None,
    }
}

fn did(kind: ChangeKind, born: Option<NightEntry>, retired: &[&Context], sources: &[&Context]) -> PhaseEnd {
    let as_read = |of: &[&Context]| of.iter().map(|context| (context.id, context.version)).collect();
    let change = NightChange {
        kind,
        born,
        retired: as_read(retired),
        sources: as_read(sources),
        reason: "a test says so".to_owned(),
    };
    PhaseEnd { changes: vec![change], ..PhaseEnd::default() }
}

/// What the agent of the bed may recall, in the order of its text.
async fn visible(bed: &Bed) -> Vec<String> {
    let ids: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM contexts").fetch_all(&bed.pool).await.unwrap();
    let ids: Vec<ContextId> = ids.into_iter().map(Into::into).collect();
    let reader = MemoryReader { project: ProjectId::DEFAULT, session: None, agent: Some(bed.agent) };
    let found = bed.store.recallable(&reader, &ids, None).await.unwrap();
    let mut texts: Vec<String> = found.into_iter().map(|context| context.content).collect();
    texts.sort();
    texts
}

/// Rows that hold this, visible or not.
async fn holding(bed: &Bed, text: &str) -> i64 {
    bed.number(&format!("SELECT count(*) FROM contexts WHERE content ILIKE '%{text}%'")).await
}
