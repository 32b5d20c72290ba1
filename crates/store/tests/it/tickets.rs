//! Which ready tasks get a ticket: in their lane's room, and first when they have waited too long.

use std::{collections::BTreeSet, time::Duration};

use hive_domain::{Lease, Priority, TaskId};
use hive_store::{Announcement, Look, Room};

use crate::bed::{Bed, look};

const PATIENCE: Duration = Duration::from_secs(5);

/// A ready task of this priority without a fresh ticket, which has been ready for so many seconds.
async fn ready(bed: &Bed, priority: i64, waited: i64) -> TaskId {
    let id = bed.enqueue_with(|new| new.priority = Priority::try_from(priority).unwrap()).await;
    bed.execute(&format!(
        "UPDATE tasks SET announced_at = NULL, run_at = now() - interval '{waited} s' WHERE id = '{id}'"
    ))
    .await;
    id
}

fn tasks(tickets: &[Announcement]) -> Vec<TaskId> {
    tickets.iter().map(|ticket| ticket.task).collect()
}

fn lanes(places: [i64; 4]) -> Vec<Room> {
    let priorities = [(1, 2), (3, 4), (5, 6), (7, 9)];
    priorities.into_iter().zip(places).map(|((from, to), places)| Room { from, to, places }).collect()
}

#[tokio::test]
async fn a_full_lane_takes_no_room_from_the_others() {
    let bed = Bed::make().await;
    let mut in_lane = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for waited in [40, 30, 20, 10] {
        for (lane, priority) in [1, 3, 5, 9].into_iter().enumerate() {
            in_lane[lane].push(ready(&bed, priority, waited).await);
        }
    }
    let first = bed.store.stale_tickets(&lanes([0, 2, -3, 3]), PATIENCE).await.unwrap();
    let expected: Vec<TaskId> = in_lane[1][..2].iter().chain(&in_lane[3][..3]).copied().collect();
    assert_eq!(tasks(&first), expected, "in each lane the oldest, as many as it has room for");
    assert!(first.iter().all(|ticket| !ticket.first && !ticket.isolated));
    let rest = bed.store.stale_tickets(&lanes([100, 100, 100, 100]), PATIENCE).await.unwrap();
    assert_eq!(rest.len(), 16 - 5, "and the others when there is room");
    assert!(bed.store.stale_tickets(&lanes([100; 4]), PATIENCE).await.unwrap().is_empty());
    let again = bed.store.stale_tickets(&lanes([100; 4]), Duration::ZERO).await.unwrap();
    assert_eq!(again.len(), 16, "a ticket older than the patience comes again");
}

#[tokio::test]
async fn what_has_waited_too_long_goes_first_whatever_its_priority() {
    let bed = Bed::make().await;
    let ageing = Duration::from_secs(300);
    let young = ready(&bed, 1, 290).await;
    let (oldest, middle, youngest) =
        (ready(&bed, 9, 900).await, ready(&bed, 2, 600).await, ready(&bed, 6, 310).await);
    let look = Look { rooms: lanes([100; 4]), heads: true, isolated: 0, ageing };
    let announced = bed.store.reconcile(&look).await.unwrap().announce;
    assert_eq!(tasks(&announced), [oldest, middle, youngest, young]);
    let first: Vec<bool> = announced.iter().map(|ticket| ticket.first).collect();
    assert_eq!(first, [true, true, true, false]);
    assert!(bed.store.reconcile(&look).await.unwrap().announce.is_empty(), "each has a fresh ticket");
    bed.execute("UPDATE tasks SET announced_at = now() - interval '6 s'").await;
    assert_eq!(tasks(&bed.store.aged_tickets(ageing, PATIENCE).await.unwrap()), [oldest, middle, youngest]);
    bed.execute("UPDATE tasks SET announced_at = NULL").await;
    let full = Look { rooms: lanes([0; 4]), ..look };
    let heads = bed.store.reconcile(&full).await.unwrap().announce;
    assert_eq!(tasks(&heads), [oldest, middle, youngest], "no lane has room, but at its head");
    bed.execute("UPDATE tasks SET announced_at = NULL").await;
    let away = Look { heads: false, ..full };
    assert!(bed.store.reconcile(&away).await.unwrap().announce.is_empty(), "nobody takes tickets");
}

#[tokio::test]
async fn of_very_many_aged_tasks_the_oldest_come_first() {
    let bed = Bed::make().await;
    bed.execute(
        "INSERT INTO tasks (id, project_id, title, duty, created_by, status, run_at, priority)
         SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'a task', 'noop', 'a test', 'ready',
                now() - interval '1 hour' - n * interval '1 s', 1 + n / 50
         FROM generate_series(1, 300) AS n",
    )
    .await;
    let mut by_age: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM tasks ORDER BY run_at").fetch_all(&bed.pool).await.unwrap();
    let rest = by_age.split_off(200);
    for expected in [by_age, rest] {
        let aged = bed.store.aged_tickets(Duration::from_secs(300), PATIENCE).await.unwrap();
        assert_eq!(tasks(&aged), expected.into_iter().map(TaskId::from).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_suspect_is_never_aged() {
    let bed = Bed::make().await;
    let id = ready(&bed, 1, 900).await;
    bed.execute("UPDATE tasks SET isolated = true").await;
    assert!(bed.store.aged_tickets(Duration::from_secs(1), PATIENCE).await.unwrap().is_empty());
    assert_eq!(bed.store.oldest_ready().await.unwrap(), Duration::ZERO, "it waits for no ordinary worker");
    assert_eq!(tasks(&bed.store.isolated_tickets(10, PATIENCE).await.unwrap()), [id]);
    assert!(bed.store.isolated_tickets(0, Duration::ZERO).await.unwrap().is_empty());
    assert!(bed.store.isolated_tickets(-1, Duration::ZERO).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_oldest_says_how_long_it_has_waited() {
    let bed = Bed::make().await;
    assert_eq!(bed.store.oldest_ready().await.unwrap(), Duration::ZERO);
    let (old, older) = (ready(&bed, 5, 100).await, ready(&bed, 9, 1_000).await);
    let seconds = async || bed.store.oldest_ready().await.unwrap().as_secs();
    assert!((1_000..1_100).contains(&seconds().await));
    let low = hive_store::PauseScope { kind: "lane".to_owned(), name: "low".to_owned() };
    bed.store.pause(&low, hive_domain::PauseMode::Drain, "", None, "ada").await.unwrap();
    assert!((100..200).contains(&seconds().await), "what a pause covers waits for no worker");
    bed.store.resume(&low).await.unwrap();
    bed.claim(older).await;
    assert!((100..200).contains(&seconds().await));
    bed.claim(old).await;
    assert_eq!(seconds().await, 0);
    let future = bed.enqueue().await;
    bed.execute(&format!("UPDATE tasks SET run_at = now() + interval '1 hour' WHERE id = '{future}'")).await;
    assert_eq!(seconds().await, 0, "a time ahead is no wait");
}

#[tokio::test]
async fn one_that_is_held_is_passed_by() {
    let bed = Bed::make().await;
    let (held, free) = (ready(&bed, 1, 900).await, ready(&bed, 2, 800).await);
    let mut holder = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE")
        .bind(held.uuid())
        .execute(&mut *holder)
        .await
        .unwrap();
    let aged = bed.store.aged_tickets(Duration::from_secs(300), PATIENCE).await.unwrap();
    assert_eq!(tasks(&aged), [free]);
    let claimed = bed.store.claim_next(&hive_store::Claimant::ordinary("w"), 10, false).await.unwrap();
    assert_eq!(claimed.iter().map(Lease::task).collect::<Vec<_>>(), [free]);
    holder.rollback().await.unwrap();
    let pass = bed.store.reconcile(&look(10)).await.unwrap();
    assert_eq!(tasks(&pass.announce).into_iter().collect::<BTreeSet<_>>(), [held].into());
}
