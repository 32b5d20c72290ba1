//! One pass, as the loop calls it.

use hive_store::Claimant;
use std::time::{Duration, Instant};

use hive_domain::{StatusReason, TaskId, TaskStatus};
use hive_local::{RedisData, testing::PrivateRedis};
use hive_queue::{Lane, Notice, Subscription};
use hive_scheduler::{
    Doors,
    duties::{Pass, janitor, reconcile},
};

use crate::stage::{PATIENCE, Stage, becomes, enqueue, ready_without_ticket, tickets};

/// Passes until one did what is asked for; a pass before its time does nothing.
async fn pass_until(doors: &Doors, done: impl Fn(&Pass) -> bool) -> Pass {
    let start = Instant::now();
    loop {
        let pass = reconcile(doors).await.unwrap();
        if done(&pass) {
            return pass;
        }
        assert!(start.elapsed() < PATIENCE, "the last pass was {pass:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Reads live events until one names the task.
async fn told(events: &mut Subscription, task: TaskId) {
    let expected = serde_json::json!({ "task_id": task }).to_string();
    let found = async {
        loop {
            if let Notice::Message { payload, .. } = events.recv().await
                && payload == expected
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("nobody was told");
}

async fn listening(doors: &Doors) -> Subscription {
    let mut events = doors.queue.subscribe(&["task_updates"]);
    let first = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap();
    assert_eq!(first, Notice::Gap, "the subscription stands");
    events
}

#[tokio::test]
async fn an_expired_lease_is_taken_back_and_announced() {
    let stage = Stage::set().await;
    let doors = stage.doors();
    let mut events = listening(&doors).await;
    let task = enqueue(&doors.store, 2, None).await;
    let lease = doors.store.claim(task.id, task.epoch, &Claimant::ordinary("dies")).await.unwrap().unwrap();
    assert_eq!(reconcile(&doors).await.unwrap(), Pass::default(), "a lease that runs is left alone");

    // The worker never renews.
    let pass = pass_until(&doors, |pass| pass.orphaned == 1).await;
    assert_eq!((pass.released, pass.announced, pass.backlog), (0, 1, None));
    let back = doors.store.task(task.id).await.unwrap();
    assert_eq!((back.status, back.reason), (TaskStatus::Ready, Some(StatusReason::Orphaned)));
    let depth = doors.queue.depth().await.unwrap();
    assert_eq!(depth[Lane::Urgent.index()], 1, "priority 2 goes into its lane: {depth:?}");
    told(&mut events, task.id).await;
    let again = doors.store.claim(task.id, lease.epoch(), &Claimant::ordinary("lives")).await.unwrap();
    assert!(again.is_some(), "the ticket's epoch is the one that can be claimed");
}

#[tokio::test]
async fn a_delayed_task_is_announced_when_its_time_comes() {
    let stage = Stage::set().await;
    let doors = stage.doors();
    let mut events = listening(&doors).await;
    let start = Instant::now();
    let delay = Duration::from_millis(1_500);
    let task = enqueue(&doors.store, 9, Some(delay)).await;
    assert_eq!(task.status, TaskStatus::Pending);

    let pass = pass_until(&doors, |pass| pass.released == 1).await;
    assert!(start.elapsed() >= Duration::from_millis(1_400), "released after {:?}", start.elapsed());
    assert_eq!((pass.orphaned, pass.announced), (0, 1));
    assert_eq!(doors.store.task(task.id).await.unwrap().status, TaskStatus::Ready);
    assert_eq!(doors.queue.depth().await.unwrap()[Lane::Low.index()], 1);
    told(&mut events, task.id).await;
}

#[tokio::test]
async fn two_schedulers_announce_each_task_once() {
    const TASKS: usize = 300;
    let stage = Stage::set().await;
    let (one, two) = (stage.doors(), stage.doors());
    ready_without_ticket(&one, &[(5, TASKS)]).await;
    let (a, b) = tokio::join!(reconcile(&one), reconcile(&two));
    let mut announced = a.unwrap().announced + b.unwrap().announced;
    // A row that one of them held while the other looked is left for the next pass.
    announced += reconcile(&one).await.unwrap().announced;
    assert_eq!(announced, TASKS);
    assert_eq!(tickets(&one).await, TASKS as u64);
}

#[tokio::test]
async fn two_schedulers_release_each_task_once() {
    const TASKS: usize = 100;
    let stage = Stage::set().await;
    let (one, two) = (stage.doors(), stage.doors());
    for _ in 0..TASKS {
        enqueue(&one.store, 5, Some(Duration::from_secs(3))).await;
    }
    let (mut released, start) = (0, Instant::now());
    while released < TASKS {
        assert!(start.elapsed() < PATIENCE, "{released} of {TASKS}");
        let (a, b) = tokio::join!(reconcile(&one), reconcile(&two));
        released += a.unwrap().released + b.unwrap().released;
    }
    assert_eq!(reconcile(&one).await.unwrap().released, 0);
    assert_eq!(released, TASKS);
    assert_eq!(tickets(&one).await, TASKS as u64);
}

#[tokio::test]
async fn a_backlog_comes_in_portions_that_the_lanes_can_take() {
    let stage = Stage::set().await;
    let doors = stage.doors();
    ready_without_ticket(&doors, &[(5, 150)]).await;
    let narrow = Doors { feed_cap: 10, ..doors.clone() };
    let pass = reconcile(&narrow).await.unwrap();
    assert_eq!(pass.announced, 10, "the room of its lane, and of no other");

    let pass = reconcile(&doors).await.unwrap();
    assert_eq!(pass.announced, 100);
    assert_eq!(pass.backlog, Some(Lane::Normal), "more wait, all for the normal lane");
    let pass = reconcile(&doors).await.unwrap();
    assert_eq!((pass.announced, pass.backlog), (40, None));
    assert_eq!(tickets(&doors).await, 150);
}

#[tokio::test]
async fn without_redis_leases_end_and_times_come_all_the_same() {
    let mut redis = tokio::task::spawn_blocking(PrivateRedis::start).await.unwrap().unwrap();
    let stage = Stage::with_redis(redis.url()).await;
    let doors = stage.doors();
    let lost = enqueue(&doors.store, 5, None).await;
    doors.store.claim(lost.id, lost.epoch, &Claimant::ordinary("dies")).await.unwrap().unwrap();
    let due = enqueue(&doors.store, 5, Some(Duration::from_millis(300))).await;

    // Connections stay open and nothing is answered.
    doors.queue.ping().await.unwrap();
    redis.freeze();
    let start = Instant::now();
    let pass = pass_until(&doors, |pass| pass.released == 1).await;
    assert_eq!(pass.announced, 0);
    assert!(start.elapsed() < Duration::from_secs(4), "a pass waited for Redis: {:?}", start.elapsed());
    assert_eq!(doors.store.task(due.id).await.unwrap().status, TaskStatus::Ready);

    // Connections are refused.
    redis.kill();
    let pass = pass_until(&doors, |pass| pass.orphaned == 1).await;
    assert_eq!(pass.announced, 0);
    becomes(&doors.store, lost.id, TaskStatus::Ready).await;
    janitor(&doors).await.expect_err("Redis cannot be swept while it is away");

    // Nothing was marked as announced meanwhile, so both get their tickets in one pass.
    redis.start(RedisData::Wipe).unwrap();
    let pass = pass_until(&doors, |pass| pass.announced > 0).await;
    assert_eq!(pass.announced, 2);
    assert_eq!(tickets(&doors).await, 2);
    janitor(&doors).await.unwrap();
}

#[tokio::test]
async fn a_ticket_that_redis_lost_is_written_again() {
    let mut redis = tokio::task::spawn_blocking(PrivateRedis::start).await.unwrap().unwrap();
    let stage = Stage::with_redis(redis.url()).await;
    let doors = stage.doors();
    ready_without_ticket(&doors, &[(5, 1)]).await;
    assert_eq!(reconcile(&doors).await.unwrap().announced, 1);
    assert_eq!(reconcile(&doors).await.unwrap().announced, 0, "a fresh ticket is trusted");

    redis.kill();
    redis.start(RedisData::Wipe).unwrap();
    pass_until(&doors, |pass| pass.announced == 1).await;
    assert_eq!(tickets(&doors).await, 1);
}
