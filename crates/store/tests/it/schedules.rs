//! Schedules: one slot fires once, missed slots follow the policy, and so do slots that meet a running task.

use std::collections::BTreeSet;

use hive_domain::{
    CatchUp, Outcome, Overlap, ProjectId, ScheduleId, SlotOutcome, TaskId, journal::TaskResult,
    task::Performer,
};
use hive_store::{DutyOptions, Error, Makes, NewSchedule, Plan, Schedule};

use crate::bed::{Bed, connect};

impl Bed {
    fn plan(&self, cron: &str) -> Plan {
        let mut task = self.new_task();
        task.performer = Performer::Noop;
        task.acceptance.clear();
        Plan {
            name: "nightly".to_owned(),
            cron: cron.to_owned(),
            time_zone: "UTC".to_owned(),
            overlap: Overlap::Allow,
            catch_up: CatchUp::All,
            catch_up_limit: 100,
            enabled: true,
            makes: Makes::Task(Box::new(task)),
        }
    }

    pub(crate) async fn schedule(&self, change: impl FnOnce(&mut Plan)) -> Schedule {
        let mut plan = self.plan("* * * * *");
        change(&mut plan);
        let new = NewSchedule {
            id: ScheduleId::new(),
            project: ProjectId::DEFAULT,
            created_by: "a test".to_owned(),
            plan,
        };
        self.store.create_schedule(&new).await.unwrap()
    }

    /// Nobody looked for some minutes: as many slots are due, the last of them long ago.
    pub(crate) async fn miss(&self, id: ScheduleId, minutes: i64) {
        let moved = sqlx::query(
            "UPDATE schedules SET next_slot = date_trunc('minute', now()) - make_interval(mins => $2::int - 1) WHERE id = $1",
        )
        .bind(id.uuid())
        .bind(minutes)
        .execute(&self.pool)
        .await
        .unwrap();
        assert_eq!(moved.rows_affected(), 1);
    }

    pub(crate) async fn fired(&self, id: ScheduleId) -> usize {
        self.store.fire(id, None).await.unwrap().tasks.len()
    }

    async fn outcomes(&self, id: ScheduleId) -> Vec<SlotOutcome> {
        let slots = self.store.slots(id, 100).await.unwrap();
        slots.into_iter().rev().map(|slot| slot.outcome).collect()
    }

    async fn finish(&self, id: TaskId) {
        self.settle(id, &Outcome::Done(TaskResult::default())).await;
    }
}

/// Far enough from a minute's edge for a test about minutes, by the database's clock.
pub(crate) async fn mid_minute(bed: &Bed) {
    while bed.number("SELECT extract(second FROM clock_timestamp())::bigint").await > 50
        || bed.number("SELECT extract(second FROM clock_timestamp())::bigint").await < 4
    {
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
}

#[tokio::test]
async fn a_due_slot_makes_its_task_once_whoever_fires() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    let schedule = bed.schedule(|_| {}).await;
    assert!(bed.store.due_schedules(10).await.unwrap().is_empty(), "its first slot lies ahead");
    assert_eq!(bed.fired(schedule.id).await, 0);

    bed.miss(schedule.id, 3).await;
    let due = bed.store.due_schedules(10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [schedule.id]);
    let mut schedulers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = connect(&bed.database);
        schedulers.spawn(async move { store.fire(schedule.id, None).await.unwrap().tasks });
    }
    let tasks: Vec<_> = schedulers.join_all().await.into_iter().flatten().collect();
    assert_eq!(tasks.len(), 3);
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, 3);
    let slots = bed.store.slots(schedule.id, 10).await.unwrap();
    let made: BTreeSet<_> = slots.iter().map(|slot| slot.task.unwrap()).collect();
    assert_eq!(made, tasks.iter().map(|task| task.id).collect());
    assert!(slots.iter().all(|slot| slot.fired_at.unwrap() > slot.slot));
    assert_eq!(tasks[0].created_by, "schedule nightly");
    assert_eq!(bed.event_kinds(tasks[0].id).await, ["task.created"]);

    assert_eq!(bed.fired(schedule.id).await, 0, "all that was due is done");
    // A row that goes back in time, as a restored one would, fires nothing twice.
    bed.miss(schedule.id, 3).await;
    assert_eq!(bed.fired(schedule.id).await, 0);
    let after = bed.store.schedule(schedule.id).await.unwrap();
    assert!(after.next_slot.unwrap() > after.now && after.last_slot.unwrap() <= after.now);
}

#[tokio::test]
async fn missed_slots_follow_the_policy() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    for (catch_up, bound, expected) in
        [(CatchUp::None, 100, 0), (CatchUp::One, 100, 1), (CatchUp::All, 100, 3), (CatchUp::All, 2, 2)]
    {
        let schedule = bed
            .schedule(|plan| {
                plan.name = format!("{catch_up} {bound}");
                plan.catch_up = catch_up;
                plan.catch_up_limit = bound;
            })
            .await;
        bed.miss(schedule.id, 3).await;
        assert_eq!(bed.fired(schedule.id).await, expected, "{catch_up} {bound}");
        let after = bed.store.schedule(schedule.id).await.unwrap();
        assert!(after.next_slot.unwrap() > after.now, "{catch_up}: the rest is dropped, not kept");
        let outcomes = bed.outcomes(schedule.id).await;
        let expected = [vec![SlotOutcome::Missed; 3 - expected], vec![SlotOutcome::Fired; expected]].concat();
        assert_eq!(outcomes, expected, "{catch_up} {bound}: and each leaves a row");
    }
    // Of very many that are dropped the latest leave one.
    let schedule = bed
        .schedule(|plan| {
            plan.name = "long gone".to_owned();
            plan.catch_up = CatchUp::One;
        })
        .await;
    bed.miss(schedule.id, 100_000).await;
    assert_eq!(bed.fired(schedule.id).await, 1);
    assert_eq!(bed.store.slots(schedule.id, 1_000).await.unwrap().len(), 101);
    // Many come in portions, each slot once.
    let schedule = bed.schedule(|plan| plan.name = "many".to_owned()).await;
    bed.miss(schedule.id, 60).await;
    let portions = [bed.fired(schedule.id).await, bed.fired(schedule.id).await, bed.fired(schedule.id).await];
    assert_eq!(portions, [25, 25, 10]);
    assert_eq!(bed.fired(schedule.id).await, 0);
}

#[tokio::test]
async fn a_slot_that_meets_a_running_task_follows_the_policy() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    use SlotOutcome::{Fired, Skipped, Waiting};
    for (overlap, expected) in [
        (Overlap::Allow, vec![Fired, Fired, Fired]),
        (Overlap::Skip, vec![Fired, Skipped, Skipped]),
        (Overlap::Queue, vec![Fired, Waiting, Skipped]),
    ] {
        let schedule = bed
            .schedule(|plan| {
                plan.name = overlap.to_string();
                plan.overlap = overlap;
            })
            .await;
        bed.miss(schedule.id, 3).await;
        bed.fired(schedule.id).await;
        assert_eq!(bed.outcomes(schedule.id).await, expected, "{overlap}");
        if overlap != Overlap::Queue {
            continue;
        }
        assert!(bed.store.due_schedules(10).await.unwrap().is_empty(), "the task still runs");
        let first = bed.store.slots(schedule.id, 10).await.unwrap()[2].task.unwrap();
        bed.finish(first).await;
        assert_eq!(bed.store.due_schedules(10).await.unwrap().len(), 1, "what waited is due");
        assert_eq!(bed.fired(schedule.id).await, 1);
        assert_eq!(bed.outcomes(schedule.id).await, [Fired, Fired, Skipped]);
        assert_eq!(bed.fired(schedule.id).await, 0);
    }
}

#[tokio::test]
async fn what_a_schedule_makes_may_be_refused_and_the_slot_says_so() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    let agent = bed.agent;
    let schedule = bed
        .schedule(|plan| {
            if let Makes::Task(task) = &mut plan.makes {
                task.performer = Performer::Agent(agent);
            }
        })
        .await;
    bed.store.update_agent(agent, None, None, Some(hive_domain::AgentStatus::Inactive), None).await.unwrap();
    bed.miss(schedule.id, 1).await;
    let fired = bed.store.fire(schedule.id, None).await.unwrap();
    assert_eq!((fired.tasks.len(), fired.refused), (0, 1));
    assert_eq!(bed.outcomes(schedule.id).await, [SlotOutcome::Refused]);
    let after = bed.store.schedule(schedule.id).await.unwrap();
    assert!(after.last_error.unwrap().contains("inactive"));
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, 0);

    bed.store.update_agent(agent, None, None, Some(hive_domain::AgentStatus::Active), None).await.unwrap();
    let (slot, task) = bed.store.fire_now(schedule.id, None).await.unwrap();
    assert_eq!((slot.manual, slot.outcome, slot.task), (true, SlotOutcome::Fired, task.map(|task| task.id)));
    assert_eq!(bed.store.schedule(schedule.id).await.unwrap().last_error, None);
}

#[tokio::test]
async fn a_change_starts_from_now_and_needs_the_version() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    let schedule = bed.schedule(|_| {}).await;
    bed.miss(schedule.id, 3).await;
    let off = Plan { enabled: false, ..schedule.plan.clone() };
    let off = bed.store.update_schedule(schedule.id, 1, &off).await.unwrap();
    assert!(bed.store.due_schedules(10).await.unwrap().is_empty(), "a disabled one is never due");
    assert_eq!(bed.fired(schedule.id).await, 0);
    let stale = bed.store.update_schedule(schedule.id, 1, &schedule.plan).await.unwrap_err();
    assert!(matches!(stale, Error::Conflict { code: "schedule_changed", .. }));
    let on = bed.store.update_schedule(schedule.id, off.version, &schedule.plan).await.unwrap();
    assert!(on.next_slot.unwrap() > on.now, "what was due while it was off does not fire");

    let twin = NewSchedule {
        id: ScheduleId::new(),
        project: ProjectId::DEFAULT,
        created_by: String::new(),
        plan: schedule.plan.clone(),
    };
    let taken = bed.store.create_schedule(&twin).await.unwrap_err();
    assert!(matches!(taken, Error::Conflict { code: "schedule_name_taken", .. }), "{taken:?}");
    bed.store.delete_schedule(schedule.id).await.unwrap();
    assert!(matches!(bed.store.schedule(schedule.id).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn the_schedules_of_the_system_are_made_once_and_order_their_duty() {
    let bed = Bed::make().await;
    let (one, two) = tokio::join!(bed.store.seed_schedules(), bed.store.seed_schedules());
    assert_eq!(one.unwrap() + two.unwrap(), hive_store::housekeeping::DUTIES.len());
    let all = bed.store.schedules(None, 100).await.unwrap();
    let pauses = all.iter().find(|schedule| schedule.plan.name == "system: ended_pauses").unwrap();
    let refused = bed.store.delete_schedule(pauses.id).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { code: "system_schedule", .. }));

    let mut plan = pauses.plan.clone();
    plan.makes = Makes::Duty("ended_pauses".to_owned(), DutyOptions { dry_run: true, keep_days: None });
    bed.store.update_schedule(pauses.id, 1, &plan).await.unwrap();
    bed.execute(
        "UPDATE schedules SET next_slot = date_trunc('hour', now()) WHERE name = 'system: ended_pauses'",
    )
    .await;
    bed.store.fire(pauses.id, None).await.unwrap();
    let slot = bed.store.slots(pauses.id, 1).await.unwrap().remove(0);
    let order = bed.store.order(slot.order.unwrap()).await.unwrap();
    assert_eq!((order.order.duty.as_str(), order.order.dry_run), ("ended_pauses", true));
    assert_eq!(order.ordered_by, "schedule system: ended_pauses");
}

#[tokio::test]
async fn a_hung_insert_is_given_up_and_its_slot_stays_due() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    bed.execute(
        "INSERT INTO sessions (id, project_id, created_by, name)
         VALUES ('00000000-0000-7000-8000-0000000000aa', '00000000-0000-7000-8000-000000000001', 'a test', 's')",
    )
    .await;
    let session = "00000000-0000-7000-8000-0000000000aa".parse().unwrap();
    let hung = bed
        .schedule(|plan| {
            if let Makes::Task(task) = &mut plan.makes {
                task.session = Some(session);
            }
        })
        .await;
    bed.miss(hung.id, 1).await;
    let mut holder = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM sessions FOR UPDATE").execute(&mut *holder).await.unwrap();
    let start = std::time::Instant::now();
    let error = bed.store.fire(hung.id, None).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(start.elapsed() < std::time::Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(bed.outcomes(hung.id).await.is_empty(), "nothing of it is left behind");
    holder.rollback().await.unwrap();
    assert_eq!(bed.fired(hung.id).await, 1);
}

#[tokio::test]
async fn a_rehearsed_task_leaves_nothing_behind() {
    let bed = Bed::make().await;
    bed.store.rehearse(&bed.new_task()).await.unwrap();
    let mut bad = bed.new_task();
    bad.performer = Performer::Type("nobody".to_owned());
    let error = bed.store.rehearse(&bad).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "/agent_type", .. }), "{error:?}");
    assert_eq!(bed.number("SELECT count(*) FROM tasks").await, 0);
}

#[tokio::test]
async fn what_a_person_fires_does_not_hide_what_runs() {
    let bed = Bed::make().await;
    mid_minute(&bed).await;
    let schedule = bed.schedule(|plan| plan.overlap = Overlap::Skip).await;
    bed.miss(schedule.id, 1).await;
    assert_eq!(bed.fired(schedule.id).await, 1);
    let (_, beside) = bed.store.fire_now(schedule.id, None).await.unwrap();
    bed.finish(beside.unwrap().id).await;
    bed.miss(schedule.id, 2).await;
    assert_eq!(bed.fired(schedule.id).await, 0, "the task of the slot before has not ended");
    let skipped = bed.outcomes(schedule.id).await;
    assert_eq!(skipped.iter().filter(|outcome| **outcome == SlotOutcome::Skipped).count(), 1);
}
