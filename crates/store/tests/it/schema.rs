//! The schema and this version fit each other.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use hive_domain::{
    ActionKind, ActionStatus, AgentStatus, Audience, BatchRequestState, BatchState, CatchUp, ConversationId,
    CyclePhase, CycleState, DeliveryState, Lifecycle, MemoryScope, MessageId, MessageKind, MessagePolicy,
    Overlap, PauseMode, RouteReason, SleepId, SleepState, SleepTrigger, SlotOutcome, StatusReason,
    TaskStatus, TrustClass, VersionState, WakeReason,
    journal::{
        AgentMessage, Briefing, Checks, Entry, ExternalOutcome, Intent, PersonMessage, Reply, Rollback, Stop,
        ToolResults,
    },
    task::DependencyPolicy,
};
use hive_local::testing::{TestDatabase, TestStores};
use hive_store::{CHANGE_KINDS, Claimant, Config, Error, MIGRATOR, Store};
use sqlx::{PgPool, migrate::Migrator};

use crate::bed::{Bed, connect, note};

async fn stored(bed: &Bed, name: &str) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT enumlabel FROM pg_enum WHERE enumtypid = $1::text::regtype ORDER BY enumsortorder",
    )
    .bind(name)
    .fetch_all(&bed.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn every_stored_name_is_known_and_every_known_name_can_be_stored() {
    let bed = Bed::make().await;
    let names = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let known = [
        ("task_status", names(TaskStatus::ALL.iter().map(|name| name.as_str()).collect())),
        ("status_reason", names(StatusReason::ALL.iter().map(|name| name.as_str()).collect())),
        ("dependency_policy", names(DependencyPolicy::ALL.iter().map(|name| name.as_str()).collect())),
        ("message_policy", names(MessagePolicy::ALL.iter().map(|name| name.as_str()).collect())),
        ("pause_mode", names(PauseMode::ALL.iter().map(|name| name.as_str()).collect())),
        ("task_action_kind", names(ActionKind::ALL.iter().map(|name| name.as_str()).collect())),
        ("task_action_status", names(ActionStatus::ALL.iter().map(|name| name.as_str()).collect())),
        ("agent_status", names(AgentStatus::ALL.iter().map(|name| name.as_str()).collect())),
        ("step_kind", names(kinds_of_steps())),
        ("call_state", names(vec!["intent", "answered", "failed", "unknown"])),
        ("overlap_policy", names(Overlap::ALL.iter().map(|name| name.as_str()).collect())),
        ("catch_up_policy", names(CatchUp::ALL.iter().map(|name| name.as_str()).collect())),
        ("slot_outcome", names(SlotOutcome::ALL.iter().map(|name| name.as_str()).collect())),
        ("model_lifecycle", names(Lifecycle::ALL.iter().map(|name| name.as_str()).collect())),
        ("route_reason", names(RouteReason::ALL.iter().map(|name| name.as_str()).collect())),
        ("batch_request_state", names(BatchRequestState::ALL.iter().map(|name| name.as_str()).collect())),
        ("batch_state", names(BatchState::ALL.iter().map(|name| name.as_str()).collect())),
        ("memory_scope", names(MemoryScope::ALL.iter().map(|name| name.as_str()).collect())),
        ("trust_class", names(TrustClass::ALL.iter().map(|name| name.as_str()).collect())),
        ("memory_version_state", names(VersionState::ALL.iter().map(|name| name.as_str()).collect())),
        ("sleep_trigger", names(SleepTrigger::ALL.iter().map(|name| name.as_str()).collect())),
        ("sleep_cycle_state", names(CycleState::ALL.iter().map(|name| name.as_str()).collect())),
        ("sleep_phase", names(CyclePhase::ALL.iter().map(|name| name.as_str()).collect())),
        ("sleep_change_kind", names(CHANGE_KINDS.to_vec())),
        ("embedding_state", names(vec!["building", "active", "retired"])),
        ("message_kind", names(MessageKind::ALL.iter().map(|name| name.as_str()).collect())),
        ("message_audience", names(Audience::ALL.iter().map(|name| name.as_str()).collect())),
        ("delivery_state", names(DeliveryState::ALL.iter().map(|name| name.as_str()).collect())),
        ("sleep_state", names(SleepState::ALL.iter().map(|name| name.as_str()).collect())),
        ("wake_reason", names(WakeReason::ALL.iter().map(|name| name.as_str()).collect())),
        ("housekeeping_state", names(vec!["running", "done", "failed"])),
        ("checkpoint_status", names(vec!["waiting", "running", "done", "failed"])),
    ];
    for (name, known) in &known {
        assert_eq!(stored(&bed, name).await, *known, "{name}");
    }
    let enums: Vec<String> = sqlx::query_scalar(
        "SELECT typname::text FROM pg_type WHERE typtype = 'e' AND typnamespace = 'public'::regnamespace",
    )
    .fetch_all(&bed.pool)
    .await
    .unwrap();
    let enums: BTreeSet<&str> = enums.iter().map(String::as_str).collect();
    assert_eq!(
        enums,
        known.iter().map(|(name, _)| *name).collect(),
        "every enum of the schema is compared here"
    );
}

fn kinds_of_steps() -> Vec<&'static str> {
    let reply = Reply {
        content: serde_json::value::RawValue::from_string("[]".to_owned()).unwrap(),
        stop: Stop::EndTurn,
        model: String::new(),
        requested_model: None,
        usage: hive_domain::Usage::default(),
        broken_inputs: std::collections::BTreeMap::new(),
        request_id: None,
        exchange: None,
    };
    let results = ToolResults { results: vec![], finished: None, wake_at: None };
    let checks =
        Checks { summary: String::new(), results: vec![], tree: None, passed: true, message: String::new() };
    let message = PersonMessage { number: 1, author: String::new(), text: String::new() };
    let agent_message = AgentMessage {
        id: MessageId::new(),
        conversation: ConversationId::new(),
        number: 1,
        from: None,
        from_name: String::new(),
        kind: MessageKind::Message,
        reply_to: None,
        answer_by: None,
        text: String::new(),
    };
    let (tool_use_id, tool) = (String::new(), String::new());
    let intent = Intent { tool_use_id: tool_use_id.clone(), tool: tool.clone() };
    let outcome = ExternalOutcome {
        tool_use_id,
        tool,
        took_place: true,
        content: String::new(),
        is_error: false,
        decided_by: None,
    };
    let all = [
        Entry::Reply(reply),
        Entry::ToolResults(results),
        note(""),
        Entry::Checks(checks),
        Entry::Message(message),
        Entry::Intent(intent),
        Entry::Outcome(outcome),
        Entry::Rollback(Rollback { from: 1, standing: vec![] }),
        Entry::Compacted(Box::new(crate::segments::compacted(""))),
        Entry::AgentMessage(Box::new(agent_message)),
        Entry::Recalled(Box::new(crate::remembering::recalled(""))),
        Entry::Briefing(Briefing { sleep: SleepId::new(), text: String::new() }),
    ];
    for entry in &all {
        // A kind that is added to the domain stops this from compiling until it is in the list above.
        match entry {
            Entry::Reply(_)
            | Entry::ToolResults(_)
            | Entry::Note(_)
            | Entry::Checks(_)
            | Entry::Message(_)
            | Entry::AgentMessage(_)
            | Entry::Briefing(_)
            | Entry::Intent(_)
            | Entry::Outcome(_)
            | Entry::Rollback(_)
            | Entry::Compacted(_)
            | Entry::Recalled(_) => {}
        }
        Entry::from_stored(entry.kind(), &entry.body().unwrap()).unwrap();
    }
    all.iter().map(Entry::kind).collect()
}

/// A database without any schema.
pub(crate) async fn empty() -> (TestDatabase, PgPool) {
    static NOTHING: Migrator = Migrator { migrations: Cow::Borrowed(&[]), ..Migrator::DEFAULT };
    let database = TestStores::get().database(&NOTHING).await.unwrap();
    let pool = database.pool().await.unwrap();
    sqlx::raw_sql("DROP TABLE _sqlx_migrations").execute(&pool).await.unwrap();
    (database, pool)
}

async fn refusal(store: &Store) -> String {
    match store.check_schema().await {
        Err(Error::Schema(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_empty_database_is_refused_and_can_be_migrated() {
    let (database, _pool) = empty().await;
    let store = connect(&database);
    assert!(refusal(&store).await.contains("hive migrate"));
    assert!(
        matches!(store.wait_ready(Duration::from_secs(60)).await, Err(Error::Schema(_))),
        "waiting mends nothing"
    );
    store.migrate().await.unwrap();
    store.check_schema().await.unwrap();
    store.wait_ready(Duration::ZERO).await.unwrap();
    store.migrate().await.unwrap();
}

#[tokio::test]
async fn a_schema_of_another_version_is_refused() {
    let bed = Bed::make().await;
    bed.store.check_schema().await.unwrap();
    let last = MIGRATOR.iter().last().unwrap().version;

    bed.execute(&format!("UPDATE _sqlx_migrations SET checksum = 'changed' WHERE version = {last}")).await;
    let message = refusal(&bed.store).await;
    assert!(message.contains(&last.to_string()) && message.contains("changed"), "{message}");
    assert!(matches!(bed.store.migrate().await, Err(Error::Schema(_))));

    bed.execute(&format!("DELETE FROM _sqlx_migrations WHERE version = {last}")).await;
    let message = refusal(&bed.store).await;
    assert!(message.contains(&last.to_string()) && message.contains("hive migrate"), "{message}");

    let bed = Bed::make().await;
    bed.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99990101000000, 'from the future', true, 'x', 1)",
    )
    .await;
    let message = refusal(&bed.store).await;
    assert!(message.contains("newer"), "{message}");
    assert!(matches!(bed.store.migrate().await, Err(Error::Schema(_))));

    let bed = Bed::make().await;
    bed.execute(&format!("UPDATE _sqlx_migrations SET success = false WHERE version = {last}")).await;
    refusal(&bed.store).await;
}

#[tokio::test]
async fn many_processes_migrate_at_once() {
    let (database, pool) = empty().await;
    let mut migrations = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let store = connect(&database);
        migrations.spawn(async move { store.migrate().await });
    }
    for outcome in migrations.join_all().await {
        outcome.unwrap();
    }
    connect(&database).check_schema().await.unwrap();
    let ran: i64 =
        sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(&pool).await.unwrap();
    assert_eq!(ran, i64::try_from(MIGRATOR.iter().count()).unwrap());
}

/// A long migration elsewhere is waited for: the lock timeout of ordinary statements is two seconds.
#[tokio::test]
async fn a_migration_waits_for_one_that_takes_long() {
    let (database, pool) = empty().await;
    let mut first = pool.acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(hashtext('hive.migrate'))").execute(&mut *first).await.unwrap();
    let store = connect(&database);
    let second = tokio::spawn(async move { store.migrate().await });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let waits: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                            WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'
                              AND datname = current_database() AND clock_timestamp() - query_start > interval '3 s')",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        if waits {
            break;
        }
        assert!(!second.is_finished(), "{:?}", second.await);
        assert!(tokio::time::Instant::now() < deadline, "the second migration never waited");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    first.close().await.unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_database_that_is_away_may_come_back() {
    let store = Store::connect_lazy(&Config {
        acquire_timeout: Duration::from_millis(300),
        // Nothing listens on port 1.
        ..Config::new("postgres://hive@127.0.0.1:1/postgres".to_owned())
    })
    .unwrap();
    for error in [
        store.check_schema().await.unwrap_err(),
        store.migrate().await.unwrap_err(),
        store.ping().await.unwrap_err(),
        store.wait_ready(Duration::from_millis(500)).await.unwrap_err(),
    ] {
        assert!(error.is_unavailable(), "{error:?}");
    }
    assert!(Store::connect_lazy(&Config::new("not a url".to_owned())).is_err());
}

#[tokio::test]
async fn a_lock_that_is_not_given_is_a_passing_trouble() {
    let bed = Bed::make().await;
    let id = bed.enqueue().await;
    let mut holder = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE")
        .bind(id.uuid())
        .execute(&mut *holder)
        .await
        .unwrap();
    let error = bed.store.claim(id, 0, &Claimant::ordinary("worker")).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    holder.rollback().await.unwrap();
    assert!(bed.store.claim(id, 0, &Claimant::ordinary("worker")).await.unwrap().is_some());
}

/// Of the store's own connections, as a trigger sees them: a worker that is frozen in a transaction must not keep the
/// rows of others for ever.
#[tokio::test]
async fn connections_are_bounded_in_what_they_may_hold() {
    let bed = Bed::make().await;
    bed.execute(
        "CREATE TABLE limits (name text, setting text);
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO limits SELECT name, setting FROM pg_settings
             WHERE name IN ('jit', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout');
             RETURN NULL;
         END $$;
         CREATE TRIGGER look AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION look();",
    )
    .await;
    bed.enqueue().await;
    let limits: Vec<(String, String)> =
        sqlx::query_as("SELECT name, setting FROM limits ORDER BY name").fetch_all(&bed.pool).await.unwrap();
    let limits: Vec<(&str, &str)> =
        limits.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("idle_in_transaction_session_timeout", "5000"),
        ("jit", "off"),
        ("lock_timeout", "2000"),
        ("statement_timeout", "5000"),
    ];
    assert_eq!(limits, expected, "times in milliseconds");
}
