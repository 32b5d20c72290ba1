//! A process that is frozen in a transaction keeps its rows from others for a bounded time.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use hive_domain::{ActionKind, TaskId};
use hive_store::{Attempt, KeptAnswer, NewBulkAction, Store, TaskFilter};
use sqlx::{Connection, PgConnection};

use crate::bed::{Bed, eventually};

/// Begins `work` in a thread of its own, which is frozen as soon as a statement of it waits for the row of `task` that we
/// hold. Then the row is given back, so that only the frozen one has it. Returns how long it kept it.
async fn kept_by_a_frozen_client<F>(
    bed: &Bed,
    task: TaskId,
    work: impl FnOnce(Store) -> F + Send + 'static,
) -> Duration
where
    F: Future<Output = ()>,
{
    let mut ours = PgConnection::connect(&bed.database.url).await.unwrap();
    let mut held = ours.begin().await.unwrap();
    let lock = "SELECT 1 FROM tasks WHERE id = $1 FOR NO KEY UPDATE";
    sqlx::query(lock).bind(task.uuid()).execute(&mut *held).await.unwrap();

    let url = bed.database.url.clone();
    let (freeze, frozen) = mpsc::channel::<()>();
    let (thaw, thawed) = mpsc::channel::<()>();
    let client = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let store = Store::connect_lazy(&hive_store::Config::new(url)).unwrap();
            let mut work = std::pin::pin!(work(store));
            let look = Duration::from_millis(5);
            while frozen.try_recv().is_err() {
                if tokio::time::timeout(look, &mut work).await.is_ok() {
                    return;
                }
            }
            // Nothing of this runtime goes on until the end of the test.
            let _ = thawed.recv_timeout(Duration::from_secs(60));
        });
    });
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'hive'";
    eventually("somebody waits for the row", async || bed.number(waits).await == 1).await;
    freeze.send(()).unwrap();
    thread::sleep(Duration::from_millis(50));
    held.rollback().await.unwrap();
    let idle = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state = 'idle in transaction' AND application_name = 'hive'";
    eventually("the frozen one has it", async || bed.number(idle).await == 1).await;
    let since = Instant::now();
    let free =
        "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED) AS row";
    eventually("the row is free again", async || {
        sqlx::query_scalar::<_, i64>(free).bind(task.uuid()).fetch_one(&bed.pool).await.unwrap() == 1
    })
    .await;
    let kept = since.elapsed();
    thaw.send(()).unwrap();
    client.join().unwrap();
    kept
}

#[tokio::test]
async fn a_frozen_slice_gives_its_tasks_back_after_three_seconds() {
    let bed = Bed::make().await;
    let task = bed.enqueue().await;
    let action = NewBulkAction {
        kind: ActionKind::Cancel,
        filter: TaskFilter::default(),
        shown: serde_json::json!({}),
        priority: None,
        created_by: "ada".to_owned(),
    };
    let Attempt::First(mut once) = bed.store.attempt(None).await.unwrap() else {
        panic!("no key, no answer")
    };
    once.begin_bulk_action(&action).await.unwrap();
    once.finish(&KeptAnswer { status: 202, location: None, body: String::new() }).await.unwrap();
    let kept = kept_by_a_frozen_client(&bed, task, |store| async move {
        let _ = store.work_on_bulk_actions().await;
    })
    .await;
    assert!(kept < Duration::from_millis(4_500), "{kept:?}");
}

#[tokio::test]
async fn a_frozen_request_gives_its_tasks_back_after_five_seconds() {
    let bed = Bed::make().await;
    let task = bed.enqueue().await;
    let kept = kept_by_a_frozen_client(&bed, task, move |store| async move {
        let Ok(Attempt::First(mut once)) = store.attempt(None).await else { return };
        let _ = once.cancel(task, "ada").await;
    })
    .await;
    assert!(kept < Duration::from_millis(8_000), "{kept:?}");
}
