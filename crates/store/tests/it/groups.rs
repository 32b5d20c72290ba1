//! Verbs that are sent together: each lease is fenced by itself, and no two statements wait in a circle.

use std::sync::Arc;

use hive_domain::{Lease, TaskId, TaskStatus};
use hive_store::{Claimant, Error, NewStep};

use crate::bed::{Bed, WORKER, connect, look, note, outcome};

/// A task that runs under its second lease, and both leases.
async fn taken_over(bed: &Bed) -> (TaskId, Lease<()>, Lease<()>) {
    let id = bed.enqueue().await;
    bed.claim(id).await;
    bed.orphan(id).await;
    bed.claim(id).await;
    (id, Lease::new((), id, 1, 1), Lease::new((), id, 2, 1))
}

fn assert_fenced<T: std::fmt::Debug>(answer: &Result<T, Error>) {
    assert!(matches!(answer, Err(Error::Fenced { epoch: 1, .. })), "{answer:?}");
}

/// The old and the new run of a task in one process, whose writes meet in one statement. Either may come first.
#[tokio::test]
async fn a_lost_lease_writes_nothing_beside_the_one_that_holds() {
    let bed = Bed::make().await;
    for old_first in [true, false] {
        let (id, mut old, mut new) = taken_over(&bed).await;
        let (wrong, right) = (note("of the lost run"), note("of the run that holds"));
        let (wrong, right) = (NewStep::plain(&wrong), NewStep::plain(&right));
        // The first two appends take the flights; these and the other runs' steps wait for the next statement.
        let (fill_a, fill_b) = (bed.enqueue().await, bed.enqueue().await);
        let (mut fill_a, mut fill_b) = (bed.claim(fill_a).await, bed.claim(fill_b).await);
        let filler = note("a filler");
        let filler = NewStep::plain(&filler);
        let (a, b) = (bed.store.append(&mut fill_a, &filler), bed.store.append(&mut fill_b, &filler));
        let (lost, held) = if old_first {
            let (_, _, lost, held) =
                tokio::join!(a, b, bed.store.append(&mut old, &wrong), bed.store.append(&mut new, &right));
            (lost, held)
        } else {
            let (_, _, held, lost) =
                tokio::join!(a, b, bed.store.append(&mut new, &right), bed.store.append(&mut old, &wrong));
            (lost, held)
        };
        assert_fenced(&lost);
        held.unwrap();
        let steps = bed.store.steps(id, 0, 10).await.unwrap();
        assert_eq!(steps.iter().map(|step| step.epoch).collect::<Vec<_>>(), [2]);
        assert_eq!(steps[0].entry.body().unwrap(), right.entry.body().unwrap());

        let (a, b) = (bed.store.begin_call(&fill_a, "m", b"h"), bed.store.begin_call(&fill_b, "m", b"h"));
        let (x, y) = if old_first { (&old, &new) } else { (&new, &old) };
        let (_, _, x, y) =
            tokio::join!(a, b, bed.store.begin_call(x, "m", b"h"), bed.store.begin_call(y, "m", b"h"));
        let (lost, held) = if old_first { (x, y) } else { (y, x) };
        assert_fenced(&lost);
        held.unwrap();

        let (done, fail) = (outcome("done"), outcome("fail"));
        let (again_a, again_b) = (outcome("yield"), outcome("yield"));
        let (a, b) = (bed.store.settle(&fill_a, &again_a), bed.store.settle(&fill_b, &again_b));
        let (lost, held) = if old_first {
            let (_, _, lost, held) =
                tokio::join!(a, b, bed.store.settle(&old, &fail), bed.store.settle(&new, &done));
            (lost, held)
        } else {
            let (_, _, held, lost) =
                tokio::join!(a, b, bed.store.settle(&new, &done), bed.store.settle(&old, &fail));
            (lost, held)
        };
        assert_fenced(&lost);
        assert_eq!(held.unwrap().status, TaskStatus::Succeeded);
        bed.assert_stands(id, TaskStatus::Succeeded, None).await;
    }
}

#[tokio::test]
async fn tickets_of_one_task_in_one_group_give_one_lease_to_the_good_one() {
    let bed = Bed::make().await;
    for round in 0..4 {
        let id = bed.enqueue().await;
        bed.settle(id, &outcome("yield")).await;
        let worker = Claimant::ordinary(WORKER);
        // Two others are on their way already, so that what is asked next goes in one statement.
        let (filler, other) = (bed.enqueue().await, bed.enqueue().await);
        let fillers = [(filler, 0), (other, 0)].into_iter();
        let asked = fillers.chain([0, 1, 1, 2].map(|epoch| (id, epoch)));
        let claims = asked.map(|(id, epoch)| bed.store.claim(id, epoch, &worker));
        let answers = futures::future::join_all(claims).await;
        let [_, _, stale, first, second, ahead] = <[_; 6]>::try_from(answers).unwrap();
        assert!(stale.unwrap().is_none(), "round {round}: a stale ticket gets nothing");
        assert!(ahead.unwrap().is_none());
        let leases = [first.unwrap(), second.unwrap()];
        assert_eq!(leases.iter().flatten().count(), 1, "two tickets, one lease");
        assert_eq!(leases.iter().flatten().next().unwrap().epoch(), 2);
        assert_eq!(bed.event_kinds(id).await.iter().filter(|kind| *kind == "task.started").count(), 2);
    }
}

#[tokio::test]
async fn two_ends_of_one_run_in_one_group_are_one_end() {
    let bed = Bed::make().await;
    let ids = [bed.enqueue().await, bed.enqueue().await, bed.enqueue().await];
    let leases = [bed.claim(ids[0]).await, bed.claim(ids[1]).await, bed.claim(ids[2]).await];
    let (done, fail) = (outcome("done"), outcome("fail"));
    let (_, _, first, second) = tokio::join!(
        bed.store.settle(&leases[0], &done),
        bed.store.settle(&leases[1], &done),
        bed.store.settle(&leases[2], &done),
        bed.store.settle(&leases[2], &fail),
    );
    assert_eq!(first.unwrap().status, TaskStatus::Succeeded);
    assert_fenced(&second);
    bed.assert_stands(ids[2], TaskStatus::Succeeded, None).await;
}

#[tokio::test]
async fn what_the_database_refuses_fails_alone() {
    let bed = Bed::make().await;
    let mut leases = Vec::new();
    for _ in 0..20 {
        let id = bed.enqueue().await;
        leases.push(bed.claim(id).await);
    }
    let calls = leases.iter().enumerate().map(|(at, lease)| {
        let store = bed.store.clone();
        // Postgres keeps no null character in a text.
        let model = if at % 7 == 5 { "a\0model" } else { "a model" };
        async move { store.begin_call(lease, model, b"hash").await }
    });
    for (at, answer) in futures::future::join_all(calls).await.into_iter().enumerate() {
        match answer {
            Ok(_) => assert_ne!(at % 7, 5),
            Err(error) => {
                assert_eq!(at % 7, 5, "{error:?}");
                assert!(!error.is_unavailable(), "asking again would not help: {error:?}");
            }
        }
    }
    assert_eq!(bed.number("SELECT count(*) FROM llm_calls").await, 17);
}

#[tokio::test]
async fn each_of_many_steps_and_ends_is_answered_for_itself() {
    let bed = Bed::make().await;
    let mut leases = Vec::new();
    for n in 0..60 {
        let id = bed.enqueue().await;
        let lease = bed.claim(id).await;
        if n % 3 == 0 {
            bed.store.cancel(id, "ada").await.unwrap();
        }
        leases.push(lease);
    }
    let steps = leases.iter_mut().enumerate().map(|(n, lease)| {
        let store = bed.store.clone();
        async move { store.append(lease, &NewStep::plain(&note(&format!("step of {n}")))).await }
    });
    let answers = futures::future::join_all(steps).await;
    for (n, (answer, lease)) in answers.into_iter().zip(&leases).enumerate() {
        assert_eq!(answer.is_ok(), n % 3 != 0, "{answer:?}");
        let steps = bed.store.steps(lease.task(), 0, 10).await.unwrap();
        let expected = note(&format!("step of {n}")).body().unwrap();
        let written: Vec<String> = steps.into_iter().map(|step| step.entry.body().unwrap()).collect();
        assert_eq!(written, if n % 3 == 0 { vec![] } else { vec![expected] });
    }
    let names = ["done", "wait", "fail", "yield"];
    let ends = leases.iter().enumerate().map(|(n, lease)| {
        let store = bed.store.clone();
        async move { store.settle(lease, &outcome(names[n % 4])).await }
    });
    let status = [TaskStatus::Succeeded, TaskStatus::Waiting, TaskStatus::Failed, TaskStatus::Ready];
    for (n, answer) in futures::future::join_all(ends).await.into_iter().enumerate() {
        match answer {
            Ok(settled) => {
                assert_ne!(n % 3, 0);
                assert_eq!(settled.status, status[n % 4]);
                assert_eq!(settled.again.map(|ticket| ticket.task), (n % 4 == 3).then(|| leases[n].task()));
            }
            Err(error) => {
                assert_eq!(n % 3, 0, "{error:?}");
                assert!(matches!(error, Error::Fenced { .. }));
            }
        }
    }
}

/// Groups over the same tasks from two processes, with renewals, cancels and passes between.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn statements_over_the_same_tasks_never_wait_in_a_circle() {
    const TASKS: usize = 24;
    const ROUNDS: usize = 12;
    let bed = Bed::make().await;
    let stores = [connect(&bed.database), connect(&bed.database)];
    let mut ids = Vec::new();
    for n in 0..TASKS {
        ids.push(
            bed.enqueue_with(|new| {
                new.max_attempts = 100;
                new.concurrency_key = (n % 3 == 0).then(|| format!("key {}", n % 2));
            })
            .await,
        );
    }
    let ids = Arc::new(ids);
    let mut actors = tokio::task::JoinSet::new();
    for actor in 0..16 {
        let (store, ids) = (stores[actor % 2].clone(), Arc::clone(&ids));
        actors.spawn(async move {
            let mut refused = Vec::new();
            let mut note_error = |error: Error| match error {
                Error::Fenced { .. } | Error::Conflict { .. } => {}
                other => refused.push(format!("{other:?}")),
            };
            for round in 0..ROUNDS {
                // Each actor goes through the tasks in an order of its own.
                let order: Vec<TaskId> =
                    (0..TASKS).map(|n| ids[(n * [1, 5, 7, 11][actor % 4] + actor * 3) % TASKS]).collect();
                let leases: Vec<(TaskId, i64)> = futures::future::join_all(order.iter().map(|id| store.task(*id)))
                    .await
                    .into_iter()
                    .filter_map(|task| task.ok().map(|task| (task.id, task.epoch)))
                    .collect();
                match actor % 8 {
                    0..=2 => {
                        let claimant = Claimant::ordinary(&format!("worker-{actor}"));
                        let runs = leases.iter().map(|&(id, epoch)| {
                            let (store, claimant) = (store.clone(), claimant.clone());
                            async move {
                                let Some(mut lease) = store.claim(id, epoch, &claimant).await? else {
                                    return Ok(());
                                };
                                store.append(&mut lease, &NewStep::plain(&note("a step"))).await?;
                                store.settle(&lease, &outcome("yield")).await.map(drop)
                            }
                        });
                        for answer in futures::future::join_all(runs).await {
                            answer.unwrap_or_else(&mut note_error);
                        }
                    }
                    3 | 4 => drop(store.renew(&leases).await.map_err(&mut note_error)),
                    5 => {
                        drop(store.reconcile(&look(100)).await.map_err(&mut note_error));
                        let keys = ["key 1".to_owned(), "key 0".to_owned()];
                        drop(store.admit(&keys).await.map_err(&mut note_error));
                    }
                    6 => {
                        let ends = leases.iter().map(|&(id, epoch)| {
                            let store = store.clone();
                            async move { store.settle(&Lease::new((), id, epoch, 1), &outcome("yield")).await }
                        });
                        for answer in futures::future::join_all(ends).await {
                            answer.map(drop).unwrap_or_else(&mut note_error);
                        }
                    }
                    _ => drop(store.cancel(order[round], "ada").await.map_err(&mut note_error)),
                }
            }
            refused
        });
    }
    let refused: Vec<String> = actors.join_all().await.into_iter().flatten().collect();
    assert!(refused.iter().all(|error| !error.contains("40P01")), "{refused:?}");
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(bed.number(deadlocks).await, 0);
    let gaps = "SELECT count(*) FROM tasks t
                WHERE event_seq <> (SELECT count(*) FROM events e WHERE e.task_id = t.id)
                   OR next_seq - 1 <> (SELECT count(*) FROM steps s WHERE s.task_id = t.id)";
    assert_eq!(bed.number(gaps).await, 0, "and no event or step is missing or doubled");
}

/// Whoever waits for the first row holds none behind it: the order is that of the ids, not that of the requests.
#[tokio::test]
async fn rows_are_locked_in_the_order_of_their_ids() {
    let bed = Bed::make().await;
    for verb in ["claim", "append", "settle"] {
        let (first, last) = (bed.enqueue().await, bed.enqueue().await);
        let mut leases = Vec::new();
        for id in [last, first] {
            if verb != "claim" {
                bed.claim(id).await;
            }
            leases.push(Lease::new((), id, i64::from(verb != "claim"), 1));
        }
        let mut holder = bed.pool.begin().await.unwrap();
        let lock = "SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE NOWAIT";
        sqlx::query(lock).bind(first.uuid()).execute(&mut *holder).await.unwrap();
        let store = bed.store.clone();
        let both = tokio::spawn(async move {
            let worker = Claimant::ordinary(WORKER);
            let (step, end) = (note("a step"), outcome("done"));
            let asked = leases.iter_mut().map(|lease| async {
                match verb {
                    "claim" => store.claim(lease.task(), lease.epoch(), &worker).await.map(drop),
                    "append" => store.append(lease, &NewStep::plain(&step)).await.map(drop),
                    _ => store.settle(lease, &end).await.map(drop),
                }
            });
            futures::future::join_all(asked).await
        });
        let waits = "SELECT count(*) FROM pg_stat_activity
                     WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while bed.number(waits).await == 0 {
            assert!(!both.is_finished(), "{verb} waits for the row that is held");
            tokio::task::yield_now().await;
        }
        let mut other = bed.pool.begin().await.unwrap();
        let free = sqlx::query(lock).bind(last.uuid()).execute(&mut *other).await;
        assert!(free.is_ok(), "{verb} holds a row and waits for one before it");
        other.rollback().await.unwrap();
        holder.rollback().await.unwrap();
        drop(both.await.unwrap());
    }
}

/// A row that somebody holds costs the other leases nothing, and is still its run's.
#[tokio::test]
async fn a_renewal_waits_for_no_row() {
    let bed = Bed::make().await;
    let (held, free) = (bed.enqueue().await, bed.enqueue().await);
    let leases: Vec<_> = [bed.claim(held).await, bed.claim(free).await].map(|l| (l.task(), l.epoch())).into();
    bed.execute("UPDATE tasks SET lease_until = now() + interval '1 s'").await;
    let mut holder = bed.pool.begin().await.unwrap();
    let lock = "SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE NOWAIT";
    sqlx::query(lock).bind(held.uuid()).execute(&mut *holder).await.unwrap();
    let mut still = bed.store.renew(&leases).await.unwrap();
    holder.rollback().await.unwrap();
    still.sort_unstable();
    assert_eq!(still, [held, free]);
    let longer = "SELECT count(*) FROM tasks WHERE lease_until > now() + interval '5 s'";
    assert_eq!(bed.number(longer).await, 1, "the other one was renewed");
}
