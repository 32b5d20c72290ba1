//! What a person writes over while a night is at work costs the night that one thing, and not all that it did.

use hive_tests::{rules, within};
use reqwest::Method;
use serde_json::json;

use super::{SOON, begin, builder, diff, embedded, export, night, over, store};

/// The mark of the phase before the last one waits as long as the story holds this.
const HELD: i64 = 73;
const STOPS: &str = "
    CREATE FUNCTION wait_there() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock_shared(73);
        RETURN NEW;
    END $$;
    CREATE TRIGGER wait BEFORE UPDATE ON sleep_cycles FOR EACH ROW
        WHEN (OLD.phase = 'decay' AND NEW.phase = 'publish') EXECUTE FUNCTION wait_there()";

#[tokio::test]
async fn an_edit_of_what_a_night_merged_does_not_let_its_gate_reject_the_rest() {
    let hive = builder().script(rules(json!([night("night")]))).start().await;
    let stays = store(&hive, json!({ "content": "The mill grinds barley at noon" })).await;
    for content in [
        "the mill grinds barley at noon.",
        "Payments are retried with exponential backoff",
        "payments are retried with exponential backoff!",
    ] {
        store(&hive, json!({ "content": content })).await;
    }
    embedded(&hive).await;
    sqlx::raw_sql(STOPS).execute(&hive.pool).await.unwrap();
    let mut held = hive.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(HELD).execute(&mut *held).await.unwrap();
    let id = begin(&hive, json!({})).await;
    within(SOON, "the night has done all but its last phase", async || {
        let waits: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid::bigint = $1 AND NOT granted",
        )
        .bind(HELD)
        .fetch_one(&hive.pool)
        .await
        .unwrap();
        (waits > 0).then_some(())
    })
    .await;
    let merged: i64 = sqlx::query_scalar("SELECT count(*) FROM sleep_changes WHERE kind = 'merged'")
        .fetch_one(&hive.pool)
        .await
        .unwrap();
    assert_eq!(merged, 2);
    let now = json!({ "content": "The mill grinds barley at 9 in the evening" });
    let changed = hive.send(0, Method::PATCH, &format!("/api/v1/context/{stays}"), Some(&now)).await;
    assert_eq!(changed.status(), 200);
    held.commit().await.unwrap();
    let cycle = over(&hive, &id).await;
    assert_eq!((&cycle["state"], &cycle["counts"]["merged"]), (&json!("completed"), &json!(1)), "{cycle:#}");
    let dropped = diff(&hive, &id).await.into_iter().filter(|change| change["kind"] == "dropped").count();
    assert_eq!(dropped, 1);
    let texts: Vec<String> = export(&hive).await;
    assert!(texts.iter().any(|text| text.contains("the mill grinds barley at noon.")), "{texts:#?}");
    assert_eq!(cycle["quality"]["before"], cycle["quality"]["after"], "{cycle:#}");
}
