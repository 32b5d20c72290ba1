//! Accepting a task.

use chrono::{DateTime, Utc};
use hive_domain::{
    AgentId, AgentStatus, Limits, Priority, ProjectId, StatusReason, TaskId, TaskStatus,
    task::{AcceptanceCheck, DependencyPolicy, NewTask, Performer, Repository},
};
use hive_store::Error;
use serde_json::json;

use crate::bed::{Bed, new_agent, outcome};

async fn database_time(bed: &Bed, shift: &str) -> DateTime<Utc> {
    sqlx::query_scalar(&format!("SELECT now() + interval '{shift}'")).fetch_one(&bed.pool).await.unwrap()
}

#[tokio::test]
async fn a_task_without_time_and_dependencies_is_ready_and_announced() {
    let bed = Bed::make().await;
    let task = bed.store.enqueue(&bed.new_task()).await.unwrap();
    assert_eq!((task.status, task.reason), (TaskStatus::Ready, None));
    assert_eq!((task.epoch, task.attempt, task.event_seq), (0, 0, 1));
    assert!(bed.row_holds(task.id, "announced_at = created_at AND run_at = created_at").await);
    assert_eq!(bed.event_kinds(task.id).await, ["task.created"]);
}

#[tokio::test]
async fn a_task_waits_for_its_time_or_its_dependencies() {
    let bed = Bed::make().await;
    let parent = bed.enqueue().await;
    let (past, future) = (database_time(&bed, "-1 hour").await, database_time(&bed, "1 hour").await);
    for (run_at, dependencies, status, reason) in [
        (Some(past), vec![], TaskStatus::Ready, None),
        (Some(future), vec![], TaskStatus::Pending, Some(StatusReason::Scheduled)),
        (None, vec![parent], TaskStatus::Pending, Some(StatusReason::Dependencies)),
        (Some(past), vec![parent], TaskStatus::Pending, Some(StatusReason::Dependencies)),
        (Some(future), vec![parent], TaskStatus::Pending, Some(StatusReason::Dependencies)),
    ] {
        let new = NewTask { run_at, dependencies: dependencies.clone(), ..bed.new_task() };
        let told = bed.store.enqueue(&new).await.unwrap();
        assert_eq!((told.status, told.reason), (status, reason));
        bed.assert_stands(told.id, status, reason).await;
        let stored = bed.task(told.id).await;
        assert_eq!(stored.dependencies, dependencies);
        if let Some(run_at) = run_at {
            // Postgres keeps microseconds.
            assert_eq!(stored.run_at.timestamp_micros(), run_at.timestamp_micros());
        }
        assert_eq!(bed.row_holds(told.id, "announced_at IS NOT NULL").await, status == TaskStatus::Ready);
    }
}

#[tokio::test]
async fn everything_that_was_asked_for_survives_the_round_trip() {
    let bed = Bed::make().await;
    let parent = bed.enqueue().await;
    let new = NewTask {
        title: "ä title, with \"quotes\" and 雪".to_owned(),
        description: "two\nlines".to_owned(),
        priority: Priority::try_from(1).unwrap(),
        dependencies: vec![parent],
        on_dependency_failure: DependencyPolicy::Continue,
        repository: Some(Repository {
            url: "file:///srv/shop.git".to_owned(),
            base_ref: "main".to_owned(),
            base_commit: "0123abcd".to_owned(),
        }),
        acceptance: vec![AcceptanceCheck {
            name: "tests".to_owned(),
            command: "make test".to_owned(),
            timeout_seconds: 7,
        }],
        context: json!({ "nested": { "list": [1, null, "x"] } }).as_object().cloned().unwrap(),
        labels: [("team".to_owned(), "shop".to_owned()), ("tier".to_owned(), String::new())].into(),
        max_attempts: 100,
        limits: Limits {
            max_turns: None,
            max_cost_usd: Some(0.125),
            max_tokens: Some(i64::MAX),
            max_seconds: Some(1),
        },
        model: Some("hard".to_owned()),
        created_by: "someone".to_owned(),
        ..bed.new_task()
    };
    let told = bed.store.enqueue(&new).await.unwrap();
    let stored = bed.task(new.id).await;
    for task in [&told, &stored] {
        assert_eq!(task.id, new.id);
        assert_eq!(task.project, new.project);
        assert_eq!(task.title, new.title);
        assert_eq!(task.description, new.description);
        assert_eq!(task.priority, new.priority);
        assert_eq!(task.dependencies, new.dependencies);
        assert_eq!(task.on_dependency_failure, new.on_dependency_failure);
        assert_eq!(task.repository, new.repository);
        assert_eq!(task.acceptance, new.acceptance);
        assert_eq!(task.context, new.context);
        assert_eq!(task.labels, new.labels);
        assert_eq!(task.max_attempts, new.max_attempts);
        assert_eq!(task.limits, new.limits);
        assert_eq!(task.model, new.model);
        assert_eq!(task.created_by, new.created_by);
        let agent = task.agent.as_ref().unwrap();
        assert_eq!((agent.id, agent.name.as_str(), agent.version), (bed.agent, "builder", 1));
        assert_eq!((task.result.as_ref(), task.started_at, task.completed_at), (None, None, None));
    }
    assert_eq!((told.created_at, told.run_at), (stored.created_at, stored.run_at));
}

#[tokio::test]
async fn a_type_means_its_oldest_active_agent() {
    let bed = Bed::make().await;
    let [gone, older, younger] = ["gone", "older", "younger"].map(|name| new_agent(name, "qa"));
    for agent in [&gone, &older, &younger] {
        bed.store.create_agent(agent).await.unwrap();
    }
    bed.store.update_agent(gone.id, None, None, Some(AgentStatus::Inactive), None).await.unwrap();
    let new = NewTask { performer: Performer::Type("qa".to_owned()), ..bed.new_task() };
    let told = bed.store.enqueue(&new).await.unwrap();
    assert_eq!(told.agent.unwrap().id, older.id);
}

#[tokio::test]
async fn the_noop_duty_needs_no_agent() {
    let bed = Bed::make().await;
    let id = bed.enqueue_with(|new| new.performer = Performer::Noop).await;
    let task = bed.task(id).await;
    assert_eq!((task.duty.as_deref(), task.agent), (Some("noop"), None));
    bed.settle(id, &outcome("done")).await;
}

#[tokio::test]
async fn what_is_missing_is_named_and_nothing_is_left_behind() {
    let bed = Bed::make().await;
    let inactive = new_agent("retired", "qa");
    bed.store.create_agent(&inactive).await.unwrap();
    bed.store.update_agent(inactive.id, None, None, Some(AgentStatus::Inactive), None).await.unwrap();
    let parent = bed.enqueue().await;
    let (agent, project, missing) = (AgentId::new(), ProjectId::new(), TaskId::new());
    let good = || bed.new_task();
    let of_type = |kind: &str| Performer::Type(kind.to_owned());
    let before = counts(&bed).await;
    for (new, field, names) in [
        (NewTask { performer: Performer::Agent(agent), ..good() }, "/agent_id", agent.to_string()),
        (
            NewTask { performer: Performer::Agent(inactive.id), ..good() },
            "/agent_id",
            inactive.id.to_string(),
        ),
        (NewTask { performer: of_type("astronaut"), ..good() }, "/agent_type", "astronaut".to_owned()),
        (NewTask { performer: of_type("qa"), ..good() }, "/agent_type", "qa".to_owned()),
        (NewTask { project, ..good() }, "/project_id", "project".to_owned()),
        (NewTask { project, performer: of_type("backend"), ..good() }, "/project_id", "project".to_owned()),
        (NewTask { project, performer: Performer::Noop, ..good() }, "/project_id", "project".to_owned()),
        (NewTask { dependencies: vec![missing], ..good() }, "/dependencies", missing.to_string()),
        (NewTask { dependencies: vec![parent, missing], ..good() }, "/dependencies", missing.to_string()),
    ] {
        match bed.store.enqueue(&new).await {
            Err(Error::Invalid { field: named, message }) => {
                assert_eq!(named, field, "{message}");
                assert!(message.contains(&names), "{message:?} names {names}");
            }
            other => panic!("{field}: {other:?}"),
        }
        assert_eq!(counts(&bed).await, before, "{field}");
    }
}

#[tokio::test]
async fn a_task_cannot_wait_for_itself() {
    let bed = Bed::make().await;
    let mut new = bed.new_task();
    new.dependencies = vec![new.id];
    let refused = bed.store.enqueue(&new).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { field: "/dependencies", .. }), "{refused:?}");
    assert_eq!(counts(&bed).await, (0, 0, 0));
}

#[tokio::test]
async fn a_dependency_that_is_named_twice_counts_once() {
    let bed = Bed::make().await;
    let parent = bed.enqueue().await;
    let told = NewTask { dependencies: vec![parent, parent], ..bed.new_task() };
    let told = bed.store.enqueue(&told).await.unwrap();
    assert_eq!(told.dependencies, [parent]);
    assert_eq!(bed.task(told.id).await.dependencies, [parent]);
}

#[tokio::test]
async fn the_same_task_twice_is_a_conflict() {
    let bed = Bed::make().await;
    let new = bed.new_task();
    bed.store.enqueue(&new).await.unwrap();
    let before = bed.rows(new.id).await;
    let second = bed.store.enqueue(&new).await.unwrap_err();
    assert!(matches!(second, Error::Conflict { code: "task_exists", .. }), "{second:?}");
    assert_eq!(bed.rows(new.id).await, before);
}

async fn counts(bed: &Bed) -> (i64, i64, i64) {
    (
        bed.number("SELECT count(*) FROM tasks").await,
        bed.number("SELECT count(*) FROM events").await,
        bed.number("SELECT count(*) FROM task_dependencies").await,
    )
}
