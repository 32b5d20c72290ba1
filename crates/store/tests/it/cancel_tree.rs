//! A task that is cancelled takes with it what belongs to it.

use hive_domain::{StatusReason, TaskId, TaskStatus};
use hive_store::{Attempt, Error, NewStep};

use crate::bed::{Bed, connect, note, outcome};

async fn child(bed: &Bed, parent: TaskId) -> TaskId {
    bed.enqueue_with(|new| new.parent = Some(parent)).await
}

#[tokio::test]
async fn all_that_is_open_below_it_ends_with_it_and_says_why() {
    let bed = Bed::make().await;
    let root = bed.enqueue().await;
    let (running, waiting, done) =
        (child(&bed, root).await, child(&bed, root).await, child(&bed, root).await);
    let deep = child(&bed, done).await;
    let deeper = bed
        .enqueue_with(|new| {
            new.parent = Some(deep);
            new.dependencies = vec![root];
        })
        .await;
    let bystander = bed.enqueue().await;
    let mut lease = bed.claim(running).await;
    bed.settle(waiting, &outcome("wait")).await;
    bed.settle(done, &outcome("done")).await;
    let kept = bed.rows(done).await["task"].clone();

    let Attempt::First(mut once) = bed.store.attempt(None).await.unwrap() else {
        panic!("no key, no answer")
    };
    let cancelled = once.cancel(root, "ada").await.unwrap();
    once.finish(&hive_store::KeptAnswer { status: 200, location: None, body: String::new() }).await.unwrap();
    let mut told: Vec<TaskId> = cancelled.changed.iter().map(|changed| changed.task).collect();
    told.sort();
    let mut expected = vec![root, running, waiting, deep, deeper];
    expected.sort();
    assert_eq!(told, expected);
    bed.assert_stands(root, TaskStatus::Cancelled, Some(StatusReason::Requested)).await;
    for id in [running, waiting, deep, deeper] {
        bed.assert_stands(id, TaskStatus::Cancelled, Some(StatusReason::ParentCancelled)).await;
        let event = bed.events(id).await.pop().unwrap();
        assert_eq!(event.kind, "task.cancelled");
        assert_eq!(event.data, serde_json::json!({ "actor": "ada", "reason": "parent_cancelled" }));
        let seq = cancelled.changed.iter().find(|changed| changed.task == id).unwrap().event_seq;
        assert_eq!(seq, event.seq, "watchers are told the event that there is");
        assert!(
            bed.row_holds(id, "worker IS NULL AND lease_until IS NULL AND completed_at IS NOT NULL").await
        );
    }
    assert_eq!(bed.rows(done).await["task"], kept, "what had ended stays as it ended");
    bed.assert_stands(bystander, TaskStatus::Ready, None).await;

    let late = bed.store.append(&mut lease, &NewStep::plain(&note("late"))).await.unwrap_err();
    assert!(matches!(late, Error::Fenced { .. }), "{late:?}");
    assert_eq!(bed.store.renew(&[(running, lease.epoch())]).await.unwrap(), []);
    assert_eq!(bed.store.cancel(root, "eve").await.unwrap().status, TaskStatus::Cancelled);
    assert_eq!(
        bed.store.cancel(deep, "eve").await.unwrap().status,
        TaskStatus::Cancelled,
        "twice is no error"
    );
    assert_eq!(bed.events(deep).await.len(), 2);
}

/// Children come while the tree is being cancelled. Each is refused or cancelled; none is left to run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_child_slips_through() {
    let bed = Bed::make().await;
    for _ in 0..15 {
        let root = bed.enqueue().await;
        let inner = child(&bed, root).await;
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(7));
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..6 {
            let (store, start) = (bed.store.clone(), std::sync::Arc::clone(&start));
            let news: Vec<_> = (0..4)
                .map(|_| {
                    let mut new = bed.new_task();
                    new.parent = Some(if n % 2 == 0 { root } else { inner });
                    new
                })
                .collect();
            writers.spawn(async move {
                start.wait().await;
                for new in news {
                    match if n < 3 {
                        store.enqueue(&new).await.map(drop)
                    } else {
                        store.enqueue_many(&[new]).await.map(drop)
                    } {
                        Ok(())
                        | Err(Error::Invalid { .. } | Error::InvalidEntries(_) | Error::Conflict { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
        start.wait().await;
        bed.store.cancel(root, "ada").await.unwrap();
        writers.join_all().await;
        let open = "SELECT count(*) FROM tasks WHERE parent_id IS NOT NULL AND status <> 'cancelled'";
        assert_eq!(bed.number(open).await, 0);
    }
    assert!(bed.number("SELECT count(*) FROM tasks WHERE parent_id IS NOT NULL").await > 15);
}

/// Trees that overlap, cancelled from several places at once, in several processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancels_of_overlapping_trees_do_not_stand_in_each_other_s_way() {
    let bed = Bed::make().await;
    let stores = [bed.store.clone(), connect(&bed.database)];
    for _ in 0..10 {
        let root = bed.enqueue().await;
        let mut tree = vec![root];
        for n in 0..20 {
            let parent = tree[n / 3];
            tree.push(child(&bed, parent).await);
        }
        let mut cancels = tokio::task::JoinSet::new();
        for (n, id) in tree.iter().copied().enumerate() {
            let store = stores[n % 2].clone();
            cancels.spawn(async move { store.cancel(id, "ada").await });
        }
        for answer in cancels.join_all().await {
            assert_eq!(answer.unwrap().status, TaskStatus::Cancelled);
        }
    }
    let ends = "SELECT count(*) FROM (SELECT task_id FROM events WHERE kind = 'task.cancelled'
                                      GROUP BY task_id HAVING count(*) <> 1) AS odd";
    assert_eq!(bed.number(ends).await, 0, "each is cancelled once");
}
