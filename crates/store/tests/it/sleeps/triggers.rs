use std::time::Duration;

use hive_domain::{
    ContextId, MemoryOwner, NanoUsd, PauseMode, ProjectId, SleepSettings, SleepTrigger, Sleepers, TaskId,
    TrustClass,
};
use hive_store::{Error, Makes, NewContext, NewSchedule, PauseScope, Plan};

use super::{end_cycles, wake_pass};
use crate::bed::{Bed, connect, outcome};

async fn settings(bed: &Bed, settings: SleepSettings) {
    bed.store.set_sleep_settings(bed.agent, &settings, None, "ada").await.unwrap();
}

/// What begins in one look.
async fn begun(bed: &Bed) -> Vec<SleepTrigger> {
    let put = bed.store.sleep_by_themselves().await.unwrap();
    put.iter().flat_map(|put| &put.begun).map(|sleep| sleep.trigger).collect()
}

async fn night_passes(bed: &Bed) {
    bed.store.fall_asleep().await.unwrap();
    end_cycles(bed, "completed").await;
    assert_eq!(wake_pass(bed).await.len(), 1);
}

async fn remember(bed: &Bed) {
    remember_as(bed, ContextId::new()).await;
}

async fn remember_as(bed: &Bed, id: ContextId) {
    let new = NewContext {
        id,
        owner: MemoryOwner::Agent(ProjectId::DEFAULT, bed.agent),
        parent: None,
        follows: None,
        kind: "fact".to_owned(),
        title: String::new(),
        content: "The port is 7700.".to_owned(),
        trust: TrustClass::User,
        author: "ada".to_owned(),
        origin: None,
        sources: Vec::new(),
        valid_from: None,
        valid_to: None,
        importance: 0.5,
        pinned: false,
    };
    bed.store.put_context(&new, None).await.unwrap();
}

async fn work(bed: &Bed) -> TaskId {
    let task = bed.enqueue().await;
    let mut lease = bed.claim(task).await;
    bed.append_note(&mut lease, "one").await;
    bed.append_note(&mut lease, "two").await;
    bed.settle_with(&lease, &outcome("done")).await;
    task
}

#[tokio::test]
async fn an_agent_without_work_sleeps_once_for_what_is_new() {
    let bed = Bed::make().await;
    assert!(begun(&bed).await.is_empty(), "nobody said that it may");
    settings(&bed, SleepSettings { idle_seconds: Some(600), ..SleepSettings::default() }).await;
    let task = work(&bed).await;
    assert!(begun(&bed).await.is_empty(), "it has only just worked");
    // The agent and its task are an hour old.
    bed.execute("UPDATE agents SET created_at = created_at - interval '2 h'").await;
    bed.execute("UPDATE tasks SET completed_at = completed_at - interval '1 h', created_at = created_at - interval '1 h', started_at = started_at - interval '1 h'").await;
    let open = bed.enqueue().await;
    assert!(begun(&bed).await.is_empty(), "it has a task");
    bed.store.cancel(open, "ada").await.unwrap();
    bed.execute(&format!("UPDATE tasks SET completed_at = completed_at - interval '1 h', created_at = created_at - interval '1 h' WHERE id <> '{task}'")).await;
    assert_eq!(begun(&bed).await, [SleepTrigger::Idle]);
    assert!(begun(&bed).await.is_empty(), "it falls asleep");
    night_passes(&bed).await;
    assert!(begun(&bed).await.is_empty(), "nothing is new since its night");
}

#[tokio::test]
async fn entries_and_steps_since_the_last_night_press() {
    let bed = Bed::make().await;
    let press = SleepSettings { pressure_entries: Some(3), ..SleepSettings::default() };
    settings(&bed, press).await;
    remember(&bed).await;
    remember(&bed).await;
    assert!(begun(&bed).await.is_empty(), "two of three");
    remember(&bed).await;
    assert_eq!(begun(&bed).await, [SleepTrigger::Pressure]);
    night_passes(&bed).await;
    remember(&bed).await;
    assert!(begun(&bed).await.is_empty(), "those before the night do not count");

    settings(&bed, SleepSettings { pressure_steps: Some(3), ..SleepSettings::default() }).await;
    work(&bed).await;
    assert!(begun(&bed).await.is_empty(), "two of three");
    work(&bed).await;
    assert_eq!(begun(&bed).await, [SleepTrigger::Pressure]);
    night_passes(&bed).await;
    assert!(begun(&bed).await.is_empty());
}

#[tokio::test]
async fn a_schedule_puts_its_agents_to_sleep() {
    let bed = Bed::make().await;
    let plan = Plan {
        name: "nightly".to_owned(),
        cron: "* * * * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        overlap: hive_domain::Overlap::Skip,
        catch_up: hive_domain::CatchUp::One,
        catch_up_limit: 1,
        enabled: true,
        makes: Makes::Sleep(Sleepers::AgentIds(vec![bed.agent])),
    };
    let id = hive_domain::ScheduleId::new();
    let new = NewSchedule { id, project: ProjectId::DEFAULT, created_by: "ada".to_owned(), plan };
    bed.store.create_schedule(&new).await.unwrap();
    let kept = bed.store.schedule(id).await.unwrap().plan.makes;
    assert!(matches!(kept, Makes::Sleep(Sleepers::AgentIds(ids)) if ids == [bed.agent]));
    bed.execute("UPDATE schedules SET next_slot = now() - interval '2 s'").await;
    let fired = bed.store.fire(id, None).await.unwrap();
    assert_eq!((fired.lags.len(), fired.refused), (1, 0));
    let (night, _) = super::night(&bed).await;
    assert_eq!((night.trigger, night.requested_by.as_str()), (SleepTrigger::Cron, "schedule nightly"));

    bed.execute("DELETE FROM cron_slots").await;
    bed.execute("UPDATE sleeps SET state = 'waking', waking_at = now(), wake_reason = 'requested'").await;
    bed.store.end_nights().await.unwrap();
    bed.enqueue_with(|new| new.priority = hive_domain::Priority::try_from(1).unwrap()).await;
    bed.execute("UPDATE schedules SET next_slot = now() - interval '2 s'").await;
    let fired = bed.store.fire(id, None).await.unwrap();
    assert_eq!(
        (fired.lags.len(), fired.refused),
        (0, 1),
        "who has urgent work stays awake, and the slot says so"
    );
}

#[tokio::test]
async fn entries_press_whatever_their_ids_are() {
    let bed = Bed::make().await;
    settings(&bed, SleepSettings { pressure_entries: Some(3), ..SleepSettings::default() }).await;
    // What runs remember has ids by the digest of the call: any old one may be greater than all new ones.
    let id = |first: u8, number: u8| {
        let mut bytes = [number; 16];
        bytes[0] = first;
        ContextId::from(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    };
    for number in 0..3 {
        remember_as(&bed, id(0xf0, number)).await;
    }
    assert_eq!(begun(&bed).await, [SleepTrigger::Pressure]);
    night_passes(&bed).await;
    for number in 0..3 {
        assert!(begun(&bed).await.is_empty(), "{number} are new");
        remember_as(&bed, id(0x10, number)).await;
    }
    assert_eq!(begun(&bed).await, [SleepTrigger::Pressure]);
}

#[tokio::test]
async fn whatever_begins_a_night_its_cycle_has_the_money_that_was_set() {
    let bed = Bed::make().await;
    let bound = async || {
        bed.store.fall_asleep().await.unwrap();
        let cycles = bed.store.sleep_cycles(Default::default(), None, 1).await.unwrap();
        end_cycles(&bed, "completed").await;
        wake_pass(&bed).await;
        (cycles[0].trigger, cycles[0].budget.money)
    };
    super::put_to_sleep(&bed).await;
    assert_eq!(bound().await, (SleepTrigger::Manual, Some(NanoUsd(1_000_000_000))), "a dollar unless named");
    let little = SleepSettings {
        idle_seconds: Some(600),
        pressure_entries: Some(1),
        night_money: NanoUsd(7),
        ..SleepSettings::default()
    };
    settings(&bed, little).await;
    super::put_to_sleep(&bed).await;
    assert_eq!(bound().await, (SleepTrigger::Manual, Some(NanoUsd(7))));
    remember(&bed).await;
    assert_eq!(begun(&bed).await, [SleepTrigger::Pressure]);
    assert_eq!(bound().await, (SleepTrigger::Pressure, Some(NanoUsd(7))));
}

#[tokio::test]
async fn of_two_who_change_settings_at_once_the_second_is_told() {
    let bed = Bed::make().await;
    let other = connect(&bed.database);
    let (ours, theirs) = (
        SleepSettings { idle_seconds: Some(60), ..SleepSettings::default() },
        SleepSettings { pressure_steps: Some(5), ..SleepSettings::default() },
    );
    for version in [0, 1] {
        assert_eq!(bed.store.sleep_settings(bed.agent).await.unwrap().version, version);
        let (one, two) = tokio::join!(
            bed.store.set_sleep_settings(bed.agent, &ours, Some(version), "ada"),
            other.set_sleep_settings(bed.agent, &theirs, Some(version), "bob"),
        );
        let refused = [&one, &two]
            .into_iter()
            .filter(|set| matches!(set, Err(Error::Conflict { code: "sleep_settings_changed", .. })));
        assert_eq!(refused.count(), 1, "{one:?} {two:?}");
    }
    let set = bed.store.set_sleep_settings(bed.agent, &ours, None, "ada").await.unwrap();
    assert_eq!(
        (set.version, set.settings.idle_seconds),
        (3, Some(60)),
        "who names no version says it anyway"
    );
}

#[tokio::test]
async fn while_the_fleet_is_paused_nobody_falls_asleep_by_themselves_and_no_night_goes_on() {
    let bed = Bed::make().await;
    settings(&bed, SleepSettings { idle_seconds: Some(1), ..SleepSettings::default() }).await;
    let task = bed.enqueue().await;
    bed.settle(task, &outcome("done")).await;
    bed.execute(&format!(
        "UPDATE agents SET created_at = created_at - interval '2 h';
         UPDATE tasks SET assigned_agent_id = '{}', completed_at = now() - interval '1 h' WHERE id = '{task}'",
        bed.agent
    ))
    .await;
    let pause = async |mode: PauseMode| {
        let fleet = PauseScope { kind: "fleet".to_owned(), name: String::new() };
        bed.store.pause(&fleet, mode, "maintenance", None, "ada").await.unwrap();
    };
    for mode in [PauseMode::Pause, PauseMode::Drain] {
        pause(mode).await;
        assert!(bed.store.sleep_by_themselves().await.unwrap().is_empty(), "{mode:?}");
    }
    bed.execute("DELETE FROM pauses").await;
    assert_eq!(bed.store.sleep_by_themselves().await.unwrap()[0].begun.len(), 1);
    bed.store.fall_asleep().await.unwrap();

    for mode in [PauseMode::Pause, PauseMode::Drain] {
        pause(mode).await;
        assert!(bed.store.take_cycle("one").await.unwrap().is_none(), "none begins: {mode:?}");
    }
    bed.execute("DELETE FROM pauses").await;
    let lease = bed.store.take_cycle("one").await.unwrap().unwrap();
    bed.store.leave_cycle(lease, Duration::ZERO).await.unwrap();
    pause(PauseMode::Pause).await;
    assert!(bed.store.take_cycle("one").await.unwrap().is_none(), "what has begun waits");
    pause(PauseMode::Drain).await;
    assert!(bed.store.take_cycle("one").await.unwrap().is_some(), "what has begun may end");
}
