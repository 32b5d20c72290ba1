use hive_domain::{
    ContextId, Lease, MemoryOwner, MemoryVersionId, NanoUsd, ProjectId, VersionState, journal::Entry,
};
use hive_store::Error;

use super::{asleep, end_cycles, night, wake_pass};
use crate::bed::{Bed, outcome};

/// A night that brings an entry with this text.
async fn night_that_brings(bed: &Bed, text: &str) {
    asleep(bed).await;
    let version = MemoryVersionId::new();
    let owner = MemoryOwner::Agent(ProjectId::DEFAULT, bed.agent);
    bed.store.begin_memory_version(version, owner).await.unwrap();
    bed.execute(&format!(
        "INSERT INTO contexts (id, lineage, scope, project_id, agent_id, kind, trust, author, valid_from, content, born_version)
         VALUES ('{0}', '{0}', 'agent', '{1}', '{2}', 'fact', 'agent', 'a night', now(), '{text}', '{version}')",
        ContextId::new(),
        ProjectId::DEFAULT,
        bed.agent
    ))
    .await;
    bed.store.move_memory_version(version, VersionState::Building, VersionState::Active).await.unwrap();
    end_cycles(bed, "completed").await;
    assert_eq!(wake_pass(bed).await.len(), 1);
}

fn text(entry: Option<Entry>) -> String {
    match entry {
        Some(Entry::Briefing(briefing)) => briefing.text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_run_tells_it_and_no_other() {
    let bed = Bed::make().await;
    night_that_brings(&bed, "Deploys need the staging token.").await;
    let (one, two) = (bed.enqueue().await, bed.enqueue().await);
    let (mut first, mut second) = (bed.claim(one).await, bed.claim(two).await);
    assert!(first.leased.briefing_waits && second.leased.briefing_waits, "neither has told it");
    let before = first.next_seq();
    let told = text(bed.store.brief(&mut first).await.unwrap());
    assert!(told.contains("1 new, 0 retired") && told.contains("> new (agent) Deploys need"), "{told}");
    assert!(bed.store.brief(&mut second).await.unwrap().is_none());
    assert_eq!(second.next_seq(), 1, "nothing was written there");
    let (sleep, _) = night(&bed).await;
    assert_eq!(sleep.briefed, Some((one, before)));
    let steps = bed.store.steps(one, 0, 10).await.unwrap();
    assert_eq!(text(Some(steps[0].entry.clone())), told, "the journal holds the words themselves");
    assert_eq!(bed.task(one).await.journal_format, Some(hive_domain::journal::BRIEFING_FORMAT));
    // A repeated call, whose first answer was lost.
    let mut repeated = Lease::new((), one, first.epoch(), before);
    assert_eq!(text(bed.store.brief(&mut repeated).await.unwrap()), told);
    assert_eq!((repeated.next_seq(), bed.number("SELECT count(*) FROM steps").await), (before + 1, 1));
    assert!(bed.store.verify_sleeps().await.unwrap().iter().all(|check| check.found == 0));

    bed.settle_with(&first, &outcome("yield")).await;
    assert!(!bed.claim(one).await.leased.briefing_waits);
    // Who lost the lease tells nothing.
    assert!(matches!(bed.store.brief(&mut first).await, Err(Error::Fenced { .. })));
}

#[tokio::test]
async fn a_later_night_tells_what_an_untold_one_would_have() {
    let bed = Bed::make().await;
    night_that_brings(&bed, "First.").await;
    night_that_brings(&bed, "Second.").await;
    let task = bed.enqueue().await;
    let mut lease = bed.claim(task).await;
    let told = text(bed.store.brief(&mut lease).await.unwrap());
    bed.settle_with(&lease, &outcome("done")).await;
    assert!(told.contains("2 new") && told.contains("First.") && told.contains("Second."), "{told}");
    assert_eq!(bed.number("SELECT count(*) FROM sleeps WHERE briefing_due").await, 0);
    night_that_brings(&bed, "Third.").await;
    let told = night(&bed).await.0.briefing.unwrap().text;
    assert!(told.contains("1 new") && !told.contains("First."), "{told}");
}

/// Puts two entries of an agent into its memory, as it would itself: no night brought them.
async fn entries(bed: &Bed, texts: [&str; 2]) -> [ContextId; 2] {
    let ids = [ContextId::new(), ContextId::new()];
    for (id, text) in ids.iter().zip(texts) {
        bed.execute(&format!(
            "INSERT INTO contexts (id, lineage, scope, project_id, agent_id, kind, trust, author, valid_from, content)
             VALUES ('{id}', '{id}', 'agent', '{}', '{}', 'fact', 'agent', 'builder', now(), '{text}')",
            ProjectId::DEFAULT,
            bed.agent
        ))
        .await;
    }
    ids
}

#[tokio::test]
async fn what_a_night_retired_is_told_and_the_copy_of_what_was_overtaken_is_nothing_new() {
    let bed = Bed::make().await;
    let [old, _] = entries(&bed, ["The queue holds 500.", "The queue holds 900."]).await;
    asleep(&bed).await;
    let version = MemoryVersionId::new();
    let owner = MemoryOwner::Agent(ProjectId::DEFAULT, bed.agent);
    bed.store.begin_memory_version(version, owner).await.unwrap();
    bed.execute(&format!("UPDATE contexts SET died_version = '{version}' WHERE id = '{old}'")).await;
    bed.execute(&format!(
        "INSERT INTO contexts (id, lineage, scope, project_id, agent_id, kind, trust, author, valid_from, valid_to,
                               content, born_version)
         SELECT '{}', lineage, scope, project_id, agent_id, kind, trust, author, valid_from, now(), content, '{version}'
         FROM contexts WHERE id = '{old}'",
        ContextId::new()
    ))
    .await;
    bed.store.move_memory_version(version, VersionState::Building, VersionState::Active).await.unwrap();
    // Another agent falls asleep, too: a night that could not end would hold up the others.
    let other = crate::bed::new_agent("zzz", "qa");
    bed.store.create_agent(&other).await.unwrap();
    bed.store.sleep(&super::only(other.id), hive_domain::SleepTrigger::Manual, "ada").await.unwrap();
    bed.store.fall_asleep().await.unwrap();
    end_cycles(&bed, "completed").await;
    assert_eq!(wake_pass(&bed).await.len(), 2);
    let told = night(&bed).await.0.briefing.unwrap().text;
    assert!(
        told.contains("0 new, 1 retired") && told.contains("> retired (agent) The queue holds 500."),
        "{told}"
    );
}

#[tokio::test]
async fn who_cannot_be_told_what_happened_wakes_all_the_same() {
    let bed = Bed::make().await;
    let other = crate::bed::new_agent("zzz", "qa");
    bed.store.create_agent(&other).await.unwrap();
    for agent in [bed.agent, other.id] {
        bed.store.sleep(&super::only(agent), hive_domain::SleepTrigger::Manual, "ada").await.unwrap();
    }
    bed.store.fall_asleep().await.unwrap();
    end_cycles(&bed, "completed").await;
    bed.store.begin_to_wake().await.unwrap();
    bed.execute("ALTER TABLE message_deliveries RENAME TO message_deliveries_away").await;
    assert_eq!(bed.store.end_nights().await.unwrap().len(), 2);
    bed.execute("ALTER TABLE message_deliveries_away RENAME TO message_deliveries").await;
    let told = night(&bed).await.0.briefing.unwrap().text;
    assert!(told.contains("could not be read") && !told.contains("Unread messages"), "{told}");
}

#[tokio::test]
async fn what_others_may_not_recall_is_not_told_them() {
    let bed = Bed::make().await;
    let other = crate::bed::new_agent("tester", "qa");
    bed.store.create_agent(&other).await.unwrap();
    night_that_brings(&bed, "A secret of the builder.").await;
    bed.store
        .sleep(&hive_domain::Sleepers::AgentIds(vec![other.id]), hive_domain::SleepTrigger::Manual, "ada")
        .await
        .unwrap();
    bed.store.fall_asleep().await.unwrap();
    end_cycles(&bed, "completed").await;
    wake_pass(&bed).await;
    let sleeps = bed.store.sleeps(other.id, None, 1).await.unwrap();
    let told = sleeps[0].0.briefing.clone().unwrap().text;
    assert!(told.contains("0 new") && !told.contains("secret"), "{told}");
}

#[tokio::test]
async fn what_a_night_saves_is_counted_with_its_sample() {
    let bed = Bed::make().await;
    let work = async |tokens: i64| {
        let task = bed.enqueue().await;
        bed.settle(task, &outcome("done")).await;
        bed.execute(&format!(
            "UPDATE tasks SET input_tokens = {tokens}, cost_nano_usd = {tokens} WHERE id = '{task}'"
        ))
        .await;
    };
    for tokens in [900, 1_100, 1_000] {
        work(tokens).await;
    }
    let sleep = asleep(&bed).await;
    end_cycles(&bed, "completed").await;
    wake_pass(&bed).await;
    work(400).await;
    work(600).await;
    let savings = bed.store.savings(bed.agent, &[sleep.id]).await.unwrap();
    let (before, after) = (savings[0].1.before, savings[0].1.after);
    assert_eq!(
        (before.tasks, before.tokens_per_task, before.cost_per_task),
        (3, Some(1_000.0), Some(NanoUsd(1_000)))
    );
    assert_eq!((after.tasks, after.tokens_per_task), (2, Some(500.0)));
    let census = bed.store.sleep_census().await.unwrap();
    assert_eq!((census.before.tasks, census.after.tokens_per_task), (3, Some(500.0)));
    // The next night ends the day after this one.
    asleep(&bed).await;
    end_cycles(&bed, "failed").await;
    wake_pass(&bed).await;
    work(9_000).await;
    let savings = bed.store.savings(bed.agent, &[sleep.id]).await.unwrap();
    assert_eq!(savings[0].1.after.tasks, 2);
}
