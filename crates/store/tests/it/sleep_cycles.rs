//! Nights, behind the door: one at a time, fenced, each phase once, and undone without a trace.

use std::time::Duration;

use hive_domain::{
    ContextId, CycleBudget, CycleId, CyclePhase, CycleState, MemoryOwner, ProjectId, SleepTrigger, TrustClass,
};
use hive_store::{
    Begun, ChangeKind, Context, CycleLease, Error, GateFinding, NewContext, NewCycle, NightChange,
    NightEntry, PhaseEnd, RollbackWish, RolledBack,
};
use serde_json::json;

use crate::bed::Bed;

const OWNER: MemoryOwner = MemoryOwner::Project(ProjectId::DEFAULT);

fn new(trigger: SleepTrigger) -> NewCycle {
    NewCycle {
        id: CycleId::new(),
        owner: OWNER,
        trigger,
        asked_by: "test".to_owned(),
        budget: CycleBudget::default(),
    }
}

async fn put(bed: &Bed, content: &str) -> Context {
    let new = NewContext {
        id: ContextId::new(),
        owner: OWNER,
        parent: None,
        follows: None,
        kind: "fact".to_owned(),
        title: String::new(),
        content: content.to_owned(),
        trust: TrustClass::User,
        author: "test".to_owned(),
        origin: None,
        sources: Vec::new(),
        valid_from: None,
        valid_to: None,
        importance: 0.5,
        pinned: false,
    };
    bed.store.put_context(&new, None).await.unwrap()
}

async fn begun(bed: &Bed) -> CycleLease {
    bed.store.begin_cycle(&new(SleepTrigger::Manual)).await.unwrap();
    bed.store.take_cycle("one").await.unwrap().unwrap()
}

fn merged(of: &[&Context], content: &str) -> PhaseEnd {
    let born = NightEntry {
        id: ContextId::new(),
        lineage: None,
        owner: OWNER,
        parent: None,
        kind: "fact".to_owned(),
        title: String::new(),
        content: content.to_owned(),
        trust: TrustClass::System,
        origin: None,
        valid_from: of[0].valid_from,
        valid_to: None,
        superseded_by: None,
        importance: 0.5,
        vectors_of: None,
    };
    let change = NightChange {
        kind: ChangeKind::Merged,
        born: Some(born),
        retired: of.iter().map(|context| (context.id, context.version)).collect(),
        sources: of.iter().map(|context| (context.id, context.version)).collect(),
        reason: "a test says so".to_owned(),
    };
    PhaseEnd { changes: vec![change], ..PhaseEnd::default() }
}

/// Ends all phases from the one that it is at up to the last.
async fn to_the_last(bed: &Bed, lease: &CycleLease, from: CyclePhase) {
    let mut phase = from;
    while phase != CyclePhase::Publish {
        assert!(bed.store.finish_phase(lease, phase, &PhaseEnd::default()).await.unwrap());
        phase = phase.next().unwrap();
    }
}

async fn rows(bed: &Bed) -> Vec<(String, Option<uuid::Uuid>)> {
    sqlx::query_as("SELECT content, died_version FROM contexts ORDER BY id")
        .fetch_all(&bed.pool)
        .await
        .unwrap()
}

fn fenced(error: &Error) -> bool {
    matches!(error, Error::Conflict { code: "sleep_cycle_fenced", .. })
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_begins_a_night() {
    let bed = Bed::make().await;
    let asking = (0..12).map(|nth| {
        let store = bed.store.clone();
        let trigger = SleepTrigger::ALL[nth % SleepTrigger::ALL.len()];
        tokio::spawn(async move { store.begin_cycle(&new(trigger)).await.unwrap() })
    });
    let mut answers = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        answers.push(asked.await.unwrap());
    }
    let begun: Vec<CycleId> = answers
        .iter()
        .filter(|answer| matches!(answer, Begun::New(_)))
        .map(|answer| answer.cycle().id)
        .collect();
    assert_eq!(begun.len(), 1);
    assert!(answers.iter().all(|answer| answer.cycle().id == begun[0]), "the others are told which one runs");
    let lease = bed.store.take_cycle("one").await.unwrap().unwrap();
    assert!(bed.store.take_cycle("two").await.unwrap().is_none(), "one worker has it");
    bed.store.fail_cycle(lease, "enough", &[]).await.unwrap();
    assert!(matches!(bed.store.begin_cycle(&new(SleepTrigger::Idle)).await.unwrap(), Begun::New(_)));
}

#[tokio::test]
async fn a_phase_that_is_done_twice_changes_nothing_and_a_lost_lease_writes_nothing() {
    let bed = Bed::make().await;
    let (a, b) = (put(&bed, "The port is 8080").await, put(&bed, "Port 8080 it is").await);
    let old = begun(&bed).await;
    for phase in [CyclePhase::Extract, CyclePhase::Dedupe] {
        bed.store.finish_phase(&old, phase, &PhaseEnd::default()).await.unwrap();
    }
    assert!(
        bed.store
            .finish_phase(&old, CyclePhase::Merge, &merged(&[&a, &b], "The port is 8080."))
            .await
            .unwrap()
    );
    let once = rows(&bed).await;
    assert_eq!(once.len(), 3);
    assert!(!bed.store.finish_phase(&old, CyclePhase::Merge, &merged(&[&a, &b], "twice")).await.unwrap());
    assert_eq!(rows(&bed).await, once);

    // Its worker is silent; another takes over.
    assert!(bed.store.take_cycle("two").await.unwrap().is_none());
    sqlx::query("UPDATE sleep_cycles SET lease_until = now() - interval '1 second'")
        .execute(&bed.pool)
        .await
        .unwrap();
    let taken = bed.store.take_cycle("two").await.unwrap().unwrap();
    assert_eq!(taken.cycle.phase, CyclePhase::Contradict, "it goes on behind the last mark");
    let late =
        bed.store.finish_phase(&old, CyclePhase::Contradict, &merged(&[&a], "late")).await.unwrap_err();
    assert!(fenced(&late), "{late}");
    assert!(!bed.store.renew_cycle(old.cycle.id, old.holder()).await.unwrap());
    assert!(bed.store.renew_cycle(taken.cycle.id, taken.holder()).await.unwrap());
    to_the_last(&bed, &taken, CyclePhase::Contradict).await;
    let late = bed.store.publish_cycle(old, &GateFinding::default()).await.unwrap_err();
    assert!(fenced(&late), "{late}");
    let done = bed.store.publish_cycle(taken, &GateFinding::default()).await.unwrap();
    assert_eq!((done.state, done.counts.merged), (CycleState::Completed, 2));
    let merged = bed.store.cycle_changes(done.id, Some("merged"), None, 10).await.unwrap();
    let trust = merged[0].born.as_ref().unwrap().entry.as_ref().unwrap().trust;
    assert_eq!(trust, TrustClass::User, "no more than its sources");
}

#[tokio::test]
async fn a_night_that_kills_its_workers_ends_as_failed() {
    let bed = Bed::make().await;
    put(&bed, "The port is 8080").await;
    bed.store.begin_cycle(&new(SleepTrigger::Cron)).await.unwrap();
    for _ in 0..3 {
        assert!(bed.store.take_cycle("one").await.unwrap().is_some());
        sqlx::query("UPDATE sleep_cycles SET lease_until = now() - interval '1 second'")
            .execute(&bed.pool)
            .await
            .unwrap();
    }
    assert!(bed.store.take_cycle("one").await.unwrap().is_none());
    let cycles = bed.store.sleep_cycles(Default::default(), None, 10).await.unwrap();
    assert_eq!(cycles[0].state, CycleState::Failed);
    assert!(cycles[0].failure.as_ref().unwrap().contains("workers died"));
}

#[tokio::test]
async fn what_somebody_changed_before_the_switch_is_left_out_with_all_that_was_made_of_it() {
    let bed = Bed::make().await;
    let (a, b) = (put(&bed, "The port is 8080").await, put(&bed, "Port 8080 it is").await);
    let (c, d) = (put(&bed, "Tea is at four").await, put(&bed, "At four is tea").await);
    let lease = begun(&bed).await;
    for phase in [CyclePhase::Extract, CyclePhase::Dedupe] {
        bed.store.finish_phase(&lease, phase, &PhaseEnd::default()).await.unwrap();
    }
    let mut end = merged(&[&a, &b], "Port 8080.");
    end.changes.extend(merged(&[&c, &d], "Tea at four.").changes);
    bed.store.finish_phase(&lease, CyclePhase::Merge, &end).await.unwrap();
    to_the_last(&bed, &lease, CyclePhase::Contradict).await;
    // A lock is no matter of a night that nobody sees yet.
    let locked = hive_store::ContextChange { locked: Some(true), ..Default::default() };
    bed.store.change_context(a.id, a.version, &locked, "ada", None).await.unwrap();
    let done = bed.store.publish_cycle(lease, &GateFinding::default()).await.unwrap();
    assert_eq!((done.state, done.counts.merged), (CycleState::Completed, 2), "the other merge stands");
    let dropped = bed.store.cycle_changes(done.id, Some("dropped"), None, 10).await.unwrap();
    assert_eq!(dropped.len(), 1);
    let contents: Vec<(String, bool)> =
        rows(&bed).await.into_iter().map(|(content, died)| (content, died.is_some())).collect();
    let expected = [
        ("The port is 8080", false),
        ("Port 8080 it is", false),
        ("Tea is at four", true),
        ("At four is tea", true),
        ("Tea at four.", false),
    ];
    assert_eq!(contents, expected.map(|(content, died)| (content.to_owned(), died)));
}

#[tokio::test]
async fn a_night_that_fails_or_is_rejected_or_taken_back_leaves_everything_as_it_was() {
    let bed = Bed::make().await;
    let (a, b) = (put(&bed, "The port is 8080").await, put(&bed, "Port 8080 it is").await);
    let start = rows(&bed).await;
    for way in ["fail", "cancel", "reject", "roll back"] {
        let lease = begun(&bed).await;
        let id = lease.cycle.id;
        for phase in [CyclePhase::Extract, CyclePhase::Dedupe] {
            bed.store.finish_phase(&lease, phase, &PhaseEnd::default()).await.unwrap();
        }
        bed.store.finish_phase(&lease, CyclePhase::Merge, &merged(&[&a, &b], "Port 8080.")).await.unwrap();
        to_the_last(&bed, &lease, CyclePhase::Contradict).await;
        let ended = match way {
            "fail" => bed.store.fail_cycle(lease, "for a test", &[]).await.unwrap(),
            "cancel" => bed.store.cancel_cycle(id, "ada").await.unwrap(),
            "reject" => {
                // As many are answered after as before, and one of them no more.
                let worse = GateFinding { probes: vec![(false, true), (true, false)], kept: 0 };
                bed.store.publish_cycle(lease, &worse).await.unwrap()
            }
            _ => {
                bed.store.publish_cycle(lease, &GateFinding::default()).await.unwrap();
                match bed.store.roll_back_cycle(id, RollbackWish::default(), "ada").await.unwrap() {
                    RolledBack::Done(mut cycles) => cycles.remove(0),
                    RolledBack::Conflicts(conflicts) => panic!("{conflicts:?}"),
                }
            }
        };
        let expected = match way {
            "fail" => CycleState::Failed,
            "cancel" => CycleState::Cancelled,
            "reject" => CycleState::RejectedByGate,
            _ => CycleState::RolledBack,
        };
        assert_eq!(ended.state, expected);
        let now: Vec<_> = rows(&bed).await.into_iter().take(2).collect();
        assert_eq!(now, start, "{way}");
    }
    let active: i64 =
        sqlx::query_scalar("SELECT count(*) FROM memory_versions WHERE state IN ('active', 'building')")
            .fetch_one(&bed.pool)
            .await
            .unwrap();
    assert_eq!(active, 0);
}

#[tokio::test]
async fn a_night_given_back_waits_for_its_time_and_skips_are_kept() {
    let bed = Bed::make().await;
    let lease = begun(&bed).await;
    let skipped = json!({ "phase": "extract", "what": "x", "count": 1, "why": "money" });
    let end = PhaseEnd { skipped: vec![skipped.clone()], stopped_by: Some("money"), ..PhaseEnd::default() };
    bed.store.finish_phase(&lease, CyclePhase::Extract, &end).await.unwrap();
    let id = lease.cycle.id;
    bed.store.leave_cycle(lease, Duration::from_secs(600)).await.unwrap();
    assert!(bed.store.take_cycle("two").await.unwrap().is_none());
    let cycle = bed.store.sleep_cycle(id).await.unwrap();
    assert_eq!(
        (cycle.skipped, cycle.stopped_by.as_deref(), cycle.worker),
        (json!([skipped]), Some("money"), None)
    );
}
