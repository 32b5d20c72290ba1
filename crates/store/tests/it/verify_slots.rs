//! A slot that left no row is found, and nothing else is.

use std::time::Duration;

use hive_domain::{CatchUp, Overlap, ScheduleId};
use hive_store::verify::{Checked, Rows};

use crate::{bed::Bed, schedules::mid_minute};

/// A slot is late after half a minute: the test moves times, and does not wait for them.
const GRACE: Duration = Duration::from_secs(30);

async fn look(bed: &Bed) -> Checked {
    let checked = bed.store.verify_slots(GRACE).await.unwrap();
    assert_eq!((checked.name, checked.rows), ("slot_missing", Rows::Slots));
    assert_eq!(checked.found, checked.violations.len());
    checked
}

async fn evidence(bed: &Bed) -> Vec<String> {
    look(bed).await.violations.into_iter().map(|violation| violation.evidence).collect()
}

/// A schedule that was made so many minutes ago, and whose first slot comes only now.
async fn made_ago(bed: &Bed, name: &str, minutes: i64, catch_up: CatchUp, overlap: Overlap) -> ScheduleId {
    let schedule = bed
        .schedule(|plan| {
            plan.name = name.to_owned();
            (plan.catch_up, plan.overlap) = (catch_up, overlap);
        })
        .await;
    bed.miss(schedule.id, minutes).await;
    bed.execute(&format!(
        "UPDATE schedules SET slots_since = next_slot - interval '1 second' WHERE id = '{}'",
        schedule.id
    ))
    .await;
    schedule.id
}

/// The slot so many minutes ago.
fn slot(id: ScheduleId, minutes: i32) -> String {
    format!("schedule_id = '{id}' AND slot = date_trunc('minute', now()) - interval '{minutes} min'")
}

#[tokio::test]
async fn every_outcome_counts_and_a_row_that_is_gone_is_found() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    let mut all = Vec::new();
    for (catch_up, overlap) in [
        (CatchUp::None, Overlap::Allow),
        (CatchUp::One, Overlap::Allow),
        (CatchUp::All, Overlap::Skip),
        (CatchUp::All, Overlap::Queue),
        (CatchUp::All, Overlap::Allow),
    ] {
        let name = format!("{catch_up} {overlap}");
        all.push((name.clone(), made_ago(&bed, &name, 10, catch_up, overlap).await));
    }
    let before = look(&bed).await;
    assert!((45..=50).contains(&before.found), "nothing has fired so far: {before:?}");
    for (_, id) in &all {
        bed.fired(*id).await;
    }
    let whole = look(&bed).await;
    assert_eq!(whole.violations, [], "skipped, waiting and missed ones were seen to");
    assert!(whole.looked_at >= 45, "{whole:?}");

    for (name, id) in &all {
        let hidden = format!("UPDATE cron_slots SET slot = slot + interval '17 s' WHERE {}", slot(*id, 5));
        bed.execute(&hidden).await;
        let [evidence] = evidence(&bed).await.try_into().unwrap();
        assert!(evidence.contains(&format!("{name:?}")) && evidence.contains(&id.to_string()), "{evidence}");
        bed.execute(
            "UPDATE cron_slots SET slot = slot - interval '17 s' WHERE extract(second FROM slot) = 17",
        )
        .await;
    }
    bed.execute(&format!("DELETE FROM cron_slots WHERE {}", slot(all[0].1, 5))).await;
    let found = look(&bed).await;
    assert_eq!(found.found, 1, "{found:?}");
    // Nothing else has changed.
    let others = bed.store.verify(hive_store::verify::Scope::All).await.unwrap();
    assert!(others.iter().all(|check| check.found == 0), "{others:?}");
}

#[tokio::test]
async fn slots_before_a_change_those_that_are_late_and_those_of_a_disabled_one_are_not_asked_for() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    let id = made_ago(&bed, "nightly", 10, CatchUp::All, Overlap::Allow).await;
    assert!(look(&bed).await.found >= 9);
    let patient = bed.store.verify_slots(Duration::from_secs(3_600)).await.unwrap();
    assert_eq!((patient.found, patient.looked_at), (0, 0), "none is so late");

    bed.store.schedule_failed(id, "the repository is away").await.unwrap();
    assert!(evidence(&bed).await[0].contains("the repository is away"));

    let schedule = bed.store.schedule(id).await.unwrap();
    let mut plan = schedule.plan.clone();
    plan.name = "renamed".to_owned();
    let schedule = bed.store.update_schedule(id, schedule.version, &plan).await.unwrap();
    assert!(look(&bed).await.found >= 9, "a new name changes no slot");
    plan.enabled = false;
    let schedule = bed.store.update_schedule(id, schedule.version, &plan).await.unwrap();
    assert_eq!(look(&bed).await.looked_at, 0, "it is disabled");
    plan.enabled = true;
    bed.store.update_schedule(id, schedule.version, &plan).await.unwrap();
    assert_eq!(evidence(&bed).await, [""; 0], "what was due before it was enabled again does not count");
}

#[tokio::test]
async fn the_latest_hundred_are_looked_at_and_what_housekeeping_took_is_not_missed() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    let id = made_ago(&bed, "nightly", 1_000, CatchUp::One, Overlap::Allow).await;
    assert_eq!(look(&bed).await.looked_at, 100);
    bed.fired(id).await;
    assert_eq!(
        evidence(&bed).await,
        [""; 0],
        "more were dropped than leave a row, and none of those is asked for"
    );

    // Rows of the first half are gone.
    let half =
        format!("DELETE FROM cron_slots WHERE schedule_id = '{id}' AND slot < now() - interval '50 min'");
    bed.execute(&half).await;
    let gone = look(&bed).await.found;
    assert!((48..=52).contains(&gone), "{gone}");
    bed.execute("INSERT INTO housekeeping_successes VALUES ('records', '', now())").await;
    assert_eq!(evidence(&bed).await, [""; 0], "housekeeping may have taken them");
    bed.execute(&format!("DELETE FROM cron_slots WHERE {}", slot(id, 20))).await;
    assert_eq!(look(&bed).await.found, 1, "it takes none between others");
    bed.execute("DELETE FROM cron_slots").await;
    assert_eq!(look(&bed).await.found, 0, "all that there was may be old");
}
