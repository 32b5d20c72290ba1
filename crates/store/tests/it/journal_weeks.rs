//! The journal in weeks: what a migration moves, what a retention drops, and what it never does.

use std::borrow::Cow;

use hive_domain::{
    Outcome, ProjectId, TaskId,
    journal::TaskResult,
    task::{NewTask, Performer},
};
use hive_local::testing::TestStores;
use hive_store::{Claimant, Error, MIGRATOR};
use sqlx::migrate::Migrator;
use uuid::Uuid;

use crate::bed::{Bed, connect, note};

impl Bed {
    /// An id as it was made this many days ago.
    pub(crate) async fn id_of(&self, days: i32) -> TaskId {
        let first: Uuid = sqlx::query_scalar("SELECT first_id_of(now() - make_interval(days => $1))")
            .bind(days)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        // The time of the past, and the rest of a fresh id.
        let (time, rest) = (first.as_u128() >> 80 << 80, Uuid::now_v7().as_u128() << 48 >> 48);
        Uuid::from_u128(time | rest).into()
    }

    /// A task that was made and ended this many days ago, with a step and an output of a tool.
    async fn old(&self, days: i32) -> TaskId {
        let id = self.id_of(days).await;
        self.enqueue_with(|new| new.id = id).await;
        let mut lease = self.claim(id).await;
        self.append_note(&mut lease, "a step").await;
        for name in ["diff", "step-1-toolu_1"] {
            self.store.put_artifact(id, name, "text/plain", name.as_bytes()).await.unwrap();
        }
        self.settle_with(
            &lease,
            &Outcome::Done(TaskResult { summary: "done".to_owned(), ..Default::default() }),
        )
        .await;
        sqlx::query("UPDATE tasks SET completed_at = now() - make_interval(days => $2) WHERE id = $1")
            .bind(id.uuid())
            .bind(days)
            .execute(&self.pool)
            .await
            .unwrap();
        id
    }

    /// What lies in the nets.
    async fn unplaced(&self) -> i64 {
        self.number(
            "SELECT (SELECT count(*) FROM steps_default) + (SELECT count(*) FROM events_default)
                    + (SELECT count(*) FROM llm_calls_default)",
        )
        .await
    }

    async fn partitions(&self) -> i64 {
        self.number("SELECT count(*) FROM pg_inherits WHERE inhparent = 'steps'::regclass").await
    }
}

#[tokio::test]
async fn the_net_takes_what_has_no_week_and_the_next_pass_makes_one() {
    let bed = Bed::make().await;
    let before = bed.partitions().await;
    assert_eq!(before, 6, "this week, four ahead, and the net");
    let task = bed.old(200).await;
    let rows = bed.rows(task).await;
    assert!(bed.unplaced().await > 0);
    let would = bed.keep_house("partitions_ahead", true).await;
    assert_eq!(would.report["weeks"].as_array().unwrap().len(), 1);
    assert_eq!(bed.partitions().await, before);
    bed.keep_house("partitions_ahead", false).await;
    assert_eq!((bed.partitions().await, bed.unplaced().await), (before + 1, 0));
    assert_eq!(bed.rows(task).await, rows, "moved, and the same");
    // A task of this week needs no net.
    let fresh = bed.enqueue().await;
    let mut lease = bed.claim(fresh).await;
    bed.store.begin_call(&lease, "claude", b"x").await.unwrap();
    bed.append_note(&mut lease, "a step").await;
    assert_eq!(bed.unplaced().await, 0);
}

#[tokio::test]
async fn a_week_is_dropped_when_all_its_tasks_ended_long_ago() {
    let bed = Bed::make().await;
    let (old, recent) = (bed.old(200).await, bed.old(30).await);
    let open = bed.id_of(400).await;
    bed.enqueue_with(|new| new.id = open).await;
    let beside_open = bed.old(400).await;
    bed.keep_house("partitions_ahead", false).await;
    bed.execute("ANALYZE").await;
    let before = bed.partitions().await;

    let would = bed.keep_house("steps_retention", true).await;
    assert_eq!(would.report["dropped"].as_array().unwrap().len(), 1, "{would:?}");
    assert_eq!(would.report["held"][0]["tasks"], 1, "the week of the open one is reported: {would:?}");
    assert!(would.removed_rows >= 4 && would.removed_bytes > 0, "{would:?}");
    assert_eq!((bed.partitions().await, bed.store.steps(old, 0, 10).await.unwrap().len()), (before, 1));

    let done = bed.keep_house("steps_retention", false).await;
    assert_eq!(done.report["dropped"], would.report["dropped"]);
    assert_eq!(bed.partitions().await, before - 1);
    assert!(bed.store.steps(old, 0, 10).await.unwrap().is_empty());
    assert!(bed.events(old).await.is_empty());
    assert!(bed.store.is_journal_pruned(old).await.unwrap());
    let task = bed.task(old).await;
    assert_eq!(task.result.unwrap().summary, "done", "the task and its result stay");
    bed.store.artifact(old, "diff").await.unwrap();
    assert!(matches!(bed.store.artifact(old, "step-1-toolu_1").await, Err(Error::NotFound { .. })));
    for kept in [recent, beside_open] {
        assert_eq!(bed.store.steps(kept, 0, 10).await.unwrap().len(), 1);
        assert!(!bed.store.is_journal_pruned(kept).await.unwrap());
        bed.store.artifact(kept, "step-1-toolu_1").await.unwrap();
    }
    assert_eq!(
        bed.number("SELECT count(*) FROM journal_weeks WHERE dropped_at IS NOT NULL AND bytes > 0").await,
        1
    );
}

#[tokio::test]
async fn a_task_that_is_reopened_keeps_its_week() {
    let bed = Bed::make().await;
    let old = bed.id_of(200).await;
    bed.enqueue_with(|new| new.id = old).await;
    let lease = bed.claim(old).await;
    bed.settle_with(&lease, &crate::bed::outcome("fail")).await;
    bed.execute("UPDATE tasks SET completed_at = now() - interval '200 days'").await;
    bed.keep_house("partitions_ahead", false).await;
    let monday = "(SELECT monday FROM journal_weeks ORDER BY monday LIMIT 1)";

    // Reopened between the look and the drop.
    bed.store.request_completion(old, "me").await.unwrap();
    let dropped = bed.number(&format!("SELECT coalesce(drop_journal_week({monday}), -1)")).await;
    assert_eq!(dropped, -1);
    let lease = bed.claim(old).await;
    bed.settle_with(&lease, &crate::bed::outcome("fail")).await;

    // Dropped first: what is gone cannot be gone on with.
    assert!(bed.number(&format!("SELECT drop_journal_week({monday})")).await > 0);
    let refused = bed.store.request_completion(old, "me").await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { code: "steps_pruned", .. }), "{refused:?}");
}

#[tokio::test]
async fn dropping_a_week_waits_briefly_for_those_who_use_the_journal() {
    let bed = Bed::make().await;
    bed.old(200).await;
    bed.keep_house("partitions_ahead", false).await;
    let fresh = bed.enqueue().await;
    let mut reader = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM steps").execute(&mut *reader).await.unwrap();
    let store = connect(&bed.database);
    let drop = tokio::spawn(async move {
        let order = hive_store::housekeeping::Order {
            id: Uuid::nil(),
            duty: "steps_retention".to_owned(),
            dry_run: false,
            keep_days: None,
        };
        store.keep_house(&order, &Default::default()).await.unwrap()
    });
    // While it tries, writers are held up no longer than one try.
    let mut lease = bed.claim(fresh).await;
    for _ in 0..5 {
        let start = std::time::Instant::now();
        bed.append_note(&mut lease, "a step").await;
        assert!(start.elapsed() < std::time::Duration::from_secs(3), "{:?}", start.elapsed());
    }
    reader.rollback().await.unwrap();
    assert_eq!(drop.await.unwrap().report["dropped"].as_array().unwrap().len(), 1);
}

/// A database as it was before the journal was split, with rows in it.
#[tokio::test]
async fn the_migration_moves_what_is_there() {
    static BEFORE: std::sync::LazyLock<Migrator> = std::sync::LazyLock::new(|| Migrator {
        migrations: Cow::Owned(MIGRATOR.iter().filter(|migration| migration.version <= 6).cloned().collect()),
        ..Migrator::DEFAULT
    });
    let database = TestStores::get().database(&BEFORE).await.unwrap();
    let pool = database.pool().await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO tasks (id, project_id, title, duty, created_by, status, completed_at)
         SELECT (lpad(to_hex((extract(epoch FROM now() - n * interval '20 days') * 1000)::bigint), 12, '0')
                 || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
                '00000000-0000-7000-8000-000000000001', 'task ' || n, 'noop', 'a test', 'succeeded', now()
         FROM generate_series(0, 9) AS n;
         INSERT INTO tasks (id, project_id, title, duty, created_by, status, completed_at)
         VALUES ('ffffffff-0000-4000-8000-000000000000', '00000000-0000-7000-8000-000000000001', 'odd', 'noop', 'a test',
                 'succeeded', now());
         INSERT INTO events (task_id, seq, kind, data) SELECT id, n, 'task.step', '{\"n\": 1}' FROM tasks, generate_series(1, 3) n;
         INSERT INTO steps (task_id, seq, epoch, kind, body, commit_hash)
         SELECT id, n, 1, 'note', '{\"a\" : 1,  \"a\":2}', 'c' FROM tasks, generate_series(1, 2) n;
         INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256)
         SELECT gen_random_uuid(), id, 1, 1, 'claude', 'x' FROM tasks;",
    )
    .execute(&pool)
    .await
    .unwrap();
    let all = async || -> Vec<Vec<String>> {
        let mut tables = Vec::new();
        for table in ["steps", "events", "llm_calls"] {
            let query = format!("SELECT t::text FROM {table} t ORDER BY 1");
            tables.push(sqlx::query_scalar(&query).persistent(false).fetch_all(&pool).await.unwrap());
        }
        tables
    };
    let before = all().await;
    let store = connect(&database);
    store.migrate().await.unwrap();
    assert_eq!(all().await, before, "every row is there, byte for byte");
    let in_nets: i64 =
        sqlx::query_scalar("SELECT count(*) FROM steps_default").fetch_one(&pool).await.unwrap();
    assert_eq!(in_nets, 2, "the rows of the one id that has no time");
    let weeks: i64 = sqlx::query_scalar("SELECT count(*) FROM journal_weeks").fetch_one(&pool).await.unwrap();
    assert_eq!(weeks, 9 + 5);

    // And it works on.
    let new = NewTask { performer: Performer::Noop, project: ProjectId::DEFAULT, ..template() };
    let task = store.enqueue(&new).await.unwrap();
    let mut lease = store.claim(task.id, task.epoch, &Claimant::ordinary("w")).await.unwrap().unwrap();
    store.append(&mut lease, &hive_store::NewStep::plain(&note("a step"))).await.unwrap();
    store.settle(&lease, &Outcome::Done(TaskResult::default())).await.unwrap();
    assert_eq!(store.steps(task.id, 0, 10).await.unwrap().len(), 1);
}

fn template() -> NewTask {
    NewTask {
        id: TaskId::new(),
        project: ProjectId::DEFAULT,
        title: "a task".to_owned(),
        description: String::new(),
        performer: Performer::Noop,
        priority: hive_domain::Priority::default(),
        dependencies: Vec::new(),
        on_dependency_failure: hive_domain::task::DependencyPolicy::Fail,
        repository: None,
        acceptance: Vec::new(),
        context: serde_json::Map::new(),
        labels: std::collections::BTreeMap::new(),
        run_at: None,
        max_attempts: 3,
        limits: hive_domain::Limits::default(),
        model: None,
        session: None,
        parent: None,
        deadline: None,
        concurrency_key: None,
        created_by: "a test".to_owned(),
    }
}
