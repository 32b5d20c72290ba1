//! Orders of housekeeping, and the duties that remove rows.

use hive_domain::{MessagePolicy, Outcome, journal::TaskResult};
use hive_store::{
    DutyOptions, Error, NewMessage,
    housekeeping::{DUTIES, Done, Order, Retention},
};

use crate::bed::{Bed, connect};

impl Bed {
    pub(crate) async fn keep_house(&self, duty: &str, dry_run: bool) -> Done {
        let order = Order { id: uuid::Uuid::nil(), duty: duty.to_owned(), dry_run, keep_days: None };
        self.store.keep_house(&order, &Retention::default()).await.unwrap()
    }
}

#[tokio::test]
async fn an_order_is_taken_once_per_host_and_its_end_is_shown() {
    let bed = Bed::make().await;
    let unknown = bed.store.order_duty("dusting", &DutyOptions::default(), "me").await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound { what: "duty", .. }));
    let options = DutyOptions { dry_run: false, keep_days: Some(7) };
    let id = bed.store.order_duty("records", &options, "me").await.unwrap();
    let mine = ["records".to_owned()];
    assert!(bed.store.take_order(&["workspaces".to_owned()], "").await.unwrap().is_none());

    let (one, two) = (connect(&bed.database), connect(&bed.database));
    let (a, b) = tokio::join!(one.take_order(&mine, ""), two.take_order(&mine, ""));
    let mut taken: Vec<_> = [a.unwrap(), b.unwrap()].into_iter().flatten().collect();
    assert_eq!(taken.len(), 1, "of two takers one gets it");
    let order = taken.remove(0);
    assert_eq!((order.id, order.keep_days), (id, Some(7)));
    assert!(bed.store.take_order(&mine, "another-host").await.unwrap().is_some(), "each host for itself");

    let done = Done { removed_rows: 3, removed_bytes: 5, report: serde_json::json!({ "cron_slots": 3 }) };
    bed.store.finish_order(&order, "", Ok(&done)).await.unwrap();
    bed.store.finish_order(&order, "another-host", Err("the disk is gone")).await.unwrap();
    let view = bed.store.order(id).await.unwrap();
    let runs: Vec<_> = view.runs.iter().map(|run| (run.host.as_str(), run.state.as_str())).collect();
    assert_eq!(runs, [("", "done"), ("another-host", "failed")]);
    let (last, successes) = bed.store.housekeeping().await.unwrap();
    assert_eq!(last.len(), 2);
    assert_eq!((last[0].removed_rows, last[0].removed_bytes), (3, 5));
    assert_eq!(last[1].error.as_deref(), Some("the disk is gone"));
    assert_eq!(successes.len(), 1, "a failure is no success");
    bed.store.finish_order(&order, "", Err("late")).await.unwrap();
    assert_eq!(bed.store.order(id).await.unwrap().runs[0].state, "done", "an end stays");
}

#[tokio::test]
async fn a_dry_run_reports_and_changes_nothing_and_every_duty_can_be_run() {
    let bed = Bed::make().await;
    for duty in DUTIES {
        for dry_run in [true, false] {
            let done = bed.keep_house(duty.name, dry_run).await;
            assert_eq!((done.removed_rows, done.removed_bytes), (0, 0), "{}", duty.name);
        }
        hive_domain::Cadence::parse(duty.cron, "UTC").unwrap();
    }
}

#[tokio::test]
async fn pauses_whose_time_has_passed_go() {
    let bed = Bed::make().await;
    bed.execute(
        "INSERT INTO pauses (scope, name, mode, until, created_by) VALUES
             ('fleet', '', 'pause', now() - interval '1 second', 'me'), ('lane', 'low', 'pause', now() + interval '1 hour', 'me'),
             ('lane', 'high', 'drain', NULL, 'me')",
    )
    .await;
    assert_eq!(bed.keep_house("ended_pauses", true).await.removed_rows, 1);
    assert_eq!(bed.number("SELECT count(*) FROM pauses").await, 3, "a dry run removes nothing");
    assert_eq!(bed.keep_house("ended_pauses", false).await.removed_rows, 1);
    assert_eq!(bed.number("SELECT count(*) FROM pauses WHERE scope = 'lane'").await, 2);
}

#[tokio::test]
async fn artifacts_that_nothing_shows_go_after_an_hour() {
    let bed = Bed::make().await;
    let task = bed.enqueue().await;
    bed.claim(task).await;
    let put = async |body: &[u8]| bed.store.put_artifact(task, 1, "diff", "text/plain", body).await.unwrap();
    put(b"first").await;
    put(b"second").await;
    bed.execute("UPDATE artifacts SET created_at = now() - interval '2 hours'").await;
    put(b"third").await;
    let would = bed.keep_house("artifacts_retention", true).await;
    assert_eq!((would.removed_rows, would.removed_bytes), (2, 11));
    // What is stored again is new again.
    put(b"first").await;
    put(b"third").await;
    let done = bed.keep_house("artifacts_retention", false).await;
    assert_eq!((done.removed_rows, done.removed_bytes), (1, 6), "the second one");
    let left: Vec<String> = sqlx::query_scalar("SELECT convert_from(body, 'UTF8') FROM artifacts ORDER BY 1")
        .fetch_all(&bed.pool)
        .await
        .unwrap();
    assert_eq!(left, ["first", "third"]);
}

#[tokio::test]
async fn old_slots_and_orders_go() {
    let bed = Bed::make().await;
    bed.store.seed_schedules().await.unwrap();
    bed.execute(
        "INSERT INTO cron_slots (schedule_id, slot, outcome, created_at)
         SELECT (SELECT id FROM schedules LIMIT 1), now() - n * interval '20 days',
                CASE WHEN n = 4 THEN 'waiting' ELSE 'skipped' END::slot_outcome, now() - n * interval '20 days'
         FROM generate_series(1, 4) AS n",
    )
    .await;
    let order = bed.store.order_duty("records", &DutyOptions::default(), "me").await.unwrap();
    bed.execute("UPDATE housekeeping_orders SET created_at = now() - interval '31 days'").await;
    let done = bed.keep_house("records", false).await;
    let removed = serde_json::json!({ "cron_slots": 2, "workers": 0, "task_action_items": 0, "task_actions": 0, "sleeps": 0,
                                      "system_checkpoints": 0, "context_receipts": 0, "system_events": 0, "housekeeping_orders": 1 });
    assert_eq!(done.report, removed);
    assert!(matches!(bed.store.order(order).await, Err(Error::NotFound { .. })));
    assert_eq!(
        bed.number("SELECT count(*) FROM cron_slots").await,
        2,
        "the recent one and the one that waits"
    );
}

#[tokio::test]
async fn calls_of_runs_that_are_over_are_closed() {
    let bed = Bed::make().await;
    let (ended, running) = (bed.enqueue().await, bed.enqueue().await);
    let lost = bed.claim(ended).await;
    let call = bed.store.begin_call(&lost, "claude", b"x").await.unwrap().unwrap();
    let fresh = bed.claim(running).await;
    bed.store.begin_call(&fresh, "claude", b"x").await.unwrap().unwrap();
    bed.settle_with(&lost, &Outcome::Done(TaskResult::default())).await;
    assert_eq!(bed.keep_house("stale_intents", false).await.removed_rows, 0, "an answer may still come");

    bed.execute("UPDATE llm_calls SET created_at = created_at - interval '21 seconds'").await;
    assert_eq!(bed.keep_house("stale_intents", true).await.removed_rows, 1);
    assert_eq!(
        bed.keep_house("stale_intents", false).await.removed_rows,
        1,
        "a call in flight is left alone"
    );
    assert_eq!(bed.number("SELECT count(*) FROM llm_calls WHERE state = 'intent'").await, 1);

    // It comes all the same, and was charged.
    let usage = hive_domain::Usage { input_tokens: 5, ..Default::default() };
    let outcome = hive_store::CallOutcome { error: "cut".to_owned(), request_id: None, usage: Some(usage) };
    bed.store.fail_call(&lost, call, &outcome).await.unwrap();
    assert_eq!(bed.task(ended).await.usage.input_tokens, 5);
    assert_eq!(bed.number("SELECT count(*) FROM llm_calls WHERE state = 'failed'").await, 1);
}

#[tokio::test]
async fn messages_go_with_the_journal_whether_they_were_read_or_not() {
    let bed = Bed::make().await;
    let told = async |days: i32, ends: bool| {
        let id = bed.id_of(days).await;
        bed.enqueue_with(|new| new.id = id).await;
        let mut lease = bed.claim(id).await;
        let say = async |text| {
            let new = NewMessage { text, policy: MessagePolicy::Enqueue, author: "ada" };
            bed.store.send_message(id, &new).await.unwrap();
        };
        say("read").await;
        bed.store.read_messages(&mut lease, &hive_store::Undo::Nothing).await.unwrap();
        say("missed").await;
        if ends {
            bed.settle_with(&lease, &crate::bed::outcome("fail")).await;
        }
        id
    };
    let (old, recent) = (told(200, true).await, told(30, true).await);
    let (beside_open, open) = (told(400, true).await, told(400, false).await);
    bed.execute(
        "UPDATE tasks SET completed_at = time_of_id(id), created_at = time_of_id(id) WHERE completed_at IS NOT NULL",
    )
    .await;
    bed.keep_house("partitions_ahead", false).await;
    assert_eq!(bed.keep_house("messages_retention", false).await.removed_rows, 0, "every journal is kept");

    bed.keep_house("steps_retention", false).await;
    let would = bed.keep_house("messages_retention", true).await;
    assert_eq!((would.removed_rows, would.removed_bytes), (2, 10), "{would:?}");
    assert_eq!(bed.number("SELECT count(*) FROM task_messages").await, 8, "a dry run removes nothing");
    // Asked to keep more than the weeks that were dropped.
    let order = Order {
        id: uuid::Uuid::nil(),
        duty: "messages_retention".to_owned(),
        dry_run: false,
        keep_days: Some(300),
    };
    let kept = bed.store.keep_house(&order, &Retention::default()).await.unwrap();
    assert_eq!(kept.removed_rows, 0, "{kept:?}");

    let done = bed.keep_house("messages_retention", false).await;
    assert_eq!((done.removed_rows, done.removed_bytes), (2, 10), "{done:?}");
    assert_eq!(done.report, serde_json::json!({ "task_messages": 2 }));
    let texts = async |id| -> Vec<String> {
        bed.store.messages(id, 0, 10).await.unwrap().into_iter().map(|message| message.text).collect()
    };
    assert!(texts(old).await.is_empty());
    for kept in [recent, beside_open, open] {
        assert_eq!(texts(kept).await, ["read", "missed"]);
    }
}

#[tokio::test]
async fn an_output_that_a_step_names_is_kept() {
    let bed = Bed::make().await;
    let task = bed.enqueue().await;
    bed.claim(task).await;
    bed.store.put_artifact(task, 1, "step-2-toolu_1", "text/plain", b"whole").await.unwrap();
    let fork_like = bed.enqueue().await;
    bed.claim(fork_like).await;
    bed.store.put_artifact(fork_like, 1, "step-2-toolu_1", "text/plain", b"whole").await.unwrap();
    bed.execute("UPDATE artifacts SET created_at = now() - interval '200 days'").await;
    assert_eq!(bed.keep_house("artifacts_retention", false).await.removed_rows, 0);
    bed.execute(&format!("DELETE FROM task_artifacts WHERE task_id = '{task}'")).await;
    assert_eq!(bed.keep_house("artifacts_retention", false).await.removed_rows, 0, "another task names it");
    assert_eq!(bed.store.artifact(fork_like, "step-2-toolu_1").await.unwrap().1, b"whole");
    bed.execute("DELETE FROM task_artifacts").await;
    assert_eq!(bed.keep_house("artifacts_retention", false).await.removed_rows, 1);
}
