//! Concurrency keys: how many tasks of a key hold a place, and who is next.

use std::collections::BTreeSet;

use hive_domain::{Lease, Outcome, Priority, StatusReason, TaskId, TaskStatus};
use hive_store::{Claimant, LimitKind};

use crate::bed::{Bed, WORKER, connect, outcome};

const AT_THE_GATE: (TaskStatus, Option<StatusReason>) =
    (TaskStatus::Pending, Some(StatusReason::Concurrency));

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn keyed(bed: &Bed, key: &str) -> TaskId {
    bed.enqueue_with(|new| new.concurrency_key = Some(key.to_owned())).await
}

async fn keyed_many<const N: usize>(bed: &Bed, key: &str) -> [TaskId; N] {
    let mut ids = Vec::new();
    for _ in 0..N {
        ids.push(keyed(bed, key).await);
    }
    ids.try_into().unwrap()
}

/// The tasks of this key that hold a place.
async fn holders(bed: &Bed, key: &str) -> BTreeSet<TaskId> {
    let held: Vec<uuid::Uuid> = sqlx::query_scalar(
        "SELECT id FROM tasks WHERE concurrency_key = $1 AND status IN ('ready', 'running')",
    )
    .bind(key)
    .fetch_all(&bed.pool)
    .await
    .unwrap();
    held.into_iter().map(TaskId::from).collect()
}

async fn limit(bed: &Bed, key: &str, most: i32) {
    bed.store.set_task_limit(LimitKind::Key, key, Some(most), None).await.unwrap();
}

#[tokio::test]
async fn a_key_without_a_limit_has_one_place() {
    let bed = Bed::make().await;
    let [first, second] = keyed_many(&bed, "repo").await;
    bed.assert_stands(first, TaskStatus::Ready, None).await;
    bed.assert_stands(second, AT_THE_GATE.0, AT_THE_GATE.1).await;
    assert_eq!(bed.event_kinds(first).await, ["task.created", "task.ready"]);
    let epoch = bed.task(second).await.epoch;
    let refused = bed.store.claim(second, epoch, &Claimant::ordinary(WORKER)).await.unwrap();
    assert!(refused.is_none(), "a ticket does not pass the gate");
    let other = keyed(&bed, "other repo").await;
    bed.assert_stands(other, TaskStatus::Ready, None).await;

    let lease = bed.claim(first).await;
    assert!(bed.reconcile().await.released.is_empty(), "the place is held by who runs");
    let settled = bed.store.settle(&lease, &outcome("done")).await.unwrap();
    assert_eq!(settled.freed_key.as_deref(), Some("repo"));
    let admitted = bed.store.admit(&keys(&["repo"])).await.unwrap();
    assert_eq!(admitted.iter().map(|ticket| (ticket.task, ticket.epoch)).collect::<Vec<_>>(), [(second, 0)]);
    bed.assert_stands(second, TaskStatus::Ready, None).await;
    assert_eq!(bed.event_kinds(second).await, ["task.created", "task.ready"]);
    assert!(bed.store.admit(&keys(&["repo", "other repo"])).await.unwrap().is_empty());
    assert!(bed.store.admit(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_limit_is_raised_and_lowered() {
    let bed = Bed::make().await;
    limit(&bed, "repo", 3).await;
    let ids: [TaskId; 8] = keyed_many(&bed, "repo").await;
    assert_eq!(holders(&bed, "repo").await, ids[..3].iter().copied().collect());
    limit(&bed, "repo", 5).await;
    bed.reconcile().await;
    assert_eq!(holders(&bed, "repo").await, ids[..5].iter().copied().collect());
    // Lowered: nothing is taken away, and nothing is given until there are fewer than the limit.
    limit(&bed, "repo", 2).await;
    for ended in &ids[..4] {
        assert!(bed.reconcile().await.released.is_empty());
        bed.settle(*ended, &outcome("done")).await;
    }
    bed.reconcile().await;
    assert_eq!(holders(&bed, "repo").await, [ids[4], ids[5]].into());
    // A rate alone is no limit of this kind, and without a row the limit is one.
    let rate = hive_store::Rate { max_starts: 9, per_seconds: 9 };
    bed.store.set_task_limit(LimitKind::Key, "repo", None, Some(rate)).await.unwrap();
    bed.reconcile().await;
    assert_eq!(holders(&bed, "repo").await.len(), 2);
    assert!(bed.store.drop_task_limit(LimitKind::Key, "repo").await.unwrap());
    bed.settle(ids[4], &outcome("done")).await;
    bed.reconcile().await;
    assert_eq!(holders(&bed, "repo").await, [ids[5]].into());
}

#[tokio::test]
async fn waiting_releases_the_place_and_its_end_asks_for_one_again() {
    let bed = Bed::make().await;
    let [first, second] = keyed_many(&bed, "repo").await;
    for name in ["wait", "retry"] {
        bed.settle(first, &outcome(name)).await;
        bed.reconcile().await;
        assert_eq!(holders(&bed, "repo").await, [second].into(), "{name}");
        bed.let_time_pass(first).await;
        bed.reconcile().await;
        bed.assert_stands(first, AT_THE_GATE.0, AT_THE_GATE.1).await;
        assert_eq!(bed.event_kinds(first).await.last().unwrap(), "task.waiting");
        bed.settle(second, &outcome("wait")).await;
        bed.reconcile().await;
        assert_eq!(holders(&bed, "repo").await, [first].into(), "{name}");
        bed.let_time_pass(second).await;
        bed.reconcile().await;
        bed.assert_stands(second, AT_THE_GATE.0, AT_THE_GATE.1).await;
    }
}

#[tokio::test]
async fn whoever_is_handed_back_or_lost_keeps_its_place() {
    let bed = Bed::make().await;
    let [first, second] = keyed_many(&bed, "repo").await;
    for outcome in [Outcome::Yield, Outcome::Halt] {
        let lease = bed.claim(first).await;
        assert_eq!(bed.store.settle(&lease, &outcome).await.unwrap().freed_key, None);
        bed.reconcile().await;
        assert_eq!(holders(&bed, "repo").await, [first].into());
    }
    for _ in 0..2 {
        bed.claim(first).await;
        bed.orphan(first).await;
        assert_eq!(holders(&bed, "repo").await, [first].into(), "an orphan, and a suspect");
    }
    bed.claim_isolated(first).await;
    bed.orphan(first).await;
    bed.claim_isolated(first).await;
    bed.orphan(first).await;
    bed.assert_stands(first, TaskStatus::Dead, Some(StatusReason::Poison)).await;
    assert_eq!(holders(&bed, "repo").await, [second].into(), "its death frees the place in the same pass");
}

#[tokio::test]
async fn each_end_frees_the_place() {
    let bed = Bed::make().await;
    for how in ["cancelled while ready", "cancelled while it runs", "deadline", "fail"] {
        let [first, second] = keyed_many(&bed, how).await;
        if how != "cancelled while ready" {
            bed.claim(first).await;
        }
        match how {
            "deadline" => {
                bed.execute(&format!(
                    "UPDATE tasks SET deadline = now() - interval '1 s' WHERE id = '{first}'"
                ))
                .await;
            }
            "fail" => {
                let lease = Lease::new((), first, 1, 1);
                let settled = bed.store.settle(&lease, &outcome("fail")).await.unwrap();
                assert_eq!(settled.freed_key.as_deref(), Some(how));
            }
            _ => drop(bed.store.cancel(first, "ada").await.unwrap()),
        }
        let pass = bed.reconcile().await;
        assert!(pass.released.contains(&second), "{how}");
        assert!(pass.announce.iter().any(|ticket| ticket.task == second), "{how}: with its ticket");
        assert_eq!(holders(&bed, how).await, [second].into(), "{how}");
    }
}

#[tokio::test]
async fn the_most_urgent_and_then_the_oldest_is_next() {
    let bed = Bed::make().await;
    let holder = keyed(&bed, "repo").await;
    let mut waiting = Vec::new();
    for priority in [5, 9, 1, 5, 1] {
        let id = bed
            .enqueue_with(|new| {
                new.priority = Priority::try_from(priority).unwrap();
                new.concurrency_key = Some("repo".to_owned());
            })
            .await;
        waiting.push((priority, id));
    }
    waiting.sort();
    bed.settle(holder, &outcome("done")).await;
    for (_, next) in waiting {
        let admitted = bed.store.admit(&keys(&["repo"])).await.unwrap();
        assert_eq!(admitted.iter().map(|ticket| ticket.task).collect::<Vec<_>>(), [next]);
        bed.settle(next, &outcome("done")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_place_is_never_given_twice() {
    let bed = Bed::make().await;
    let stores = [connect(&bed.database), connect(&bed.database)];
    for (key, most) in [("one", 1), ("three", 3)] {
        if most > 1 {
            limit(&bed, key, most).await;
        }
        let ids: Vec<TaskId> = keyed_many::<20>(&bed, key).await.into();
        for _ in 0..4 {
            // Whoever holds a place ends; the places are free all at once.
            for id in holders(&bed, key).await {
                bed.settle(id, &outcome("done")).await;
            }
            let mut admissions = tokio::task::JoinSet::new();
            for n in 0..16 {
                let store = stores[n % 2].clone();
                let asked = keys(if n % 4 < 2 { &["one", "three"] } else { &["three", "one"] });
                admissions.spawn(async move { store.admit(&asked).await.unwrap() });
            }
            let mut admitted: Vec<TaskId> = admissions
                .join_all()
                .await
                .into_iter()
                .flatten()
                .map(|ticket| ticket.task)
                .filter(|id| ids.contains(id))
                .collect();
            admitted.sort();
            let held: Vec<TaskId> = holders(&bed, key).await.into_iter().collect();
            assert_eq!(held.len(), usize::try_from(most).unwrap());
            assert_eq!(admitted, held, "each by one admission");
        }
    }
}

/// Each that comes asks for a place at once, and sees others that the ones before it did not see.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_come_together_one_gets_the_place() {
    let bed = Bed::make().await;
    let stores = [connect(&bed.database), connect(&bed.database)];
    for round in 0..4 {
        let key = format!("key {round}");
        let mut arrivals = tokio::task::JoinSet::new();
        for n in 0..16 {
            let (store, mut new) = (stores[n % 2].clone(), bed.new_task());
            new.concurrency_key = Some(key.clone());
            new.priority = Priority::try_from(9 - n as i64 / 2).unwrap();
            arrivals.spawn(async move { store.enqueue(&new).await.unwrap() });
        }
        arrivals.join_all().await;
        assert_eq!(holders(&bed, &key).await.len(), 1, "round {round}");
    }
}

/// An admission that waits for another one sees what that one gave away.
#[tokio::test]
async fn admissions_of_a_key_look_one_after_the_other() {
    let bed = Bed::make().await;
    let [holder, one, other] = keyed_many(&bed, "repo").await;
    bed.settle(holder, &outcome("done")).await;
    let mut before = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('hive.key:repo', 0))")
        .execute(&mut *before)
        .await
        .unwrap();
    let store = bed.store.clone();
    let admission = tokio::spawn(async move { store.admit(&keys(&["repo"])).await });
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE wait_event = 'advisory' AND datname = current_database()";
    while bed.number(waits).await == 0 {
        assert!(!admission.is_finished(), "it waits for the key");
        tokio::task::yield_now().await;
    }
    sqlx::query("UPDATE tasks SET status = 'ready', status_reason = NULL WHERE id = $1")
        .bind(other.uuid())
        .execute(&mut *before)
        .await
        .unwrap();
    before.commit().await.unwrap();
    // Given up after the lock timeout at the worst, on a very slow machine.
    assert!(admission.await.unwrap().map_or(true, |admitted| admitted.is_empty()));
    assert_eq!(holders(&bed, "repo").await, [other].into());
    bed.assert_stands(one, AT_THE_GATE.0, AT_THE_GATE.1).await;
}

/// One busy repository with twenty tasks does not keep another one from its slot.
#[tokio::test]
async fn a_full_key_holds_up_nobody_else() {
    let bed = Bed::make().await;
    let busy: [TaskId; 20] = keyed_many(&bed, "repository a").await;
    let other = keyed(&bed, "repository b").await;
    let worker = Claimant::ordinary(WORKER);
    let claimed = bed.store.claim_next(&worker, 4, false).await.unwrap();
    let mut tasks: Vec<TaskId> = claimed.iter().map(Lease::task).collect();
    tasks.sort();
    assert_eq!(tasks, [busy[0], other], "of four slots one goes to each repository");
    let mut running = claimed.into_iter().find(|lease| lease.task() == busy[0]).unwrap();
    for next in &busy[1..] {
        bed.reconcile().await;
        assert!(bed.store.claim_next(&worker, 4, false).await.unwrap().is_empty(), "no two overlap");
        bed.settle_with(&running, &outcome("done")).await;
        bed.reconcile().await;
        let mut claimed = bed.store.claim_next(&worker, 4, false).await.unwrap();
        assert_eq!(claimed.len(), 1);
        running = claimed.remove(0);
        assert_eq!(running.task(), *next);
    }
}

/// A pass looks at the keys that have a place to give, however many full ones come before them.
#[tokio::test]
async fn many_full_keys_do_not_keep_a_free_one_from_being_seen() {
    let bed = Bed::make().await;
    bed.execute(
        "INSERT INTO tasks (id, project_id, title, duty, created_by, status, status_reason, concurrency_key)
         SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'a task', 'noop', 'a test',
                status::task_status, reason::status_reason, 'full ' || to_char(n, 'FM0000')
         FROM generate_series(1, 600) AS n, (VALUES ('ready', NULL), ('pending', 'concurrency')) AS s (status, reason)",
    )
    .await;
    let [first, second] = keyed_many(&bed, "zone").await;
    bed.store.cancel(first, "ada").await.unwrap();
    let pass = bed.reconcile().await;
    assert_eq!(pass.released, [second]);
}

#[tokio::test]
async fn a_completion_waits_for_its_place_too() {
    let bed = Bed::make().await;
    let [first, second] = keyed_many(&bed, "repo").await;
    bed.settle(first, &outcome("fail")).await;
    bed.reconcile().await;
    bed.claim(second).await;
    let task = bed.store.request_completion(first, "ada").await.unwrap();
    assert_eq!((task.status, task.reason), AT_THE_GATE);
    bed.store.cancel(second, "ada").await.unwrap();
    bed.reconcile().await;
    let task = bed.task(first).await;
    assert_eq!((task.status, task.verify_only), (TaskStatus::Ready, true));
}
