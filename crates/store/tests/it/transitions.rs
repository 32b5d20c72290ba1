//! The whole table: each verb in each state either does what it says or changes nothing.

use hive_domain::{
    Lease, TaskId,
    TaskStatus::{self, Cancelled, Dead, Failed, Pending, Proposed, Ready, Running, Succeeded, Waiting},
};
use hive_store::{Claimant, Error, NewStep};

use crate::bed::{Bed, look, new_agent, note, outcome, outcomes};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Claim,
    Append,
    BeginCall,
    Renew,
    Settle(&'static str),
    /// Time passes and the reconciler looks.
    Reconcile,
    Cancel,
    Assign,
    Complete,
}

const VERBS: [Verb; 14] = [
    Verb::Claim,
    Verb::Append,
    Verb::BeginCall,
    Verb::Renew,
    Verb::Settle("done"),
    Verb::Settle("wait"),
    Verb::Settle("retry"),
    Verb::Settle("yield"),
    Verb::Settle("halt"),
    Verb::Settle("fail"),
    Verb::Reconcile,
    Verb::Cancel,
    Verb::Assign,
    Verb::Complete,
];

/// All transitions there are; a pair that is not here is refused.
fn allowed(from: TaskStatus, verb: Verb) -> Option<TaskStatus> {
    match (verb, from) {
        (Verb::Claim, Ready) | (Verb::Append | Verb::BeginCall | Verb::Renew, Running) => Some(Running),
        (Verb::Settle("done"), Running) => Some(Succeeded),
        (Verb::Settle("wait" | "retry"), Running) => Some(Waiting),
        (Verb::Settle("yield" | "halt"), Running) => Some(Ready),
        (Verb::Settle("fail"), Running) => Some(Failed),
        (Verb::Reconcile, Pending | Waiting | Running) => Some(Ready),
        (Verb::Cancel, Proposed | Pending | Ready | Running | Waiting) => Some(Cancelled),
        // What waits has begun, and keeps its agent.
        (Verb::Assign, Proposed | Pending | Ready) => Some(from),
        (Verb::Complete, Pending | Ready | Waiting | Failed) => Some(Ready),
        _ => None,
    }
}

/// A task brought to this state by the verbs themselves; only `proposed` has no verb yet.
async fn bring(bed: &Bed, status: TaskStatus) -> TaskId {
    let id = if status == Pending {
        let soon = sqlx::query_scalar("SELECT now() + interval '30 min'").fetch_one(&bed.pool).await.unwrap();
        bed.enqueue_with(|new| new.run_at = Some(soon)).await
    } else {
        bed.enqueue_with(|new| new.max_attempts = if status == Dead { 1 } else { 3 }).await
    };
    match status {
        Pending | Ready => {}
        Proposed => bed.execute(&format!("UPDATE tasks SET status = 'proposed' WHERE id = '{id}'")).await,
        Running => drop(bed.claim(id).await),
        Waiting => bed.settle(id, &outcome("wait")).await,
        Succeeded => bed.settle(id, &outcome("done")).await,
        Failed => bed.settle(id, &outcome("fail")).await,
        Cancelled => drop(bed.store.cancel(id, "ada").await.unwrap()),
        Dead => bed.settle(id, &outcome("retry")).await,
    }
    assert_eq!(bed.task(id).await.status, status);
    id
}

/// Does it, and says in the verb's own words whether it was refused. The epoch is always the current one, so that
/// nothing but the state can refuse.
async fn attempt(bed: &Bed, id: TaskId, verb: Verb) -> Result<(), String> {
    let task = bed.task(id).await;
    let next_seq = bed.number(&format!("SELECT next_seq::bigint FROM tasks WHERE id = '{id}'")).await;
    let mut lease = Lease::new((), id, task.epoch, i32::try_from(next_seq).unwrap());
    let fenced = |error: Error| match error {
        Error::Fenced { .. } => "fenced".to_owned(),
        other => panic!("{verb:?} in {}: {other:?}", task.status),
    };
    let conflict = |error: Error| match error {
        Error::Conflict { code, .. } => code.to_owned(),
        other => panic!("{verb:?} in {}: {other:?}", task.status),
    };
    match verb {
        Verb::Claim => {
            let claimed = bed.store.claim(id, task.epoch, &Claimant::ordinary("worker")).await.unwrap();
            claimed.map(drop).ok_or_else(|| "stale".to_owned())
        }
        Verb::Append => {
            bed.store.append(&mut lease, &NewStep::plain(&note("a step"))).await.map(drop).map_err(fenced)
        }
        Verb::BeginCall => bed.store.begin_call(&lease, "claude", b"hash").await.map(drop).map_err(fenced),
        Verb::Renew => match bed.store.renew(&[(id, task.epoch)]).await.unwrap().as_slice() {
            [] => Err("lost".to_owned()),
            held => {
                assert_eq!(held, [id]);
                Ok(())
            }
        },
        Verb::Settle(name) => bed.store.settle(&lease, &outcome(name)).await.map(drop).map_err(fenced),
        Verb::Reconcile => {
            let pass = bed.store.reconcile(&look(0)).await.unwrap();
            let found = pass.orphaned.contains(&id) || pass.released.contains(&id);
            found.then_some(()).ok_or_else(|| "untouched".to_owned())
        }
        Verb::Cancel => {
            bed.store.cancel(id, "ada").await.map_err(conflict)?;
            // Cancelling what is cancelled is answered kindly and does nothing.
            if task.status == Cancelled { Err("again".to_owned()) } else { Ok(()) }
        }
        Verb::Assign => {
            let other = new_agent(&id.to_string(), "qa");
            bed.store.create_agent(&other).await.unwrap();
            bed.store.assign(id, other.id, "ada").await.map(drop).map_err(conflict)
        }
        Verb::Complete => bed.store.request_completion(id, "ada").await.map(drop).map_err(conflict),
    }
}

fn refusal(from: TaskStatus, verb: Verb) -> &'static str {
    match verb {
        Verb::Claim => "stale",
        Verb::Append | Verb::BeginCall | Verb::Settle(_) => "fenced",
        Verb::Renew => "lost",
        Verb::Reconcile => "untouched",
        Verb::Cancel if from == Cancelled => "again",
        Verb::Cancel => "task_ended",
        Verb::Assign => "task_not_assignable",
        Verb::Complete => "task_not_completable",
    }
}

#[tokio::test]
async fn each_verb_in_each_state_does_what_the_table_says() {
    let bed = Bed::make().await;
    assert_eq!(outcomes().len() + 8, VERBS.len(), "every outcome is in the table");
    for status in TaskStatus::ALL.iter().copied() {
        for verb in VERBS {
            let id = bring(&bed, status).await;
            if verb == Verb::Reconcile {
                bed.let_time_pass(id).await;
            }
            let before = bed.rows(id).await;
            let epoch = bed.task(id).await.epoch;
            let outcome = attempt(&bed, id, verb).await;
            match allowed(status, verb) {
                Some(next) => {
                    assert_eq!(outcome, Ok(()), "{verb:?} in {status}");
                    let task = bed.task(id).await;
                    assert_eq!(task.status, next, "{verb:?} in {status}");
                    let raised = i64::from(matches!(verb, Verb::Claim | Verb::Cancel));
                    assert_eq!(task.epoch, epoch + raised, "{verb:?} in {status}");
                }
                None => {
                    assert_eq!(outcome, Err(refusal(status, verb).to_owned()), "{verb:?} in {status}");
                    assert_eq!(bed.rows(id).await, before, "{verb:?} in {status}");
                }
            }
        }
    }
}
