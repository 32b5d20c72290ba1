//! Pauses: what takes no tasks at the moment.

use std::time::Duration;

use hive_domain::{PauseMode, Priority, SessionId, TaskId};
use hive_store::{Claimant, Error, NewStep, PauseScope};

use crate::bed::{Bed, WORKER, new_agent, note, outcome};

fn scope(kind: &str, name: impl std::fmt::Display) -> PauseScope {
    PauseScope { kind: kind.to_owned(), name: name.to_string() }
}

async fn session(bed: &Bed) -> SessionId {
    let id = SessionId::new();
    bed.execute(&format!(
        "INSERT INTO sessions (id, project_id, created_by, name)
         VALUES ('{id}', '00000000-0000-7000-8000-000000000001', 'a test', 'a session')"
    ))
    .await;
    id
}

/// Each scope with a task that it covers and one that it does not; the fleet covers both.
async fn scopes(bed: &Bed) -> Vec<(PauseScope, TaskId, Option<TaskId>)> {
    let other = new_agent("tester", "qa");
    bed.store.create_agent(&other).await.unwrap();
    let (mine, theirs) = (session(bed).await, session(bed).await);
    let urgent = bed.enqueue_with(|new| new.priority = Priority::try_from(2).unwrap()).await;
    let high = bed.enqueue_with(|new| new.priority = Priority::try_from(3).unwrap()).await;
    let other_agent =
        bed.enqueue_with(|new| new.performer = hive_domain::task::Performer::Agent(other.id)).await;
    let in_session = bed.enqueue_with(|new| new.session = Some(mine)).await;
    let in_other = bed.enqueue_with(|new| new.session = Some(theirs)).await;
    vec![
        (scope("fleet", ""), urgent, None),
        (scope("lane", "urgent"), urgent, Some(high)),
        (scope("lane", "high"), high, Some(urgent)),
        (scope("agent", other.id), other_agent, Some(high)),
        (scope("agent", bed.agent), in_session, Some(other_agent)),
        (scope("session", mine), in_session, Some(in_other)),
    ]
}

async fn pause(bed: &Bed, scope: &PauseScope, mode: PauseMode) {
    bed.store.pause(scope, mode, "maintenance", None, "ada").await.unwrap();
}

/// Takes every ready task that a worker would get without tickets, and hands them back.
async fn on_offer(bed: &Bed) -> Vec<TaskId> {
    let worker = Claimant::ordinary(WORKER);
    let mut taken = bed.store.claim_next(&worker, 100, false).await.unwrap();
    for lease in &taken {
        bed.settle_with(lease, &outcome("yield")).await;
    }
    let oldest = bed.store.claim_next(&worker, 1, true).await.unwrap();
    for lease in &oldest {
        assert!(taken.iter().any(|other| other.task() == lease.task()), "both ways look at pauses");
        bed.settle_with(lease, &outcome("yield")).await;
    }
    assert_eq!(oldest.is_empty(), taken.is_empty());
    taken.drain(..).map(|lease| lease.task()).collect()
}

#[tokio::test]
async fn each_scope_holds_claims_and_tickets_back_until_it_is_resumed() {
    let bed = Bed::make().await;
    for (scope, covered, free) in scopes(&bed).await {
        for mode in [PauseMode::Pause, PauseMode::Drain] {
            pause(&bed, &scope, mode).await;
            bed.let_time_pass(covered).await;
            let before = bed.rows(covered).await;
            let epoch = bed.task(covered).await.epoch;
            let claimed = bed.store.claim(covered, epoch, &Claimant::ordinary(WORKER)).await.unwrap();
            assert!(claimed.is_none(), "{scope:?}");
            assert!(!on_offer(&bed).await.contains(&covered), "{scope:?}");
            let pass = bed.reconcile().await;
            assert!(pass.announce.iter().all(|ticket| ticket.task != covered), "{scope:?}");
            let aged = bed.store.aged_tickets(Duration::from_secs(60), Duration::ZERO).await.unwrap();
            assert!(aged.iter().all(|ticket| ticket.task != covered), "{scope:?}");
            assert_eq!(bed.rows(covered).await, before, "{scope:?}");
            if let Some(free) = free {
                assert!(on_offer(&bed).await.contains(&free), "{scope:?} covers no other");
                bed.let_time_pass(free).await;
                let pass = bed.reconcile().await;
                assert!(pass.announce.iter().any(|ticket| ticket.task == free), "{scope:?}");
                bed.settle(free, &outcome("yield")).await;
            } else {
                assert!(on_offer(&bed).await.is_empty());
                assert_eq!(
                    bed.store.oldest_ready().await.unwrap(),
                    Duration::ZERO,
                    "nothing that could run waits"
                );
            }
            assert!(bed.store.resume(&scope).await.unwrap());
            assert!(!bed.store.resume(&scope).await.unwrap(), "the second time there is none");
            let pass = bed.reconcile().await;
            assert!(
                pass.announce.iter().any(|ticket| ticket.task == covered),
                "{scope:?}: the ticket comes at once"
            );
            assert!(on_offer(&bed).await.contains(&covered), "{scope:?}");
        }
    }
}

#[tokio::test]
async fn a_pause_ends_by_itself() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let hour = sqlx::query_scalar("SELECT now() + interval '1 hour'").fetch_one(&bed.pool).await.unwrap();
    let fleet = scope("fleet", "");
    let made = bed.store.pause(&fleet, PauseMode::Pause, "lunch", hour, "ada").await.unwrap();
    assert_eq!((made.reason.as_str(), made.until, made.created_by.as_str()), ("lunch", hour, "ada"));
    assert_eq!(bed.store.pauses().await.unwrap().len(), 1);
    assert!(bed.store.claim(id, 0, &Claimant::ordinary(WORKER)).await.unwrap().is_none());
    bed.execute("UPDATE pauses SET until = now() - interval '1 ms'").await;
    assert!(bed.store.pauses().await.unwrap().is_empty());
    let mut lease = bed.claim(id).await;
    let edge = bed.store.append(&mut lease, &NewStep::plain(&note("a step"))).await.unwrap();
    assert!(!edge.halted);
    // The same scope again: it is changed, not doubled.
    bed.store.pause(&fleet, PauseMode::Drain, "again", None, "bob").await.unwrap();
    let [again] = <[_; 1]>::try_from(bed.store.pauses().await.unwrap()).unwrap();
    assert_eq!((again.mode, again.until, again.created_by.as_str()), (PauseMode::Drain, None, "bob"));
}

#[tokio::test]
async fn a_pause_stops_runs_at_their_edge_and_a_drain_does_not() {
    let bed = Bed::make().await;
    for (scope, covered, free) in scopes(&bed).await {
        let mut lease = bed.claim(covered).await;
        let mut other = match free {
            Some(free) => Some(bed.claim(free).await),
            None => None,
        };
        for (mode, halted) in [(PauseMode::Drain, false), (PauseMode::Pause, true)] {
            pause(&bed, &scope, mode).await;
            let edge = bed.store.append(&mut lease, &NewStep::plain(&note("a step"))).await.unwrap();
            assert_eq!(edge.halted, halted, "{scope:?} {mode:?}");
            if let Some(other) = &mut other {
                let edge = bed.store.append(other, &NewStep::plain(&note("a step"))).await.unwrap();
                assert!(!edge.halted, "{scope:?} {mode:?}");
            }
        }
        bed.store.resume(&scope).await.unwrap();
        let edge = bed.store.append(&mut lease, &NewStep::plain(&note("a step"))).await.unwrap();
        assert!(!edge.halted, "{scope:?}");
        bed.settle_with(&lease, &outcome("yield")).await;
        if let Some(other) = other {
            bed.settle_with(&other, &outcome("yield")).await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_paused_is_named_and_nothing_is_left_behind() {
    let bed = Bed::make().await;
    let past = sqlx::query_scalar("SELECT now() - interval '1 s'").fetch_one(&bed.pool).await.unwrap();
    let nobody = TaskId::new();
    for (scope, until, expected) in [
        (scope("planet", "earth"), None, "/scope"),
        (scope("", ""), None, "/scope"),
        (scope("Fleet", ""), None, "/scope"),
        (scope("fleet", "everything"), None, "/name"),
        (scope("lane", "fast"), None, "/name"),
        (scope("lane", ""), None, "/name"),
        (scope("agent", nobody), None, "/name"),
        (scope("agent", "not an id"), None, "/name"),
        (scope("session", nobody), None, "/name"),
        (scope("session", bed.agent), None, "/name"),
        (scope("fleet", ""), past, "/until"),
    ] {
        let error = bed.store.pause(&scope, PauseMode::Pause, "", until, "ada").await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field, .. } if field == expected), "{scope:?}: {error:?}");
    }
    assert_eq!(bed.number("SELECT count(*) FROM pauses").await, 0);
    for lane in ["urgent", "high", "normal", "low"] {
        pause(&bed, &scope("lane", lane), PauseMode::Drain).await;
    }
    assert_eq!(bed.store.pauses().await.unwrap().len(), 4);
}
