//! A night asks nothing that could exceed its bounds, whoever began it, and says what it left out.

use hive_tests::{TestHive, rules, within};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{SOON, builder, embedded, night, over, planted::Planted, sleep_through, store};

async fn hive() -> TestHive {
    builder().script(rules(json!([night("night")]))).start().await
}

/// What each request of a night could have come to at most, in dollars and in tokens.
async fn limits(hive: &TestHive, cycle: &Value) -> Vec<(f64, u64)> {
    let query =
        "SELECT b.model, b.body::text FROM sleep_requests r JOIN batch_requests b ON b.id = r.request_id
                 WHERE r.cycle_id = $1 ORDER BY r.number";
    let id: Uuid = cycle["id"].as_str().unwrap().parse().unwrap();
    let rows: Vec<(String, String)> = sqlx::query_as(query).bind(id).fetch_all(&hive.pool).await.unwrap();
    let limit = |(model, body): &(String, String)| {
        let most = serde_json::from_str::<Value>(body).unwrap()["max_tokens"].as_u64().unwrap();
        let most = u32::try_from(most).unwrap();
        let (money, tokens) = hive_claude::batch_limit(model, body.as_bytes(), most).unwrap();
        (hive_domain::NanoUsd(money.0).usd(), tokens)
    };
    rows.iter().map(limit).collect()
}

#[tokio::test]
async fn no_request_is_made_that_could_exceed_the_money_or_the_tokens() {
    let hive = hive().await;
    Planted::in_memory_of(&hive).await;
    embedded(&hive).await;
    // What it would ask without a bound; taken back, so that all of it is new again.
    let free = sleep_through(&hive, json!({}), "completed").await;
    let all = limits(&hive, &free).await;
    assert!(all.len() >= 2, "{free:#}");
    let back = format!("/api/v1/sleep-cycles/{}/rollback", free["id"].as_str().unwrap());
    assert_eq!(hive.post(&back, &json!({})).await.0, 200);
    // Room for all of them but a tenth of the smallest.
    let smallest = all.iter().map(|(dollars, _)| *dollars).fold(f64::MAX, f64::min);
    let dollars = all.iter().map(|(dollars, _)| dollars).sum::<f64>() - smallest * 0.1;
    let fewest = all.iter().map(|(_, tokens)| *tokens).min().unwrap();
    let tokens = all.iter().map(|(_, tokens)| tokens).sum::<u64>() - fewest / 10;
    for (budget, why) in [(json!({ "usd": dollars }), "money"), (json!({ "tokens": tokens }), "tokens")] {
        let cycle = sleep_through(&hive, json!({ "budget": budget }), "completed").await;
        assert_eq!(
            (&cycle["stopped_by"], &cycle["usage"]["requests"]),
            (&json!(why), &json!(all.len() - 1)),
            "{cycle:#}"
        );
        let skipped = &cycle["skipped"][0];
        assert_eq!(
            (&skipped["phase"], &skipped["count"], &skipped["why"]),
            (&json!("merge"), &json!(1), &json!(why)),
            "{cycle:#}"
        );
        // Not what they came to, but what they could have come to.
        let asked = limits(&hive, &cycle).await;
        if why == "money" {
            assert!(asked.iter().map(|(dollars, _)| dollars).sum::<f64>() <= dollars, "{asked:?}");
        } else {
            assert!(asked.iter().map(|(_, tokens)| tokens).sum::<u64>() <= tokens, "{asked:?}");
        }
        let usage = &cycle["usage"];
        assert!(usage["cost_usd"].as_f64().unwrap() <= dollars, "{usage}");
        let used = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
        assert!(used <= tokens, "{usage}");
        assert!(cycle["counts"]["merged"].as_u64().unwrap() > 0, "what fitted is done: {cycle:#}");
        let back = format!("/api/v1/sleep-cycles/{}/rollback", cycle["id"].as_str().unwrap());
        assert_eq!(hive.post(&back, &json!({})).await.0, 200);
    }
}

#[tokio::test]
async fn a_night_that_began_by_itself_keeps_to_the_money_of_its_agent() {
    let hive = hive().await;
    let agent: Uuid =
        sqlx::query_scalar("SELECT id FROM agents ORDER BY id LIMIT 1").fetch_one(&hive.pool).await.unwrap();
    for content in ["Load tests use the hammer profile", "The hammer profile is used by load tests"] {
        store(&hive, json!({ "content": content, "agent_id": agent })).await;
    }
    embedded(&hive).await;
    let settings = json!({ "pressure_entries": 2, "night_usd": 0.000001 });
    let path = format!("/api/v1/agents/{agent}/sleep-settings");
    let set = hive.send(0, reqwest::Method::PUT, &path, Some(&settings)).await;
    assert!(set.status().is_success(), "{}", set.text().await.unwrap());
    let id = within(SOON, "its memory presses", async || {
        let page = hive.get(&format!("/api/v1/agents/{agent}/sleeps?limit=1")).await;
        page["items"][0]["cycle_id"].as_str().map(str::to_owned)
    })
    .await;
    let cycle = over(&hive, &id).await;
    assert_eq!((&cycle["trigger"], &cycle["state"]), (&json!("pressure"), &json!("completed")), "{cycle:#}");
    assert_eq!(
        (&cycle["stopped_by"], &cycle["usage"]["requests"]),
        (&json!("money"), &json!(0)),
        "{cycle:#}"
    );
    assert_eq!(cycle["skipped"][0]["why"], "money", "{cycle:#}");
}

#[tokio::test]
async fn what_tries_of_unknown_outcome_may_have_cost_is_no_money_for_further_ones() {
    let hive = builder()
        .worker_env("HIVE_BATCH_AFTER_SECONDS", "4")
        .script(rules(json!([night("night")])))
        .start()
        .await;
    for content in ["Load tests use the hammer profile", "The hammer profile is used by load tests"] {
        store(&hive, json!({ "content": content })).await;
    }
    embedded(&hive).await;
    let (status, begun) = hive.post("/api/v1/sleep-cycles", &json!({ "budget": { "usd": 0.5 } })).await;
    assert_eq!(status, 201, "{begun:#}");
    // As if a batch of before had been lost, that may have cost nearly all of it.
    let lost = "WITH request AS (SELECT id, model FROM batch_requests WHERE state = 'queued'),
                     batch AS (INSERT INTO batches (id, model, requests, key_id, state, ended_at)
                               SELECT gen_random_uuid(), model, 1, 'key', 'lost', now() FROM request RETURNING id)
                INSERT INTO batch_calls (batch_id, request_id, model, project_id, reserved_nano_usd, state, finished_at)
                SELECT batch.id, request.id, request.model, '00000000-0000-7000-8000-000000000001', 499999999, 'unknown',
                       now()
                FROM request, batch";
    within(SOON, "the night has asked", async || {
        (sqlx::query(lost).execute(&hive.pool).await.unwrap().rows_affected() == 1).then_some(())
    })
    .await;
    let cycle = over(&hive, begun["id"].as_str().unwrap()).await;
    assert_eq!(
        (&cycle["state"], &cycle["stopped_by"], &cycle["counts"]["merged"]),
        (&json!("completed"), &json!("money"), &json!(0)),
        "{cycle:#}"
    );
    let skipped = &cycle["skipped"][0];
    assert_eq!(
        (&skipped["phase"], &skipped["count"], &skipped["why"]),
        (&json!("merge"), &json!(1), &json!("money")),
        "{cycle:#}"
    );
}
