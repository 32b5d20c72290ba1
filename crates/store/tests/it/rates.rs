//! Rates: how many tasks of a key or an agent start in a time. Time is moved in the rows, never waited for.

use hive_domain::{Lease, PauseMode, StatusReason, TaskId, TaskStatus};
use hive_store::{Claimant, LimitKind, PauseScope, Rate};

use crate::bed::{Bed, WORKER, connect, outcome};

const PARKED: (TaskStatus, Option<StatusReason>) = (TaskStatus::Waiting, Some(StatusReason::RateLimited));

async fn rate(bed: &Bed, kind: LimitKind, name: &str, max_starts: i32, per_seconds: i32) {
    let running = (kind == LimitKind::Key).then_some(1_000);
    bed.store.set_task_limit(kind, name, running, Some(Rate { max_starts, per_seconds })).await.unwrap();
}

async fn keyed(bed: &Bed, key: &str) -> TaskId {
    bed.enqueue_with(|new| new.concurrency_key = Some(key.to_owned())).await
}

async fn claims(bed: &Bed, id: TaskId) -> bool {
    let epoch = bed.task(id).await.epoch;
    bed.store.claim(id, epoch, &Claimant::ordinary(WORKER)).await.unwrap().is_some()
}

/// Lets this many seconds pass for the limits and for what is parked.
async fn seconds_pass(bed: &Bed, seconds: i64) {
    bed.execute(&format!(
        "UPDATE task_limits SET starts = ARRAY(SELECT s - interval '{seconds} s' FROM unnest(starts) AS s ORDER BY s);
         UPDATE tasks SET run_at = run_at - interval '{seconds} s' WHERE status = 'waiting'"
    ))
    .await;
}

async fn number_of_starts(bed: &Bed, name: &str) -> i64 {
    bed.number(&format!("SELECT cardinality(starts)::bigint FROM task_limits WHERE name = '{name}'")).await
}

/// Seconds between the last start of the limit and the time for which each of these is parked.
async fn places_in_line(bed: &Bed, ids: &[TaskId]) -> Vec<f64> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_scalar(
        "SELECT extract(epoch FROM run_at - (SELECT max(s) FROM task_limits, unnest(starts) AS s))::float8
         FROM tasks WHERE id = ANY ($1) AND status_reason = 'rate_limited' ORDER BY run_at",
    )
    .bind(ids)
    .fetch_all(&bed.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn no_window_holds_more_starts_than_the_limit() {
    const WINDOW: i64 = 60;
    const STEP: i64 = 7;
    let bed = Bed::make().await;
    rate(&bed, LimitKind::Key, "provider", 3, WINDOW as i32).await;
    let mut open = Vec::new();
    for _ in 0..12 {
        open.push(keyed(&bed, "provider").await);
    }
    // Starts in milliseconds of a time that only this test moves.
    let (mut passed, mut starts) = (0, Vec::new());
    while !open.is_empty() {
        assert!(passed < 5 * WINDOW, "{} tasks did not start", open.len());
        bed.reconcile().await;
        let mut rest = Vec::new();
        for id in open {
            if bed.task(id).await.status == TaskStatus::Ready && claims(&bed, id).await {
                let last = "SELECT (extract(epoch FROM starts[cardinality(starts)]) * 1000)::bigint FROM task_limits";
                starts.push(bed.number(last).await + passed * 1000);
            } else {
                bed.assert_stands(id, PARKED.0, PARKED.1).await;
                rest.push(id);
            }
        }
        open = rest;
        seconds_pass(&bed, STEP).await;
        passed += STEP;
    }
    for window in starts.windows(4) {
        assert!(window[3] - window[0] >= WINDOW * 1000, "four starts within a window: {starts:?}");
    }
    assert!(
        passed <= 3 * WINDOW + 6 * STEP,
        "and no start is given away: {passed} s for 12 tasks, {starts:?}"
    );
    assert_eq!(number_of_starts(&bed, "provider").await, 3, "only the last starts are kept");
}

#[tokio::test]
async fn a_start_is_free_at_the_end_of_its_window_and_not_before() {
    let bed = Bed::make().await;
    rate(&bed, LimitKind::Key, "provider", 1, 60).await;
    let ids = [keyed(&bed, "provider").await, keyed(&bed, "provider").await, keyed(&bed, "provider").await];
    assert!(claims(&bed, ids[0]).await);
    seconds_pass(&bed, 30).await;
    assert!(!claims(&bed, ids[1]).await);
    let task = bed.task(ids[1]).await;
    assert_eq!((task.status, task.reason, task.attempt, task.epoch), (PARKED.0, PARKED.1, 0, 0));
    assert_eq!(task.detail.unwrap(), "key provider may start 1 task in 60 s");
    assert_eq!(bed.event_kinds(ids[1]).await.last().unwrap(), "task.waiting");
    bed.reconcile().await;
    bed.assert_stands(ids[1], PARKED.0, PARKED.1).await;
    seconds_pass(&bed, 31).await;
    bed.reconcile().await;
    assert!(claims(&bed, ids[1]).await, "at its time it starts at once");
    // A limit that is taken away holds nobody back any more.
    assert!(!claims(&bed, ids[2]).await);
    bed.store.drop_task_limit(LimitKind::Key, "provider").await.unwrap();
    bed.store.set_task_limit(LimitKind::Key, "provider", Some(9), None).await.unwrap();
    seconds_pass(&bed, 61).await;
    bed.reconcile().await;
    assert!(claims(&bed, ids[2]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn parked_tasks_stand_in_line_even_when_they_come_together() {
    let bed = Bed::make().await;
    rate(&bed, LimitKind::Agent, &bed.agent.to_string(), 2, 60).await;
    assert!(claims(&bed, bed.enqueue().await).await && claims(&bed, bed.enqueue().await).await);
    let (mut ids, mut stores) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        ids.push(bed.enqueue().await);
        let store = connect(&bed.database);
        store.ping().await.unwrap();
        stores.push(store);
    }
    let mut together = tokio::task::JoinSet::new();
    for (id, store) in ids.iter().copied().zip(stores) {
        together
            .spawn(async move { store.claim(id, 0, &Claimant::ordinary(WORKER)).await.unwrap().is_none() });
    }
    assert!(together.join_all().await.into_iter().all(|parked| parked));
    let line = places_in_line(&bed, &ids).await;
    assert_eq!(line.len(), 6);
    // Two in each window after the last start, and none before its own.
    for (at, place) in line.iter().enumerate() {
        let window = 60.0 * (1 + at / 2) as f64;
        assert!((window - 10.0..window + 10.0).contains(place), "{at}: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_claimants_together_never_exceed_it() {
    let bed = Bed::make().await;
    rate(&bed, LimitKind::Key, "provider", 5, 3600).await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(keyed(&bed, "provider").await);
    }
    let mut claims = tokio::task::JoinSet::new();
    for worker in 0..3 {
        let (store, ids) = (connect(&bed.database), ids.clone());
        claims.spawn(async move {
            let claimant = Claimant::ordinary(&format!("worker-{worker}"));
            let mut started = 0;
            // A few at a time, as by the slots of one worker.
            for some in ids.chunks(15) {
                let mine = some.iter().skip(worker).step_by(3).map(|id| store.claim(*id, 0, &claimant));
                let answers = futures::future::join_all(mine).await;
                started += answers.into_iter().filter(|lease| lease.as_ref().unwrap().is_some()).count();
            }
            started
        });
    }
    assert_eq!(claims.join_all().await.into_iter().sum::<usize>(), 5);
    let parked = "SELECT count(*) FROM tasks WHERE status = 'waiting' AND status_reason = 'rate_limited' AND attempt = 0";
    assert_eq!(bed.number(parked).await, 25, "the others wait, and it costs them nothing");
}

#[tokio::test]
async fn the_limits_of_a_key_and_an_agent_hold_together() {
    let bed = Bed::make().await;
    let agent = bed.agent.to_string();
    rate(&bed, LimitKind::Agent, &agent, 4, 60).await;
    rate(&bed, LimitKind::Key, "provider", 2, 600).await;
    let with_key =
        [keyed(&bed, "provider").await, keyed(&bed, "provider").await, keyed(&bed, "provider").await];
    let without = [bed.enqueue().await, bed.enqueue().await, bed.enqueue().await];
    assert!(claims(&bed, with_key[0]).await && claims(&bed, with_key[1]).await);
    assert!(!claims(&bed, with_key[2]).await);
    assert!(bed.task(with_key[2]).await.detail.unwrap().starts_with("key provider"));
    assert_eq!(
        number_of_starts(&bed, &agent).await,
        2,
        "a start that one limit refuses costs the other nothing"
    );
    assert!(claims(&bed, without[0]).await && claims(&bed, without[1]).await);
    assert!(!claims(&bed, without[2]).await);
    assert!(bed.task(without[2]).await.detail.unwrap().starts_with(&format!("agent {agent}")));
    // The longer wait counts: the agent is free again long before the key.
    seconds_pass(&bed, 61).await;
    bed.reconcile().await;
    bed.assert_stands(with_key[2], PARKED.0, PARKED.1).await;
    assert!(claims(&bed, without[2]).await);
    let duty = bed.enqueue_with(|new| new.performer = hive_domain::task::Performer::Noop).await;
    assert!(claims(&bed, duty).await, "a task without agent and key has no rate");
}

#[tokio::test]
async fn without_tickets_nothing_with_a_rate_is_taken() {
    let bed = Bed::make().await;
    rate(&bed, LimitKind::Key, "provider", 5, 60).await;
    let (limited, free) = (keyed(&bed, "provider").await, bed.enqueue().await);
    for oldest in [false, true] {
        let claimed = bed.store.claim_next(&Claimant::ordinary(WORKER), 10, oldest).await.unwrap();
        assert_eq!(claimed.iter().map(Lease::task).collect::<Vec<_>>(), [free]);
        bed.settle_with(&claimed[0], &outcome("yield")).await;
    }
    assert!(claims(&bed, limited).await);
}

#[tokio::test]
async fn what_has_a_rate_is_asked_for_by_itself_and_parked_when_the_rate_is_used_up() {
    let bed = Bed::make().await;
    let worker = Claimant::ordinary(WORKER);
    let free = bed.enqueue().await;
    assert!(bed.store.claim_next_rated(&worker).await.unwrap().is_none(), "nothing has a rate");
    rate(&bed, LimitKind::Key, "provider", 1, 60).await;
    let (first, second) = (keyed(&bed, "provider").await, keyed(&bed, "provider").await);
    assert!(bed.store.claim_next_rated(&crate::bed::isolated()).await.unwrap().is_none());
    let fleet = PauseScope { kind: "fleet".to_owned(), name: String::new() };
    bed.store.pause(&fleet, PauseMode::Drain, "", None, "ada").await.unwrap();
    assert!(bed.store.claim_next_rated(&worker).await.unwrap().is_none(), "the fleet is paused");
    bed.store.resume(&fleet).await.unwrap();

    assert_eq!(bed.store.claim_next_rated(&worker).await.unwrap().unwrap().task(), first);
    assert!(bed.store.claim_next_rated(&worker).await.unwrap().is_none());
    bed.assert_stands(second, PARKED.0, PARKED.1).await;
    bed.assert_stands(free, TaskStatus::Ready, None).await;
    seconds_pass(&bed, 61).await;
    bed.reconcile().await;
    assert_eq!(bed.store.claim_next_rated(&worker).await.unwrap().unwrap().task(), second);
}

#[tokio::test]
async fn a_stale_ticket_takes_no_start() {
    let bed = Bed::make().await;
    rate(&bed, LimitKind::Key, "provider", 1, 60).await;
    let id = keyed(&bed, "provider").await;
    let worker = Claimant::ordinary(WORKER);
    assert!(bed.store.claim(id, 7, &worker).await.unwrap().is_none());
    assert!(bed.store.claim(id, 0, &crate::bed::isolated()).await.unwrap().is_none());
    assert_eq!(number_of_starts(&bed, "provider").await, 0);
    bed.assert_stands(id, TaskStatus::Ready, None).await;
    let (a, b) = tokio::join!(bed.store.claim(id, 0, &worker), bed.store.claim(id, 0, &worker));
    assert_eq!(usize::from(a.unwrap().is_some()) + usize::from(b.unwrap().is_some()), 1);
    assert_eq!(number_of_starts(&bed, "provider").await, 1);
    bed.assert_stands(id, TaskStatus::Running, None).await;
}

#[tokio::test]
async fn a_higher_rate_and_its_end_let_those_go_on_that_the_old_one_parked() {
    let bed = Bed::make().await;
    rate(&bed, LimitKind::Key, "mistyped", 1, 86_400).await;
    rate(&bed, LimitKind::Key, "mistyped too", 1, 86_400).await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(keyed(&bed, "mistyped").await);
    }
    let others = [keyed(&bed, "mistyped too").await, keyed(&bed, "mistyped too").await];
    assert!(claims(&bed, ids[0]).await && claims(&bed, others[0]).await);
    for id in ids[1..].iter().chain(&others[1..]) {
        assert!(!claims(&bed, *id).await);
    }
    let days = places_in_line(&bed, &[ids[5]]).await;
    assert!(days[0] > 4.0 * 86_400.0, "{days:?}");

    // Three in a minute, of which one has started: the rest keep their order, and none waits for its old day.
    rate(&bed, LimitKind::Key, "mistyped", 3, 60).await;
    bed.reconcile().await;
    assert!(claims(&bed, ids[1]).await && claims(&bed, ids[2]).await);
    assert!(!claims(&bed, ids[3]).await, "the new rate holds");
    let line = places_in_line(&bed, &ids).await;
    assert!(line.iter().all(|place| *place < 130.0), "{line:?}");
    bed.assert_stands(others[1], PARKED.0, PARKED.1).await;

    // A lower rate hastens nobody, and none at all lets everybody go.
    rate(&bed, LimitKind::Key, "mistyped", 1, 3_600).await;
    bed.reconcile().await;
    bed.assert_stands(ids[5], PARKED.0, PARKED.1).await;
    assert!(bed.store.drop_task_limit(LimitKind::Key, "mistyped").await.unwrap());
    bed.store.set_task_limit(LimitKind::Key, "mistyped", Some(9), None).await.unwrap();
    bed.reconcile().await;
    for id in &ids[3..] {
        assert!(claims(&bed, *id).await);
    }
    bed.assert_stands(others[1], PARKED.0, PARKED.1).await;
    assert!(places_in_line(&bed, &others).await[0] > 80_000.0, "the line of another key stands");
}
