//! Schedules fired by real processes that are killed and frozen, and what one pass does.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use hive_domain::{
    CatchUp, Overlap, ProjectId, ScheduleId, SlotOutcome,
    task::{NewTask, Performer},
};
use hive_scheduler::duties;
use hive_store::{DutyOptions, Makes, NewSchedule, Plan, Store};

use crate::{
    process::Process,
    stage::{PATIENCE, Stage, tickets},
};

fn plan(name: &str, cron: &str) -> Plan {
    let task = NewTask::titled(name, Performer::Noop, "test");
    Plan {
        name: name.to_owned(),
        cron: cron.to_owned(),
        time_zone: "UTC".to_owned(),
        overlap: Overlap::Allow,
        catch_up: CatchUp::All,
        catch_up_limit: 1_000,
        enabled: true,
        makes: Makes::Task(Box::new(task)),
    }
}

async fn schedule(store: &Store, plan: Plan) -> ScheduleId {
    let new = NewSchedule {
        id: ScheduleId::new(),
        project: ProjectId::DEFAULT,
        created_by: "test".to_owned(),
        plan,
    };
    store.create_schedule(&new).await.unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_fires_what_is_due_and_announces_it() {
    let stage = Stage::set().await;
    let doors = stage.doors();
    let id = schedule(&doors.store, plan("each second", "* * * * * *")).await;
    let start = Instant::now();
    while duties::schedules(&doors).await.unwrap() == 0 {
        assert!(start.elapsed() < PATIENCE, "it never fired");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let slots = doors.store.slots(id, 10).await.unwrap();
    assert_eq!(tickets(&doors).await, slots.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_hangs_stops_no_other() {
    let stage = Stage::set().await;
    let doors = stage.doors();
    let pool = stage.database.pool().await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO sessions (id, project_id, created_by, name)
         VALUES ('00000000-0000-7000-8000-0000000000aa', '00000000-0000-7000-8000-000000000001', 'test', 's')",
    )
    .execute(&pool)
    .await
    .unwrap();
    let mut hung = plan("hung", "* * * * * *");
    if let Makes::Task(task) = &mut hung.makes {
        task.session = Some("00000000-0000-7000-8000-0000000000aa".parse().unwrap());
    }
    let hung = schedule(&doors.store, hung).await;
    let well = schedule(&doors.store, plan("well", "* * * * * *")).await;
    // The insert of the one waits for this lock and never gets it.
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM sessions FOR UPDATE").execute(&mut *holder).await.unwrap();
    let mut process = Process::start(&stage.arguments());
    process.says("The scheduler is at work");
    let slots = async |id| doors.store.slots(id, 100).await.unwrap().len();
    let start = Instant::now();
    while slots(well).await < 8 {
        assert!(start.elapsed() < PATIENCE, "{} slots of the other one", slots(well).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(slots(hung).await, 0);
    let said = doors.store.schedule(hung).await.unwrap().last_error.unwrap_or_default();
    assert!(!said.is_empty(), "why it hangs is shown");
    holder.rollback().await.unwrap();
    // Every slot that it missed meanwhile fires.
    let start = Instant::now();
    while slots(hung).await < slots(well).await {
        assert!(start.elapsed() < PATIENCE * 3, "{} of {}", slots(hung).await, slots(well).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process.stops();
}

/// What happened to the slots of a one-second cadence.
struct Tally {
    fired: usize,
    missed: i64,
    doubled: i64,
    tasks: i64,
    lags: Vec<f64>,
}

async fn tally(pool: &sqlx::PgPool, id: ScheduleId) -> Tally {
    let slots: Vec<(DateTime<Utc>, f64)> = sqlx::query_as(
        "SELECT slot, extract(epoch FROM fired_at - slot)::float8 FROM cron_slots
         WHERE schedule_id = $1 AND outcome = 'fired' ORDER BY slot",
    )
    .bind(id.uuid())
    .fetch_all(pool)
    .await
    .unwrap();
    let tasks: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks WHERE created_by = 'schedule cadence'")
        .fetch_one(pool)
        .await
        .unwrap();
    let span = slots.last().map_or(0, |(last, _)| (*last - slots[0].0).num_seconds() + 1);
    let mut lags: Vec<f64> = slots.iter().map(|(_, lag)| *lag).collect();
    lags.sort_by(f64::total_cmp);
    let fired = slots.len();
    Tally { fired, missed: span - fired as i64, doubled: tasks - fired as i64, tasks, lags }
}

/// Three schedulers, one slot a second, and each few seconds one of them is killed and replaced, or frozen and thawed.
/// `HIVE_SLOTS_TESTED` chooses another number of slots.
#[tokio::test(flavor = "multi_thread")]
async fn under_kills_and_freezes_each_slot_fires_once() {
    let wanted: usize =
        std::env::var("HIVE_SLOTS_TESTED").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let stage = Stage::set().await;
    let doors = stage.doors();
    let pool = stage.database.pool().await.unwrap();
    let id = schedule(&doors.store, plan("cadence", "* * * * * *")).await;
    let mut processes: Vec<Process> = (0..3).map(|_| Process::start(&stage.arguments())).collect();
    for process in &mut processes {
        process.says("The scheduler is at work");
    }
    let (mut kills, mut freezes, start) = (0, 0, Instant::now());
    let limit = Duration::from_secs(wanted as u64 * 2 + 120);
    for round in 0.. {
        let done = tally(&pool, id).await;
        if done.fired >= wanted {
            break;
        }
        assert!(start.elapsed() < limit, "{} of {wanted} slots", done.fired);
        let victim = round % 3;
        if round % 2 == 0 {
            processes[victim].kill9();
            kills += 1;
            tokio::time::sleep(Duration::from_millis(1_300)).await;
            processes[victim] = Process::start(&stage.arguments());
        } else {
            processes[victim].signal("STOP");
            freezes += 1;
            tokio::time::sleep(Duration::from_millis(2_700)).await;
            processes[victim].signal("CONT");
        }
    }
    for process in &mut processes {
        process.signal("CONT");
        process.kill9();
    }
    let done = tally(&pool, id).await;
    let p99 = done.lags[(done.lags.len() - 1) * 99 / 100];
    println!(
        "{} slots in {:.0} s, {kills} kills, {freezes} freezes: {} missed, {} doubled, lag p50 {:.2} s, p99 {p99:.2} s, \
         most {:.2} s",
        done.fired,
        start.elapsed().as_secs_f64(),
        done.missed,
        done.doubled,
        done.lags[done.lags.len() / 2],
        done.lags[done.lags.len() - 1],
    );
    assert_eq!((done.missed, done.doubled), (0, 0), "of {} slots and {} tasks", done.fired, done.tasks);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_was_away_for_three_slots_follows_the_policy() {
    let stage = Stage::set().await;
    let doors = stage.doors();
    let pool = stage.database.pool().await.unwrap();
    let mut ids = Vec::new();
    for (catch_up, expected) in [(CatchUp::None, 0), (CatchUp::One, 1), (CatchUp::All, 3)] {
        // Every twenty minutes, so that none comes due during the test but those that were missed.
        let mut plan = plan(&catch_up.to_string(), "*/20 * * * *");
        plan.catch_up = catch_up;
        ids.push((schedule(&doors.store, plan).await, expected));
    }
    let edge: i64 =
        sqlx::query_scalar("SELECT extract(epoch FROM now())::bigint % 1200").fetch_one(&pool).await.unwrap();
    if !(5..1_140).contains(&edge) {
        // So near to a slot the outage would end in one; wait it out.
        tokio::time::sleep(Duration::from_secs(70)).await;
    }
    sqlx::query(
        "UPDATE schedules SET next_slot = to_timestamp(floor(extract(epoch FROM now()) / 1200) * 1200) - interval '40 minutes'",
    )
    .execute(&pool)
    .await
    .unwrap();
    let mut process = Process::start(&stage.arguments());
    process.says("The scheduler is at work");
    let start = Instant::now();
    loop {
        let due = doors.store.due_schedules(10).await.unwrap();
        if due.is_empty() {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{due:?} stays due");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (id, expected) in ids {
        let slots = doors.store.slots(id, 10).await.unwrap();
        let fired = slots.iter().filter(|slot| slot.outcome == SlotOutcome::Fired).count();
        let missed = slots.iter().filter(|slot| slot.outcome == SlotOutcome::Missed).count();
        assert_eq!((fired, missed), (expected, 3 - expected));
    }
    process.stops();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_systems_schedules_are_made_and_orders_are_done_and_counted() {
    let stage = Stage::set().await;
    let doors = stage.doors();
    let pool = stage.database.pool().await.unwrap();
    let mut process = Process::start(&stage.arguments());
    let address = process.address();
    process.says("schedules of the system");
    sqlx::query(
        "INSERT INTO workers (name, host, version, slots, isolated, seen_at)
                 VALUES ('w', 'h', '1', 1, false, now() - interval '400 days')",
    )
    .execute(&pool)
    .await
    .unwrap();
    let order = doors.store.order_duty("records", &DutyOptions::default(), "me").await.unwrap();
    let start = Instant::now();
    loop {
        let runs = doors.store.order(order).await.unwrap().runs;
        if let [run] = runs.as_slice()
            && run.finished_at.is_some()
        {
            assert_eq!((run.state.as_str(), run.done.removed_rows), ("done", 1));
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{runs:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for line in [
        r#"hive_housekeeping_runs_total{duty="records"} 1"#,
        r#"hive_housekeeping_removed_rows_total{duty="records"} 1"#,
        r#"hive_housekeeping_last_success_timestamp{duty="records",host=""}"#,
    ] {
        crate::process::shows(&address, "/metrics", line);
    }
    process.stops();
}
