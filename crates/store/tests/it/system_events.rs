//! What happens to the system: each change of a table is told in its transaction, in the order of the commits.

use std::{collections::BTreeSet, time::Duration};

use hive_domain::{Channel, NanoUsd, SystemEventKind};
use hive_store::{
    SystemEvent, SystemEventFilter,
    housekeeping::{Order, Retention},
};
use serde_json::json;

use crate::{
    bed::Bed,
    budgets::{begin, of_task},
};

const ANY: i64 = i64::MAX;

async fn all(bed: &Bed) -> Vec<SystemEvent> {
    bed.store.system_events_after(&SystemEventFilter::default(), 0, ANY, 10_000).await.unwrap()
}

fn numbers(events: &[SystemEvent]) -> Vec<i64> {
    events.iter().map(|event| event.seq).collect()
}

/// What each table's changes have to tell, one statement after the other. `{agent}` is an agent.
const CHANGES: [(&str, &[&str]); 22] = [
    ("INSERT INTO pauses (scope, name, mode, created_by) VALUES ('fleet', '', 'pause', 'somebody')", &["queue.paused"]),
    ("UPDATE pauses SET mode = 'drain'", &["queue.drained"]),
    ("DELETE FROM pauses", &["queue.resumed"]),
    (
        "INSERT INTO sleeps (id, agent_id, trigger, requested_by, falls_by, wake_by)
         VALUES ('019b9300-0000-7000-8000-00000000000a', '{agent}', 'manual', 'somebody', now(), now() + interval '1 hour');
         INSERT INTO sleep_events (sleep_id, seq, kind)
         SELECT '019b9300-0000-7000-8000-00000000000a', n, kind
         FROM unnest(enum_range(NULL::sleep_state)) WITH ORDINALITY AS k (kind, n)",
        &["agent.falling_asleep", "agent.asleep", "agent.waking", "agent.awake"],
    ),
    (
        "INSERT INTO memory_versions (id, scope, project_id, agent_id, number)
         VALUES ('019b9300-0000-7000-8000-00000000000b', 'agent', '00000000-0000-7000-8000-000000000001', '{agent}', 1);
         INSERT INTO sleep_cycles (id, scope, project_id, agent_id, trigger, asked_by, budget_minutes, version_id)
         VALUES ('019b9300-0000-7000-8000-00000000000c', 'agent', '00000000-0000-7000-8000-000000000001', '{agent}',
                 'manual', 'somebody', 60, '019b9300-0000-7000-8000-00000000000b')",
        &["sleep_cycle.pending"],
    ),
    (
        "UPDATE sleep_cycles SET state = 'running', worker = 'w', lease_until = now(), started_at = now();
         UPDATE sleep_cycles SET epoch = epoch + 1",
        &["sleep_cycle.running"],
    ),
    ("UPDATE sleep_cycles SET state = 'completed', worker = NULL, lease_until = NULL, finished_at = now()", &[
        "sleep_cycle.completed",
    ]),
    ("UPDATE sleep_cycles SET state = 'rolled_back', rolled_back_at = now(), rolled_back_by = 'somebody'", &[
        "sleep_cycle.rolled_back",
    ]),
    (
        "UPDATE sleep_cycles SET state = 'rejected_by_gate', rolled_back_at = NULL;
         UPDATE sleep_cycles SET state = 'failed', failure = 'no answer';
         UPDATE sleep_cycles SET state = 'cancelled'",
        &["sleep_cycle.rejected_by_gate", "sleep_cycle.failed", "sleep_cycle.cancelled"],
    ),
    (
        "INSERT INTO system_checkpoints (id, requested_by) VALUES ('019b9300-0000-7000-8000-00000000000d', 'somebody');
         UPDATE system_checkpoints SET status = 'running', worker = 'w', lease_until = now(), started_at = now();
         UPDATE system_checkpoints SET lease_until = now() + interval '10 s';
         UPDATE system_checkpoints SET status = 'failed', lease_until = NULL, finished_at = now(), error = 'full'",
        &["checkpoint.waiting", "checkpoint.running", "checkpoint.failed"],
    ),
    (
        "UPDATE system_checkpoints SET status = 'done', error = NULL, directory = 'd', manifest_sha256 = repeat('0', 64),
                                       bytes = 1, state = '{}';
         UPDATE system_checkpoints SET removed_at = now()",
        &["checkpoint.done", "checkpoint.removed"],
    ),
    ("SELECT tell_system('system_events', 'checkpoint.restored', 'c', '{}')", &["checkpoint.restored"]),
    (
        "INSERT INTO provider_events (key_id, model, kind)
         SELECT 'k', 'm', unnest(ARRAY['breaker_opened', 'breaker_closed', 'key_stopped', 'key_resumed', 'hold_lifted'])",
        &[
            "provider.breaker_opened",
            "provider.breaker_closed",
            "provider.key_stopped",
            "provider.key_resumed",
            "provider.hold_lifted",
        ],
    ),
    (
        "INSERT INTO provider_models (key_id, model, hold_until) VALUES ('k', 'm', now() + interval '5 s');
         UPDATE provider_models SET hold_until = now() + interval '9 s';
         UPDATE provider_models SET hold_until = NULL",
        &["provider.held"],
    ),
    (
        "INSERT INTO schedules (id, project_id, created_by, name, cron, time_zone, overlap, catch_up, catch_up_limit, enabled, duty)
         VALUES ('019b9300-0000-7000-8000-00000000000e', '00000000-0000-7000-8000-000000000001', 'somebody', 'n', '* * * * *',
                 'UTC', 'skip', 'none', 1, true, 'records');
         UPDATE schedules SET last_slot = now();
         UPDATE schedules SET enabled = false; UPDATE schedules SET enabled = true",
        &["schedule.created", "schedule.disabled", "schedule.enabled"],
    ),
    (
        "UPDATE schedules SET last_error = 'no base'; UPDATE schedules SET last_error = 'still no base';
         DELETE FROM schedules",
        &["schedule.failing", "schedule.deleted"],
    ),
    (
        "INSERT INTO workers (name, host, version, slots, isolated) VALUES ('w', 'h', '1', 4, false);
         UPDATE workers SET seen_at = now(), draining = false;
         UPDATE workers SET lost_at = now(); UPDATE workers SET lost_at = NULL, draining = false",
        &["worker.came", "worker.lost", "worker.returned"],
    ),
    ("UPDATE workers SET draining = true; DELETE FROM workers", &["worker.draining", "worker.left"]),
    (
        "INSERT INTO workers (name, host, version, slots, isolated) VALUES ('v', 'h', '1', 4, false);
         UPDATE workers SET lost_at = now(); DELETE FROM workers",
        &["worker.came", "worker.lost"],
    ),
    (
        "INSERT INTO fleet_health (component, state) VALUES ('queue', 'up');
         UPDATE fleet_health SET state = 'degraded', reason = 'slow'; UPDATE fleet_health SET reason = 'slower', state = state;
         UPDATE fleet_health SET state = 'down'",
        &["health.up", "health.degraded", "health.down"],
    ),
    (
        "INSERT INTO budgets (id, scope, target, period, cap_nano_usd, day, set_day, created_by)
         SELECT gen_random_uuid(), 'task', gen_random_uuid(), 'total', 5, now(), now(), 'limits';
         UPDATE budgets SET cap_nano_usd = 6, exhausted_at = now(); DELETE FROM budgets",
        &[],
    ),
    (
        "INSERT INTO budgets (id, scope, target, period, cap_nano_usd, day, set_day, created_by)
         SELECT gen_random_uuid(), 'org', '00000000-0000-0000-0000-000000000000', 'total', 5, now(), now(), 'somebody';
         UPDATE budgets SET spent_nano_usd = 5; UPDATE budgets SET exhausted_at = now();
         UPDATE budgets SET cap_nano_usd = 6, exhausted_at = NULL; UPDATE budgets SET cap_nano_usd = 4; DELETE FROM budgets",
        &["budget.set", "budget.exhausted", "budget.raised", "budget.lowered", "budget.removed"],
    ),
];

#[tokio::test]
async fn every_kind_is_told_by_the_transaction_that_does_it() {
    let bed = Bed::make().await;
    let mut expected: Vec<String> = Vec::new();
    for (statements, kinds) in CHANGES {
        let statements = statements.replace("{agent}", &bed.agent.to_string());
        // What is taken back was never told, and leaves no gap.
        let mut undone = bed.pool.begin().await.unwrap();
        sqlx::raw_sql(&statements)
            .execute(&mut *undone)
            .await
            .unwrap_or_else(|e| panic!("{statements}: {e}"));
        undone.rollback().await.unwrap();
        assert_eq!(all(&bed).await.len(), expected.len(), "{statements}");
        let mut done = bed.pool.begin().await.unwrap();
        sqlx::raw_sql(&statements).execute(&mut *done).await.unwrap();
        done.commit().await.unwrap();
        expected.extend(kinds.iter().map(ToString::to_string));
        let told: Vec<String> = all(&bed).await.iter().map(|event| event.kind.to_string()).collect();
        assert_eq!(told, expected, "{statements}");
    }
    for (component, state) in [("process", "up"), ("process", "down"), ("redis", "degraded")] {
        let at = bed.store.now().await.unwrap();
        bed.store.note_health("api@h:1", component, state, Some("why"), at).await.unwrap();
    }
    let healthy = hive_store::FleetFacts { workers: 1, ..Default::default() }.judge();
    bed.store.keep_fleet_health(&healthy).await.unwrap();
    bed.execute("UPDATE fleet_health SET checked_at = now() - interval '1 minute'").await;
    assert!(bed.store.tell_fleet().await.unwrap());
    assert!(!bed.store.tell_fleet().await.unwrap(), "once a minute");
    let events = all(&bed).await;
    let told: BTreeSet<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let known: BTreeSet<&str> = SystemEventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(told, known);
    let count = i64::try_from(events.len()).unwrap();
    assert_eq!(numbers(&events), (1..=count).collect::<Vec<_>>());
    assert!(events.is_sorted_by_key(|event| event.at));
    assert_eq!(bed.store.last_system_event().await.unwrap(), count);
}

#[tokio::test]
async fn an_event_gets_its_number_when_its_transaction_ends() {
    let bed = Bed::make().await;
    let tell = "SELECT tell_system('system_events', 'queue.paused', $1, '{}')";
    let mut slow = bed.pool.begin().await.unwrap();
    sqlx::query(tell).bind("begun first").execute(&mut *slow).await.unwrap();
    let fast = sqlx::query(tell).bind("ended first").execute(&bed.pool);
    tokio::time::timeout(Duration::from_secs(10), fast).await.expect("an open one holds up nobody").unwrap();
    let subjects =
        |events: Vec<SystemEvent>| events.into_iter().map(|e| (e.seq, e.subject)).collect::<Vec<_>>();
    assert_eq!(subjects(all(&bed).await), [(1, "ended first".to_owned())]);
    slow.commit().await.unwrap();
    assert_eq!(subjects(all(&bed).await), [(1, "ended first".to_owned()), (2, "begun first".to_owned())]);
}

#[tokio::test]
async fn a_reader_among_many_writers_misses_and_doubles_nothing() {
    const WRITERS: i64 = 6;
    const EACH: i64 = 40;
    let bed = Bed::make().await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let pool = bed.pool.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let mut tx = pool.begin().await.unwrap();
                    let subject = format!("{writer}/{number}");
                    sqlx::query(
                        "SELECT tell_system('system_events', 'queue.paused', $1, '{}'), pg_sleep($2)",
                    )
                    .bind(&subject)
                    .bind(if (writer + number) % 4 == 0 { 0.02 } else { 0.0 })
                    .execute(&mut *tx)
                    .await
                    .unwrap();
                    // Some are taken back.
                    if number % 8 == 7 { tx.rollback().await.unwrap() } else { tx.commit().await.unwrap() }
                }
            })
        })
        .collect();
    let wanted = usize::try_from(WRITERS * EACH * 7 / 8).unwrap();
    let (mut seen, mut told) = (Vec::new(), Vec::new());
    while seen.len() < wanted || told.len() < wanted {
        let last = bed.store.last_system_event().await.unwrap();
        let after = seen.last().map_or(0, |event: &SystemEvent| event.seq);
        let events =
            bed.store.system_events_after(&SystemEventFilter::default(), after, last, 7).await.unwrap();
        seen.extend(events);
        // Two who tell at the same time.
        let (one, other) = tokio::join!(bed.store.take_untold(5), bed.store.take_untold(5));
        told.extend(one.unwrap());
        told.extend(other.unwrap());
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(numbers(&seen), (1..=i64::try_from(wanted).unwrap()).collect::<Vec<_>>());
    told.sort_by_key(|event| event.seq);
    assert_eq!(numbers(&told), numbers(&seen), "each was told once");
    assert_eq!(bed.store.take_untold(5).await.unwrap(), []);
}

#[tokio::test]
async fn lists_are_filtered_and_paged_and_old_events_go() {
    let bed = Bed::make().await;
    for number in 1..=6 {
        let (channel, kind) = match number % 2 {
            0 => ("health_checks", "health.up"),
            _ => ("system_events", "queue.paused"),
        };
        bed.execute(&format!("SELECT tell_system('{channel}', '{kind}', 's{number}', '{{}}')")).await;
    }
    let store = &bed.store;
    let any = SystemEventFilter::default();
    assert_eq!(numbers(&store.system_events_before(&any, None, 2).await.unwrap()), [6, 5]);
    assert_eq!(numbers(&store.system_events_before(&any, Some(5), 2).await.unwrap()), [4, 3]);
    let of_health = SystemEventFilter { channels: vec![Channel::HealthChecks], ..any.clone() };
    assert_eq!(numbers(&store.system_events_after(&of_health, 2, ANY, 10).await.unwrap()), [4, 6]);
    let of_kind = SystemEventFilter { kinds: vec![SystemEventKind::QueuePaused], ..any.clone() };
    assert_eq!(numbers(&store.system_events_after(&of_kind, 0, 3, 10).await.unwrap()), [1, 3]);
    let of_one = SystemEventFilter { subject: Some("s4".to_owned()), ..any.clone() };
    assert_eq!(numbers(&store.system_events_before(&of_one, None, 10).await.unwrap()), [4]);

    // Of an old one behind a newer one, the number stays: there are no gaps among those that are kept.
    bed.execute("UPDATE system_events SET at = at - interval '91 days' WHERE seq IN (1, 2, 5)").await;
    let duty = "records".to_owned();
    let id = store.order_duty("records", &hive_store::DutyOptions::default(), "somebody").await.unwrap();
    let order = Order { id, duty, dry_run: false, keep_days: None };
    let retention = Retention { journal_days: 30, records_days: 90, memory_days: 400 };
    store.keep_house(&order, &retention).await.unwrap();
    assert_eq!(numbers(&all(&bed).await), [3, 4, 5, 6]);
    assert_eq!(store.first_system_event().await.unwrap(), 3);
    bed.execute("DELETE FROM system_events").await;
    assert_eq!(store.first_system_event().await.unwrap(), 7);
    bed.execute("SELECT tell_system('system_events', 'queue.paused', 's', '{}')").await;
    assert_eq!(numbers(&all(&bed).await), [7]);
}

#[tokio::test]
async fn a_budget_is_exhausted_once_until_it_is_raised() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let key = of_task(id);
    bed.store.set_budget(key, NanoUsd(100), "ada").await.unwrap();
    let lease = bed.claim(id).await;
    for _ in 0..2 {
        begin(&bed, &lease, 101).await.unwrap_err();
    }
    bed.store.set_budget(key, NanoUsd(110), "ada").await.unwrap();
    begin(&bed, &lease, 111).await.unwrap_err();
    let about_it = SystemEventFilter { subject: Some(id.to_string()), ..SystemEventFilter::default() };
    let events = bed.store.system_events_after(&about_it, 0, ANY, 10).await.unwrap();
    let told: Vec<_> =
        events.iter().map(|event| (event.kind.as_str(), &event.data["cap_nano_usd"])).collect();
    let (first, second) = (&json!(100), &json!(110));
    assert_eq!(
        told,
        [
            ("budget.set", first),
            ("budget.exhausted", first),
            ("budget.raised", second),
            ("budget.exhausted", second),
        ]
    );
}
