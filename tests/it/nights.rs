//! Nights: a memory that is consolidated by a model's answers, gated, published by one switch and taken back by another.

mod bounded;
mod edited;
mod four_nights;
mod guarded;
mod killed;
mod lived_through;
mod planted;
mod poisoned;

use std::time::Duration;

use hive_tests::{Builder, TestHive, within};
use serde_json::{Value, json};
use sqlx::Row;

/// The machine is shared.
pub(crate) const SOON: Duration = Duration::from_secs(180);

/// The rule that answers for consolidation in this manner.
pub(crate) fn night(mode: &str) -> Value {
    json!({ "name": "night", "when": { "first_text": "^<(facts|excerpts)>" }, "mode": mode })
}

/// A hive whose batches go out at once.
pub(crate) fn builder() -> Builder {
    TestHive::builder()
        .worker_env("HIVE_BATCH_AFTER_SECONDS", "0.2")
        .worker_env("HIVE_BATCH_POLL_SECONDS", "0.3")
}

/// Stores an entry; its id.
async fn store(hive: &TestHive, entry: Value) -> String {
    let (status, stored) = hive.post("/api/v1/context/store", &entry).await;
    assert_eq!(status, 201, "{stored:#}");
    stored["id"].as_str().unwrap().to_owned()
}

/// Until every entry has its vectors.
pub(crate) async fn embedded(hive: &TestHive) {
    within(SOON, "all entries have vectors", async || {
        let due: i64 = sqlx::query_scalar("SELECT count(*) FROM context_vectors_due")
            .fetch_one(&hive.pool)
            .await
            .unwrap();
        (due == 0).then_some(())
    })
    .await;
}

/// Begins a night; its id.
async fn begin(hive: &TestHive, wish: Value) -> String {
    let (status, begun) = hive.post("/api/v1/sleep-cycles", &wish).await;
    assert_eq!(status, 201, "{begun:#}");
    begun["id"].as_str().unwrap().to_owned()
}

async fn show(hive: &TestHive, id: &str) -> Value {
    hive.get(&format!("/api/v1/sleep-cycles/{id}")).await
}

/// The night, once it is over.
async fn over(hive: &TestHive, id: &str) -> Value {
    within(SOON, "the night is over", async || {
        let cycle = show(hive, id).await;
        (!cycle["finished_at"].is_null()).then_some(cycle)
    })
    .await
}

/// A whole night, which ends so.
pub(crate) async fn sleep_through(hive: &TestHive, wish: Value, state: &str) -> Value {
    let id = begin(hive, wish).await;
    let cycle = over(hive, &id).await;
    assert_eq!(cycle["state"], state, "{cycle:#}");
    cycle
}

/// All changes of a night.
async fn diff(hive: &TestHive, id: &str) -> Vec<Value> {
    let (mut changes, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = hive.get(&format!("/api/v1/sleep-cycles/{id}/diff?limit=100{cursor}")).await;
        changes.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return changes,
        }
    }
}

/// What is visible now, with its vectors, byte for byte: one line for each entry, by id.
async fn export(hive: &TestHive) -> Vec<String> {
    let rows = sqlx::query(
        "SELECT to_jsonb(c) - 'changed_tx' - 'died_version' AS entry,
                (SELECT jsonb_agg(v.model || v.vector::text ORDER BY v.model, v.chunk) FROM context_vectors v
                 WHERE v.context_id = c.id) AS vectors,
                ARRAY(SELECT source_id::text FROM context_sources s WHERE s.context_id = c.id ORDER BY 1) AS sources
         FROM contexts c
         WHERE c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())
           AND (c.born_version IS NULL OR EXISTS (
                   SELECT FROM memory_versions v WHERE v.id = c.born_version AND v.state = 'active'))
           AND (c.died_version IS NULL OR NOT EXISTS (
                   SELECT FROM memory_versions v WHERE v.id = c.died_version AND v.state = 'active'))
         ORDER BY c.id",
    );
    let rows = rows.fetch_all(&hive.pool).await.unwrap();
    let line = |row: &sqlx::postgres::PgRow| {
        let (entry, vectors): (Value, Option<Value>) = (row.get(0), row.get(1));
        let sources: Vec<String> = row.get(2);
        format!("{entry} {} {sources:?}", vectors.unwrap_or_default())
    };
    rows.iter().map(line).collect()
}

/// The ids of what is visible now.
async fn visible(hive: &TestHive) -> Vec<String> {
    let id = |line: &String| {
        let entry: Value = serde_json::Deserializer::from_str(line).into_iter().next().unwrap().unwrap();
        entry["id"].as_str().unwrap().to_owned()
    };
    export(hive).await.iter().map(id).collect()
}
