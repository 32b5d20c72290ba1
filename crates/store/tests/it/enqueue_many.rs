//! Many tasks at once are what they would have been one by one, or none of them is there.

use chrono::{DateTime, Utc};
use hive_domain::{
    AgentId, ProjectId, SessionId, StatusReason, TaskId, TaskStatus,
    task::{DependencyPolicy, NewTask, Performer, Repository},
};
use hive_store::{Error, Fault, NewSession};
use serde_json::{Value, json};

use crate::bed::Bed;

async fn session(bed: &Bed) -> SessionId {
    let new = NewSession {
        id: SessionId::new(),
        project: ProjectId::DEFAULT,
        name: "Spring".to_owned(),
        created_by: "ada".to_owned(),
    };
    bed.store.create_session(&new).await.unwrap().id
}

/// The rows of a task without what differs between two of them.
async fn comparable(bed: &Bed, id: TaskId) -> Value {
    let mut rows = bed.rows(id).await;
    for name in ["id", "created_at", "updated_at"] {
        rows["task"].as_object_mut().unwrap().remove(name);
    }
    for name in ["run_at", "announced_at"] {
        let given = rows["task"][name].as_str().is_some_and(|time| time.starts_with("2999"));
        if !given && !rows["task"][name].is_null() {
            rows["task"][name] = json!("a time of now");
        }
    }
    for (list, own) in [("events", "task_id"), ("edges", "task_id")] {
        for row in rows[list].as_array_mut().into_iter().flatten() {
            row.as_object_mut().unwrap().remove(own);
            row.as_object_mut().unwrap().remove("created_at");
        }
    }
    rows
}

#[tokio::test]
async fn each_field_is_stored_as_if_it_came_alone() {
    let bed = Bed::make().await;
    let (first, session) = (bed.enqueue().await, session(&bed).await);
    let later: DateTime<Utc> = "2999-01-01T00:00:00.123456Z".parse().unwrap();
    let full = |id| NewTask {
        id,
        title: "„Ü\" \\ 'a'".to_owned(),
        description: "Zwei\nZeilen".to_owned(),
        performer: Performer::Type("backend".to_owned()),
        priority: 2_i64.try_into().unwrap(),
        dependencies: vec![first],
        on_dependency_failure: DependencyPolicy::Continue,
        repository: Some(Repository {
            url: "file:///srv/a.git".to_owned(),
            base_ref: "main".to_owned(),
            base_commit: "c0ffee".to_owned(),
        }),
        context: json!({ "n": 1.5, "deep": [null, { "x": "y" }] }).as_object().cloned().unwrap(),
        labels: [("team".to_owned(), "shop".to_owned())].into(),
        run_at: Some(later),
        max_attempts: 9,
        model: Some("hard".to_owned()),
        session: Some(session),
        parent: Some(first),
        deadline: Some(later),
        concurrency_key: Some("k".to_owned()),
        ..bed.new_task()
    };
    let kinds: [&dyn Fn(TaskId) -> NewTask; 4] = [
        &full,
        &|id| NewTask { id, ..bed.new_task() },
        &|id| NewTask { id, performer: Performer::Noop, ..bed.new_task() },
        &|id| NewTask { id, run_at: Some(later), ..bed.new_task() },
    ];
    for make in kinds {
        let (alone, together) = (make(TaskId::new()), make(TaskId::new()));
        let shown = bed.store.enqueue(&alone).await.unwrap();
        let many = bed.store.enqueue_many(std::slice::from_ref(&together)).await.unwrap();
        assert_eq!(comparable(&bed, alone.id).await, comparable(&bed, together.id).await);
        assert_eq!((shown.status, shown.reason), (many[0].status, many[0].reason));
        assert_eq!(
            format!("{:?}", bed.task(together.id).await),
            format!("{:?}", many[0]),
            "it is what is read later"
        );
    }
}

#[tokio::test]
async fn a_thousand_that_wait_for_each_other_come_in_order() {
    let bed = Bed::make().await;
    let mut new: Vec<NewTask> = Vec::new();
    for n in 0..1_000 {
        let dependencies = new.last().filter(|_| n % 10 != 0).map(|task| vec![task.id]).unwrap_or_default();
        new.push(NewTask { dependencies, title: format!("task {n}"), ..bed.new_task() });
    }
    // The dependents stand before what they wait for, too.
    new.reverse();
    let tasks = bed.store.enqueue_many(&new).await.unwrap();
    for (task, new) in tasks.iter().zip(&new) {
        assert_eq!((task.id, &task.title, &task.dependencies), (new.id, &new.title, &new.dependencies));
        assert_eq!(task.status == TaskStatus::Ready, new.dependencies.is_empty());
    }
    assert_eq!(
        bed.number("SELECT count(*) FROM tasks WHERE status = 'ready' AND announced_at IS NOT NULL").await,
        100
    );
    assert_eq!(bed.number("SELECT count(*) FROM task_dependencies").await, 900);
    assert_eq!(
        bed.number("SELECT count(*) FROM events WHERE seq = 1 AND kind = 'task.created'").await,
        1_000
    );
}

#[tokio::test]
async fn what_one_refers_to_in_vain_is_named_and_no_row_is_left() {
    let bed = Bed::make().await;
    let nobody = TaskId::new();
    let fine = bed.new_task();
    let with = |change: &dyn Fn(&mut NewTask)| {
        let mut new = bed.new_task();
        change(&mut new);
        new
    };
    let new = [
        fine.clone(),
        with(&|new| new.performer = Performer::Agent(AgentId::new())),
        with(&|new| new.performer = Performer::Type("nobody".to_owned())),
        with(&|new| new.dependencies = vec![fine.id, nobody]),
        with(&|new| new.project = ProjectId::new()),
        with(&|new| new.session = Some(SessionId::new())),
        with(&|new| new.parent = Some(nobody)),
        with(&|new| new.dependencies = vec![new.id]),
    ];
    let error = bed.store.enqueue_many(&new).await.unwrap_err();
    let Error::InvalidEntries(faults) = error else { panic!("{error:?}") };
    let places: Vec<(usize, &str)> =
        faults.iter().map(|Fault { index, field, .. }| (*index, *field)).collect();
    let expected = [
        (1, "/agent_id"),
        (2, "/agent_type"),
        (3, "/dependencies"),
        (4, "/project_id"),
        (5, "/session_id"),
        (6, "/parent_id"),
        (7, "/dependencies"),
    ];
    assert_eq!(places, expected);
    assert!(faults[2].message.contains(&nobody.to_string()), "{faults:?}");
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, 0);

    let taken = bed.enqueue().await;
    let error =
        bed.store.enqueue_many(&[bed.new_task(), NewTask { id: taken, ..bed.new_task() }]).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { code: "task_exists", .. }), "{error:?}");
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, 1);
}

#[tokio::test]
async fn a_parent_has_bounds() {
    let bed = Bed::make().await;
    let mut line = vec![bed.enqueue().await];
    for depth in 1..=5 {
        let parent = line.last().copied();
        line.push(bed.enqueue_with(|new| new.parent = parent).await);
        assert_eq!(
            bed.number(&format!("SELECT depth::bigint FROM tasks WHERE id = '{}'", line[depth])).await,
            depth as i64
        );
    }
    let cancelled = bed.enqueue().await;
    bed.store.cancel(cancelled, "ada").await.unwrap();
    bed.execute("INSERT INTO projects (id, name) VALUES ('00000000-0000-7000-8000-0000000000aa', 'other')")
        .await;
    let foreign: uuid::Uuid = "00000000-0000-7000-8000-0000000000aa".parse().unwrap();
    let before = bed.number("SELECT count(*) FROM tasks").await;
    for (change, says) in [
        (NewTask { parent: Some(line[5]), ..bed.new_task() }, "5 tasks stand above"),
        (NewTask { parent: Some(cancelled), ..bed.new_task() }, "cancelled"),
        (NewTask { parent: Some(TaskId::new()), ..bed.new_task() }, "does not exist"),
        (
            NewTask {
                parent: Some(line[0]),
                project: foreign.into(),
                performer: Performer::Noop,
                acceptance: Vec::new(),
                ..bed.new_task()
            },
            "another project",
        ),
    ] {
        let alone = bed.store.enqueue(&change).await.unwrap_err();
        assert!(
            matches!(&alone, Error::Invalid { field: "/parent_id", message } if message.contains(says)),
            "{alone:?}"
        );
        let many = bed.store.enqueue_many(&[change]).await.unwrap_err();
        let Error::InvalidEntries(faults) = many else { panic!("{many:?}") };
        assert!(
            matches!(&faults[..], [Fault { index: 0, field: "/parent_id", message }] if message.contains(says))
        );
    }
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, before);
    let child = bed.enqueue_with(|new| new.parent = Some(line[4])).await;
    bed.assert_stands(child, TaskStatus::Ready, None::<StatusReason>).await;
}
