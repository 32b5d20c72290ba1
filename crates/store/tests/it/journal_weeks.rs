//! The journal in weeks: what a retention drops, and what it never does.

use hive_domain::{Outcome, TaskId, Usage, journal::TaskResult};
use hive_store::{CallOutcome, Error, verify::Scope};
use uuid::Uuid;

use crate::bed::{Bed, connect};

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
            self.store.put_artifact(id, 1, name, "text/plain", name.as_bytes()).await.unwrap();
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

#[tokio::test]
async fn a_task_whose_week_was_dropped_is_whole() {
    let bed = Bed::make().await;
    let old = bed.id_of(200).await;
    bed.enqueue_with(|new| new.id = old).await;
    let mut lease = bed.claim(old).await;
    let call = bed.store.begin_call(&lease, "claude", b"x").await.unwrap().unwrap();
    let usage = Usage { input_tokens: 5, ..Usage::default() };
    let outcome = CallOutcome { error: "cut".to_owned(), request_id: None, usage: Some(usage) };
    bed.store.fail_call(&lease, call, &outcome).await.unwrap();
    bed.append_note(&mut lease, "a step").await;
    bed.settle_with(&lease, &crate::bed::outcome("done")).await;
    bed.execute(
        "UPDATE tasks SET created_at = created_at - interval '200 days', started_at = started_at - interval '200 days',
                          completed_at = completed_at - interval '200 days'",
    )
    .await;
    bed.keep_house("partitions_ahead", false).await;
    let found = async || {
        let checked = bed.store.verify(Scope::All).await.unwrap().into_iter();
        checked.filter(|check| check.found > 0).map(|check| check.name).collect::<Vec<_>>()
    };
    assert_eq!(found().await, [""; 0]);
    bed.keep_house("steps_retention", false).await;
    assert!(bed.store.is_journal_pruned(old).await.unwrap());
    assert_eq!(found().await, [""; 0], "what housekeeping removed is not missed");
}
