//! What runs remember: once for each call, under the lease, and never in the place of what a person wrote.

use chrono::DateTime;
use hive_domain::{
    AgentId, ContextId, Lease, MemoryOwner, MemoryReader, ProjectId, TrustClass,
    journal::{IncludedEntry, Omission, OmittedEntry, RECALL_FORMAT, RecallReceipt, Recalled},
    task::Task,
};
use hive_store::{ContextChange, Error, NewContext, Origin, Remembered};

use crate::bed::Bed;

pub(crate) fn recalled(text: &str) -> Recalled {
    let (id, tokens, score) = (ContextId::new(), 12, 0.5);
    let omitted = OmittedEntry { id, tokens, score, reason: Omission::Same, same_as: Some(id) };
    let receipt = RecallReceipt {
        budget_tokens: 100,
        tokens,
        at: DateTime::UNIX_EPOCH,
        model: None,
        included: vec![IncludedEntry { id, tokens, score }],
        left_out: vec![omitted],
    };
    Recalled { text: text.to_owned(), receipt }
}

fn new(lease: &Lease<Task>, owner: MemoryOwner, content: &str) -> NewContext {
    NewContext {
        id: ContextId::new(),
        owner,
        parent: None,
        follows: None,
        kind: "fact".to_owned(),
        title: String::new(),
        content: content.to_owned(),
        trust: TrustClass::Agent,
        author: "builder".to_owned(),
        origin: Some(Origin { task: lease.task(), run: Some(lease.epoch()), step: None }),
        sources: Vec::new(),
        valid_from: None,
        valid_to: None,
        importance: 0.5,
        pinned: false,
    }
}

const OURS: MemoryOwner = MemoryOwner::Project(ProjectId::DEFAULT);

async fn count(bed: &Bed) -> i64 {
    bed.number("SELECT count(*) FROM contexts").await
}

#[tokio::test]
async fn a_call_that_is_made_again_stores_nothing_twice_and_a_lost_lease_nothing_at_all() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let lease = bed.claim(id).await;
    let fact = new(&lease, OURS, "The port is 6543.");
    for _ in 0..2 {
        assert_eq!(bed.store.remember(&lease, &fact, None).await.unwrap(), Remembered::New(fact.id));
    }
    // Another call says the same: it is known. Said by somebody else for itself it is not.
    let again = new(&lease, OURS, "The port is 6543.");
    assert_eq!(bed.store.remember(&lease, &again, None).await.unwrap(), Remembered::Known(fact.id));
    let own = new(&lease, MemoryOwner::Agent(ProjectId::DEFAULT, bed.agent), "The port is 6543.");
    assert_eq!(bed.store.remember(&lease, &own, None).await.unwrap(), Remembered::New(own.id));
    assert_eq!(count(&bed).await, 2);
    // Whoever tends the memory makes the vectors.
    let due = "SELECT count(*) FROM context_vectors_due";
    assert_eq!(
        bed.number(due).await,
        2 * bed.number("SELECT count(*) FROM embedding_models WHERE state <> 'retired'").await
    );

    bed.orphan(id).await;
    let late = bed.store.remember(&lease, &new(&lease, OURS, "Too late."), None).await;
    assert!(matches!(late, Err(Error::Fenced { .. })), "{late:?}");
    let late = bed.store.raise_journal_format(&lease, RECALL_FORMAT).await;
    assert!(matches!(late, Err(Error::Fenced { .. })), "{late:?}");
    assert_eq!(count(&bed).await, 2);
}

#[tokio::test]
async fn what_a_person_deleted_meanwhile_a_call_that_is_made_again_does_not_bring_back() {
    let bed = Bed::make().await;
    let lease = bed.claim(bed.enqueue().await).await;
    let (old, fact) = (new(&lease, OURS, "The port is 6000."), new(&lease, OURS, "The port is 6543."));
    bed.store.remember(&lease, &old, None).await.unwrap();
    let newer = new(&lease, OURS, "The port is 7000.");
    for (stored, replaces) in [(&fact, None), (&newer, Some(old.id))] {
        bed.store.remember(&lease, stored, replaces).await.unwrap();
        bed.store.delete_context(stored.id, "person").await.unwrap();
        assert_eq!(bed.store.remember(&lease, stored, replaces).await.unwrap(), Remembered::New(stored.id));
    }
    assert_eq!(count(&bed).await, 0, "it is deleted for good");
}

#[tokio::test]
async fn an_agents_fact_is_replaced_with_its_history_and_a_persons_is_not() {
    let bed = Bed::make().await;
    let lease = bed.claim(bed.enqueue().await).await;
    let old = new(&lease, OURS, "The port is 6543.");
    bed.store.remember(&lease, &old, None).await.unwrap();
    let mut newer = new(&lease, OURS, "The port is 7000.");
    newer.kind = "lesson".to_owned();
    newer.origin = newer.origin.map(|origin| Origin { step: Some(7), ..origin });
    for _ in 0..2 {
        let stored = bed.store.remember(&lease, &newer, Some(old.id)).await.unwrap();
        assert_eq!(stored, Remembered::New(newer.id));
    }
    let closed = bed.store.context(old.id).await.unwrap();
    let stands = bed.store.context(newer.id).await.unwrap();
    assert_eq!((closed.superseded_by, &*closed.content), (Some(newer.id), "The port is 6543."));
    assert_eq!((closed.valid_to, stands.lineage), (Some(stands.valid_from), old.id));
    assert_eq!(
        (stands.origin, &*stands.kind),
        (newer.origin, "lesson"),
        "it comes from the step that said it"
    );
    assert_eq!((closed.origin, &*closed.kind), (old.origin, "fact"));

    let by_person =
        NewContext { trust: TrustClass::User, ..new(&lease, OURS, "We never deploy on Fridays.") };
    bed.store.put_context(&by_person, None).await.unwrap();
    let other = crate::bed::new_agent("other", "qa");
    bed.store.create_agent(&other).await.unwrap();
    let private = new(&lease, MemoryOwner::Agent(ProjectId::DEFAULT, other.id), "Mine alone.");
    bed.store.put_context(&private, None).await.unwrap();
    let own = new(&lease, MemoryOwner::Agent(ProjectId::DEFAULT, bed.agent), "My own.");
    bed.store.put_context(&own, None).await.unwrap();
    let locked = new(&lease, OURS, "Locked.");
    let locked = bed.store.put_context(&locked, None).await.unwrap();
    let lock = ContextChange { locked: Some(true), ..ContextChange::default() };
    bed.store.change_context(locked.id, locked.version, &lock, "person", None).await.unwrap();
    let before = count(&bed).await;
    for (id, why) in [
        (by_person.id, "a person or the hive wrote it"),
        // As if it did not exist.
        (private.id, "there is no such entry here"),
        (ContextId::new(), "there is no such entry here"),
        (own.id, "remembered in the scope agent, not project"),
        (locked.id, "locked"),
        (old.id, "was replaced by"),
    ] {
        let refused = bed.store.remember(&lease, &new(&lease, OURS, "Else."), Some(id)).await.unwrap_err();
        assert!(refused.to_string().contains(why), "{why}: {refused}");
    }
    assert_eq!(count(&bed).await, before);
}

#[tokio::test]
async fn whether_there_is_something_to_recall_depends_on_who_asks_and_when() {
    let bed = Bed::make().await;
    let lease = bed.claim(bed.enqueue().await).await;
    let reader = |agent: Option<AgentId>| MemoryReader { project: ProjectId::DEFAULT, session: None, agent };
    assert!(!bed.store.awaiting(&reader(Some(bed.agent))).await.unwrap().memories);
    let own = new(&lease, MemoryOwner::Agent(ProjectId::DEFAULT, bed.agent), "Mine.");
    bed.store.remember(&lease, &own, None).await.unwrap();
    assert!(bed.store.awaiting(&reader(Some(bed.agent))).await.unwrap().memories);
    // Asked at the same time they share a statement, and each gets its own answer.
    let (mine, nobodys) = (reader(Some(bed.agent)), reader(None));
    let many = [nobodys, mine, nobodys, mine, mine].map(|reader| {
        let store = bed.store.clone();
        async move { store.awaiting(&reader).await.unwrap().memories }
    });
    assert_eq!(futures::future::join_all(many).await, [false, true, false, true, true]);
    bed.execute("UPDATE contexts SET valid_to = valid_from").await;
    assert!(!bed.store.awaiting(&reader(Some(bed.agent))).await.unwrap().memories);
}
