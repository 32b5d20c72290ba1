//! What a watcher sees.

use hive_domain::{EventKind, TaskId, task::DependencyPolicy};
use hive_store::{Claimant, NewStep};

use crate::bed::{Bed, look, new_agent, note, outcomes};

/// Notes every change of a status behind the store's back, with the number of the event that was written with it.
const WATCH: &str = "
    CREATE TABLE seen (id bigserial, task_id uuid, status text, event_seq bigint);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' OR NEW.status <> OLD.status THEN
            INSERT INTO seen (task_id, status, event_seq) VALUES (NEW.id, NEW.status, NEW.event_seq);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER see AFTER INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION see();";

/// Events of a task are numbered from 1 without gaps, and the row knows the last.
pub(crate) async fn assert_gapless(bed: &Bed) {
    let broken: Vec<String> = sqlx::query_scalar(
        "SELECT format('%s: %s events to %s, the row says %s', t.id, count(e.seq), max(e.seq), t.event_seq)
         FROM tasks t LEFT JOIN events e ON e.task_id = t.id
         GROUP BY t.id HAVING count(e.seq) <> t.event_seq OR max(e.seq) <> t.event_seq OR min(e.seq) <> 1",
    )
    .fetch_all(&bed.pool)
    .await
    .unwrap();
    assert_eq!(broken, Vec::<String>::new());
}

/// Each change of a status has one event of a kind that tells it, and no two share one.
async fn assert_told(bed: &Bed) {
    let untold: Vec<String> = sqlx::query_scalar(
        "SELECT format('%s became %s with event %s %s', s.task_id, s.status, s.event_seq, e.kind)
         FROM seen s LEFT JOIN events e ON e.task_id = s.task_id AND e.seq = s.event_seq
         WHERE NOT coalesce(CASE s.status
             WHEN 'pending' THEN e.kind = 'task.created'
             WHEN 'ready' THEN e.kind IN ('task.created', 'task.ready', 'task.orphaned', 'task.completion_requested')
             WHEN 'running' THEN e.kind = 'task.started'
             ELSE e.kind = 'task.' || s.status END, false)
         UNION ALL
         SELECT format('%s has %s changes with event %s', task_id, count(*), event_seq)
         FROM seen GROUP BY task_id, event_seq HAVING count(*) > 1",
    )
    .fetch_all(&bed.pool)
    .await
    .unwrap();
    assert_eq!(untold, Vec::<String>::new());
}

#[tokio::test]
async fn every_change_of_a_status_is_told_once() {
    let bed = Bed::make().await;
    bed.execute(WATCH).await;
    for (name, outcome) in outcomes() {
        let id = bed.enqueue().await;
        for policy in DependencyPolicy::ALL {
            bed.enqueue_after(&[id], *policy).await;
        }
        bed.claim(id).await;
        bed.orphan(id).await;
        bed.settle(id, &outcome).await;
        bed.let_time_pass(id).await;
        bed.reconcile().await;
        let _ = bed.store.request_completion(id, "ada").await;
        let _ = bed.store.cancel(id, "ada").await;
        bed.reconcile().await;
        bed.reconcile().await;
        assert!(bed.number("SELECT count(*) FROM seen").await > 5, "{name}");
    }
    let dead = bed.enqueue_with(|new| new.max_attempts = 1).await;
    bed.claim(dead).await;
    bed.orphan(dead).await;
    assert_told(&bed).await;
    assert_gapless(&bed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_leave_no_gap_and_no_double() {
    let bed = Bed::make().await;
    bed.execute(WATCH).await;
    let other = new_agent("tester", "qa");
    bed.store.create_agent(&other).await.unwrap();
    for _ in 0..5 {
        let id = bed.enqueue().await;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..24 {
            let (store, agent) = (bed.store.clone(), if writer % 2 == 0 { bed.agent } else { other.id });
            writers.spawn(async move {
                match writer % 6 {
                    0 | 1 => drop(store.assign(id, agent, "ada").await),
                    2 => drop(store.request_completion(id, "ada").await),
                    3 => drop(store.reconcile(&look(10)).await),
                    4 => work(&store, id, writer).await,
                    _ if writer > 20 => drop(store.cancel(id, "ada").await),
                    _ => drop(store.claim(id, 1, &Claimant::ordinary("late")).await),
                }
            });
        }
        writers.join_all().await;
    }
    assert_gapless(&bed).await;
    assert_told(&bed).await;
    assert!(bed.number("SELECT max(event_seq) FROM tasks").await > 3, "the writers wrote");
}

async fn work(store: &hive_store::Store, id: TaskId, writer: usize) {
    let Ok(Some(mut lease)) = store.claim(id, 0, &Claimant::ordinary(&format!("worker-{writer}"))).await
    else {
        return;
    };
    for _ in 0..5 {
        if store.append(&mut lease, &NewStep::plain(&note("a step"))).await.is_err() {
            return;
        }
    }
    drop(store.settle(&lease, &hive_domain::Outcome::Yield).await);
}

#[tokio::test]
async fn a_reader_continues_where_it_stopped() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut lease = bed.claim(id).await;
    for step in 0..5 {
        bed.append_note(&mut lease, &step.to_string()).await;
    }
    let (mut seen, mut last) = (Vec::new(), 0);
    loop {
        let part = bed.store.events_after(id, last, 3).await.unwrap();
        let Some(event) = part.last() else { break };
        last = event.seq;
        seen.extend(part.into_iter().map(|event| event.seq));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
    for event in bed.events(id).await {
        assert!(event.kind.parse::<EventKind>().is_ok(), "{}", event.kind);
    }
    assert!(bed.store.events_after(TaskId::new(), 0, 10).await.unwrap().is_empty());
}
