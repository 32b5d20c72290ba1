//! Sessions and where their tasks stand.

use hive_domain::{ProjectId, SessionId};
use hive_store::{Error, NewSession, TaskFilter};

use crate::bed::{Bed, outcome};

fn session(name: &str) -> NewSession {
    NewSession {
        id: SessionId::new(),
        project: ProjectId::DEFAULT,
        name: name.to_owned(),
        created_by: "ada".to_owned(),
    }
}

#[tokio::test]
async fn a_session_counts_its_own_tasks_by_state() {
    let bed = Bed::make().await;
    let (spring, empty) = (session("Spring"), session("Spring"));
    bed.store.create_session(&spring).await.unwrap();
    bed.store.create_session(&empty).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(bed.enqueue_with(|new| new.session = Some(spring.id)).await);
    }
    bed.enqueue().await;
    bed.settle(ids[0], &outcome("done")).await;
    bed.settle(ids[1], &outcome("fail")).await;
    let shown = bed.store.session(spring.id).await.unwrap();
    let counts: Vec<(&str, i64)> = shown.tasks.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counts, [("failed", 1), ("ready", 2), ("succeeded", 1)]);
    assert_eq!((shown.name.as_str(), shown.created_by.as_str()), ("Spring", "ada"));
    let listed = bed.store.sessions(Some(ProjectId::DEFAULT), None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|session| session.id).collect::<Vec<_>>(), [empty.id, spring.id]);
    assert_eq!((listed[0].tasks.len(), &listed[1].tasks), (0, &shown.tasks));
    assert_eq!(bed.store.sessions(None, Some(empty.id), 10).await.unwrap().len(), 1);
    assert!(bed.store.sessions(Some(ProjectId::new()), None, 10).await.unwrap().is_empty());
    let filter = TaskFilter { session: Some(spring.id), ..TaskFilter::default() };
    let tasks = bed.store.tasks(&filter, None, 10).await.unwrap().items;
    assert_eq!(tasks.iter().map(|task| task.id).rev().collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let bed = Bed::make().await;
    let missing = bed.store.session(SessionId::new()).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { what: "session", .. }), "{missing:?}");
    let error = bed
        .store
        .create_session(&NewSession { project: ProjectId::new(), ..session("x") })
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "/project_id", .. }), "{error:?}");
}
