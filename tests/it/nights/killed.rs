//! A night whose worker is killed before the mark of each of its phases.

use std::time::Duration;

use hive_tests::{TestHive, rules, within};
use serde_json::{Value, json};

use super::{SOON, begin, builder, embedded, export, night, over, planted::agents, sleep_through, store};

const PHASES: [&str; 7] = ["extract", "dedupe", "merge", "contradict", "promote", "decay", "publish"];
/// Makes a transaction wait before the mark of a phase, for as long as the story says.
const STOPS: &str = "
    CREATE TABLE stop_at (phase text);
    CREATE FUNCTION stop_there() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM stop_at s WHERE s.phase = OLD.phase::text)
           AND (NEW.phase <> OLD.phase OR NEW.finished_at IS NOT NULL) THEN
            PERFORM pg_sleep(600);
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER stop BEFORE UPDATE ON sleep_cycles FOR EACH ROW EXECUTE FUNCTION stop_there()";
const ASLEEP: &str =
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";

async fn plant(hive: &TestHive) {
    for (content, since) in [
        ("The mill grinds at noon", "2026-01-01T00:00:00Z"),
        ("the mill grinds at noon.", "2026-01-02T00:00:00Z"),
        ("Payments are retried with exponential backoff", "2026-01-01T00:00:00Z"),
        ("Exponential backoff is used when payments are retried", "2026-01-02T00:00:00Z"),
        ("The orders queue holds 500 entries", "2026-01-01T00:00:00Z"),
        ("The orders queue holds 900 entries", "2026-01-02T00:00:00Z"),
        ("Ada keeps the bees", "2026-01-01T00:00:00Z"),
    ] {
        store(hive, json!({ "content": content, "valid_from": since })).await;
    }
    for agent in agents(hive).await {
        let lesson = json!({ "content": "Warm the cache before measuring latency", "kind": "lesson", "agent_id": agent });
        store(hive, lesson).await;
    }
    store(hive, json!({ "content": "Looked around", "importance": 0.01 })).await;
    embedded(hive).await;
}

/// What is visible, in words alone: ids and times differ from night to night.
async fn words(hive: &TestHive) -> Vec<String> {
    let line = |line: &String| {
        let entry: Value = serde_json::Deserializer::from_str(line).into_iter().next().unwrap().unwrap();
        format!("{} {} {} {}", entry["scope"], entry["content"], entry["trust"], entry["valid_to"])
    };
    let mut words: Vec<String> = export(hive).await.iter().map(line).collect();
    words.sort();
    words
}

#[tokio::test]
async fn a_night_that_is_killed_before_the_mark_of_each_phase_goes_on_and_ends_as_one_that_is_not() {
    let mut hive = builder().script(rules(json!([night("night")]))).start().await;
    plant(&hive).await;
    let start = export(&hive).await;
    let undisturbed = sleep_through(&hive, json!({}), "completed").await;
    let expected = words(&hive).await;
    let path = format!("/api/v1/sleep-cycles/{}/rollback", undisturbed["id"].as_str().unwrap());
    assert_eq!(hive.post(&path, &json!({})).await.0, 200);
    assert_eq!(export(&hive).await, start);

    sqlx::raw_sql(STOPS).execute(&hive.pool).await.unwrap();
    let id = begin(&hive, json!({})).await;
    for phase in PHASES {
        sqlx::query("DELETE FROM stop_at").execute(&hive.pool).await.unwrap();
        sqlx::query("INSERT INTO stop_at VALUES ($1)").bind(phase).execute(&hive.pool).await.unwrap();
        within(SOON, &format!("the night is before the mark of {phase}"), async || {
            let asleep: Vec<i32> = sqlx::query_scalar(ASLEEP).fetch_all(&hive.pool).await.unwrap();
            (!asleep.is_empty()).then_some(())
        })
        .await;
        hive.workers.last_mut().unwrap().kill9();
        within(SOON, "what the killed worker left waiting has ended", async || {
            let end = format!("SELECT pg_terminate_backend(pid) FROM ({ASLEEP}) AS asleep");
            let ended = sqlx::query(&end).fetch_all(&hive.pool).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            ended.is_empty().then_some(())
        })
        .await;
        assert_eq!(export(&hive).await, start, "killed in {phase}: the old version is active");
        // Only its own phase lets the next worker through.
        sqlx::query("DELETE FROM stop_at").execute(&hive.pool).await.unwrap();
        if let Some(next) = PHASES.iter().skip_while(|met| **met != phase).nth(1) {
            sqlx::query("INSERT INTO stop_at VALUES ($1)").bind(next).execute(&hive.pool).await.unwrap();
        }
        hive.start_worker().await;
    }
    let cycle = over(&hive, &id).await;
    assert_eq!(cycle["state"], "completed", "{cycle:#}");
    assert_eq!(cycle["counts"], undisturbed["counts"], "{cycle:#}");
    assert_eq!(cycle["usage"]["requests"], undisturbed["usage"]["requests"], "nothing is asked twice");
    assert_eq!(words(&hive).await, expected);
}
