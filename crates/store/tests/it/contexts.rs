//! What is remembered, behind the door: marks that miss nothing, nights that are one switch, models that take turns.

use std::time::Duration;

use hive_domain::{
    ContextId, MemoryOwner, MemoryReader, MemoryVersionId, ProjectId, TrustClass, VersionState,
};
use hive_store::{Change, Context, EmbeddingModel, Error, NewContext, Vectors};
use tokio::time::{Instant, sleep};

use crate::bed::{Bed, new_agent};

const READER: MemoryReader = MemoryReader { project: ProjectId::DEFAULT, session: None, agent: None };
const MINI_LM: &str = "minilm-l6-v2-int8";

/// What a person says of the usual project.
pub(crate) fn new(content: &str) -> NewContext {
    NewContext {
        id: ContextId::new(),
        owner: MemoryOwner::Project(ProjectId::DEFAULT),
        parent: None,
        follows: None,
        kind: "fact".to_owned(),
        title: String::new(),
        content: content.to_owned(),
        trust: TrustClass::User,
        author: "test".to_owned(),
        origin: None,
        sources: Vec::new(),
        valid_from: None,
        valid_to: None,
        importance: 0.5,
        pinned: false,
    }
}

fn vectors(model: &str, dims: usize, at: usize) -> Vectors {
    let mut vector = vec![0.0; dims];
    vector[at % dims] = 1.0;
    Vectors { model: model.to_owned(), chunks: vec![vector] }
}

async fn put(bed: &Bed, content: &str) -> Context {
    bed.store.put_context(&new(content), Some(&vectors(MINI_LM, 384, 0))).await.unwrap()
}

/// What a reader is shown of all there is, byte for byte.
async fn shown(bed: &Bed) -> Vec<Context> {
    let ids: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM contexts").fetch_all(&bed.pool).await.unwrap();
    let ids: Vec<ContextId> = ids.into_iter().map(ContextId::from).collect();
    let mut shown = bed.store.recallable(&READER, &ids, None).await.unwrap();
    shown.sort_by_key(|context| context.id);
    shown
}

#[tokio::test]
async fn readers_who_ask_at_once_see_each_what_they_may() {
    let bed = Bed::make().await;
    let other = ProjectId::new();
    bed.execute(&format!("INSERT INTO projects (id, name) VALUES ('{}', 'other')", other.uuid())).await;
    let second = new_agent("second", "backend");
    bed.store.create_agent(&second).await.unwrap();
    let (own, of_other) = (bed.agent, second.id);
    let ours = ProjectId::DEFAULT;
    let owners = [
        MemoryOwner::Org,
        MemoryOwner::Project(ours),
        MemoryOwner::Project(other),
        MemoryOwner::Agent(ours, own),
        MemoryOwner::Agent(ours, of_other),
    ];
    let mut ids = Vec::new();
    for owner in owners {
        let new = NewContext { owner, ..new("It is so.") };
        ids.push(bed.store.put_context(&new, None).await.unwrap().id);
    }
    let begun = bed.store.now().await.unwrap();
    let later = begun + chrono::Duration::hours(1);
    let late = NewContext { valid_from: Some(later), ..new("It will be so.") };
    ids.push(bed.store.put_context(&late, None).await.unwrap().id);
    let readers = [
        (READER, None, vec![0, 1]),
        (READER, Some(later), vec![0, 1, 5]),
        (READER, Some(begun - chrono::Duration::hours(1)), vec![]),
        (MemoryReader { agent: Some(own), ..READER }, None, vec![0, 1, 3]),
        (MemoryReader { agent: Some(of_other), ..READER }, Some(later), vec![0, 1, 4, 5]),
        (MemoryReader { project: other, ..READER }, None, vec![0, 2]),
        // An agent sees in another project nothing of its own.
        (MemoryReader { project: other, agent: Some(own), ..READER }, None, vec![0, 2]),
    ];
    let asked = readers.iter().cycle().take(70).map(async |(reader, at, wanted)| {
        let mut shown = bed.store.recallable(reader, &ids, *at).await.unwrap();
        shown.sort_by_key(|context| context.id);
        let shown: Vec<ContextId> = shown.into_iter().map(|context| context.id).collect();
        assert_eq!(shown, wanted.iter().map(|at| ids[*at]).collect::<Vec<_>>(), "{reader:?} at {at:?}");
    });
    futures::future::join_all(asked).await;
    assert!(bed.store.recallable(&READER, &[], None).await.unwrap().is_empty());
}

async fn at_night(bed: &Bed, sql: &str, version: MemoryVersionId, id: ContextId) {
    sqlx::query(sql).bind(version.uuid()).bind(id.uuid()).execute(&bed.pool).await.unwrap();
}

#[tokio::test]
async fn a_night_is_published_and_taken_back_by_one_switch() {
    let bed = Bed::make().await;
    let (old, kept) = (put(&bed, "The port is 8080").await, put(&bed, "Tea is at four").await);
    let before = shown(&bed).await;
    let night = MemoryVersionId::new();
    bed.store.begin_memory_version(night, old.owner).await.unwrap();
    let insight = put(&bed, "The shop listens on 8080").await;
    at_night(&bed, "UPDATE contexts SET born_version = $1 WHERE id = $2", night, insight.id).await;
    at_night(&bed, "UPDATE contexts SET died_version = $1 WHERE id = $2", night, old.id).await;
    let unpublished: Vec<ContextId> = shown(&bed).await.iter().map(|context| context.id).collect();
    assert_eq!(unpublished, [old.id, kept.id], "a night at work is not seen");

    bed.store.move_memory_version(night, VersionState::Building, VersionState::Active).await.unwrap();
    let published: Vec<ContextId> = shown(&bed).await.iter().map(|context| context.id).collect();
    assert_eq!(published, [kept.id, insight.id]);

    bed.store.move_memory_version(night, VersionState::Active, VersionState::RolledBack).await.unwrap();
    let mut after = shown(&bed).await;
    // The mark of the night that would have retired it is all that is left of that night.
    after[0].died = None;
    assert_eq!(after, before);
    for (from, to) in [
        (VersionState::Active, VersionState::RolledBack),
        (VersionState::RolledBack, VersionState::Active),
        (VersionState::Building, VersionState::Active),
    ] {
        let refused = bed.store.move_memory_version(night, from, to).await.unwrap_err();
        assert!(matches!(refused, Error::Conflict { code: "memory_version_state", .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_locked_row_cannot_be_retired_or_replaced_by_anything() {
    let bed = Bed::make().await;
    let locked = put(&bed, "Never deploy on Fridays").await;
    let night = MemoryVersionId::new();
    bed.store.begin_memory_version(night, locked.owner).await.unwrap();
    sqlx::query("UPDATE contexts SET locked = true").execute(&bed.pool).await.unwrap();
    for sql in [
        "UPDATE contexts SET died_version = (SELECT id FROM memory_versions)",
        "UPDATE contexts SET superseded_by = id",
        "UPDATE contexts SET scope = 'agent'",
        "UPDATE contexts SET valid_to = valid_from - interval '1 second'",
    ] {
        let refused = sqlx::query(sql).execute(&bed.pool).await.unwrap_err();
        let constraint = refused.as_database_error().and_then(|error| error.constraint().map(str::to_owned));
        assert!(constraint.is_some_and(|name| name.starts_with("contexts_")), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn a_mark_misses_nothing_however_commits_cross() {
    let bed = Bed::make().await;
    let mut mark = bed.store.context_changes(ProjectId::DEFAULT, 0).await.unwrap().mark;
    // The first transaction has the lower number and commits last.
    let mut slow = bed.pool.begin().await.unwrap();
    let insert =
        "INSERT INTO contexts (id, lineage, scope, project_id, kind, content, trust, author, valid_from)
                  VALUES ($1, $1, 'project', $2, 'fact', 'slow', 'user', 'test', now())";
    let slow_id = ContextId::new();
    let bound = sqlx::query(insert).bind(slow_id.uuid()).bind(ProjectId::DEFAULT.uuid());
    bound.execute(&mut *slow).await.unwrap();
    let quick = put(&bed, "quick").await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let looked = bed.store.context_changes(ProjectId::DEFAULT, mark).await.unwrap();
        mark = looked.mark;
        seen.extend(looked.changes);
    }
    let has = |seen: &[Change], id: ContextId| {
        seen.iter().any(|change| matches!(change, Change::Entry(one, _) if *one == id))
    };
    assert!(has(&seen, quick.id) && !has(&seen, slow_id));
    slow.commit().await.unwrap();
    let looked = bed.store.context_changes(ProjectId::DEFAULT, mark).await.unwrap();
    assert!(has(&looked.changes, slow_id), "{looked:?}");
    bed.store.delete_context(quick.id, "test").await.unwrap();
    let looked = bed.store.context_changes(ProjectId::DEFAULT, looked.mark).await.unwrap();
    assert!(looked.changes.contains(&Change::Gone(quick.id)));
    // Not for ever: only as long as a transaction is open that began before, be it of another database.
    let (mut mark, deadline) = (looked.mark, Instant::now() + Duration::from_secs(30));
    loop {
        let looked = bed.store.context_changes(ProjectId::DEFAULT, mark).await.unwrap();
        if looked.changes.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{looked:?}");
        mark = looked.mark;
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_model_becomes_the_active_one_when_all_have_vectors_of_it() {
    let bed = Bed::make().await;
    let store = &bed.store;
    let first = put(&bed, "one").await;
    let other = EmbeddingModel { model: "other/model:1".to_owned(), dims: 8 };
    store.use_embedding_model(&other).await.unwrap();
    store.use_embedding_model(&other).await.unwrap();
    let longer = EmbeddingModel { dims: 9, ..other.clone() };
    let refused = store.use_embedding_model(&longer).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { code: "embedding_model_length", .. }), "{refused}");

    // What is stored meanwhile wants vectors of both.
    let second = put(&bed, "two").await;
    assert!(!store.finish_embedding_model(&other.model).await.unwrap());
    let due = store.take_due_contexts(&other.model, 10).await.unwrap();
    let mut ids: Vec<ContextId> = due.iter().map(|due| due.id).collect();
    ids.sort();
    assert_eq!(ids, [first.id, second.id]);
    assert!(store.take_due_contexts(&other.model, 10).await.unwrap().is_empty(), "they are taken");
    // Text that was written over takes no vectors of what stood there.
    store.redact_context(first.id, &["one".to_owned()]).await.unwrap();
    for entry in &due {
        let given = store.give_vectors(entry, &vectors(&other.model, 8, 1)).await.unwrap();
        assert_eq!(given, entry.id == second.id);
    }
    assert!(!store.finish_embedding_model(&other.model).await.unwrap());
    assert_eq!(store.active_embedding_model().await.unwrap().unwrap().model, MINI_LM);
    let again = store.take_due_contexts(&other.model, 10).await.unwrap();
    assert_eq!((again.len(), &*again[0].content), (1, "[redacted]"));
    assert!(store.give_vectors(&again[0], &vectors(&other.model, 8, 2)).await.unwrap());
    assert!(store.finish_embedding_model(&other.model).await.unwrap());
    assert_eq!(store.active_embedding_model().await.unwrap(), Some(other.clone()));
    let feed = store.context_feed(ProjectId::DEFAULT, &other.model, None, 10).await.unwrap();
    let lengths: Vec<Vec<usize>> =
        feed.iter().map(|entry| entry.vectors.iter().map(Vec::len).collect()).collect();
    assert_eq!(lengths, [[8], [8]]);
    // Its index exists and is one of its own.
    let indexes: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'context_vectors_%' AND indexdef LIKE '%hnsw%'",
    )
    .fetch_one(&bed.pool)
    .await
    .unwrap();
    assert_eq!(indexes, 2);
}

#[tokio::test]
async fn a_vector_of_another_length_than_its_model_is_refused() {
    let bed = Bed::make().await;
    let refused = bed.store.put_context(&new("x"), Some(&vectors(MINI_LM, 383, 0))).await;
    assert!(refused.is_err());
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM contexts").fetch_one(&bed.pool).await.unwrap();
    assert_eq!(left, 0);
}
