//! What the hive says it spent is what the double charged, to the billionth of a dollar, whatever way it is added up;
//! and never less, where an answer broke off.

use std::{collections::BTreeMap, time::Duration};

use hive_tests::{TestHive, finish, rules, shell, within};
use serde_json::{Value, json};
use uuid::Uuid;

const KEYS: [&str; 6] = ["day", "model", "agent", "session", "task", "run"];

/// All sums by a key, read in parts of two.
async fn sums(hive: &TestHive, by: &str) -> BTreeMap<String, Value> {
    let (mut all, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = hive.get(&format!("/api/v1/usage?group_by={by}&limit=2{cursor}")).await;
        for item in page["items"].as_array().unwrap() {
            let doubled = all.insert(item["key"].as_str().unwrap().to_owned(), item.clone());
            assert!(doubled.is_none(), "{item:#}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn added(sums: &BTreeMap<String, Value>, field: &str) -> i64 {
    sums.values().map(|sum| sum[field].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn every_way_of_adding_up_agrees_with_the_double() {
    let script = rules(json!([
        // Thrice: the kill below may take the first of both tasks with it, before anything of it was sent.
        { "name": "cut", "when": { "first_text": "Cut", "turn": 1 }, "times": 3,
          "say": "A sentence that is broken off in the middle, after some of it was sent and charged.",
          "fault": { "cut_after_events": 4 } },
        { "name": "refused once", "when": { "turn": 2 }, "times": 2, "fault": 529 },
        { "name": "look", "when": { "turn": 0 }, "tools": [shell("seq 1 2000")] },
        { "name": "again", "when": { "turn": 1 }, "tools": [shell("seq 1 1500")] },
        { "name": "finish", "tools": [finish("Done.")] },
    ]));
    let mut hive =
        TestHive::builder().script(script).workers(2).latency(Duration::from_millis(400)).start().await;
    let session = hive.post("/api/v1/sessions", &json!({ "name": "Counted" })).await.1;
    let mut ids: Vec<Uuid> = Vec::new();
    for (nth, title) in ["Plain", "Cut", "Plain", "Plain", "Cut", "Plain"].iter().enumerate() {
        let mut task = json!({ "title": format!("{title} {nth}") });
        if nth % 2 == 0 {
            task["session_id"] = session["id"].clone();
        }
        ids.push(hive.post_task(task).await);
    }
    within(Duration::from_secs(30), "both workers are in calls", async || {
        (hive.double.ledger().len() >= 3).then_some(())
    })
    .await;
    hive.workers[0].kill9();
    for id in &ids {
        hive.wait_succeeded(*id, 120).await;
    }
    within(Duration::from_secs(60), "no call is open", async || {
        let open: i64 = sqlx::query_scalar("SELECT count(*) FROM llm_calls WHERE state = 'intent'")
            .fetch_one(&hive.pool)
            .await
            .unwrap();
        (open == 0).then_some(())
    })
    .await;

    let total = hive.get("/api/v1/usage").await["total"].clone();
    let known = total["cost_nano_usd"].as_i64().unwrap();
    let unknown = total["unknown_nano_usd"].as_i64().unwrap();
    let charged: i64 = ids.iter().map(|id| hive.charged(*id).cost_nano_usd).sum();
    assert!(
        charged <= known + unknown,
        "no less is booked than was charged: {known} + {unknown} of {charged}"
    );
    let cut =
        ids.iter().flat_map(|id| hive.calls(*id)).filter(|call| call.cut && call.usage.output_tokens > 0);
    assert!(cut.count() > 0, "an answer was cut");
    for id in &ids {
        hive.assert_charges_covered(*id).await;
    }
    assert!(total["unknown_calls"].as_i64().unwrap() > 0, "the worker was killed in a call: {total:#}");
    for by in KEYS {
        let sums = sums(&hive, by).await;
        for field in [
            "calls",
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cost_nano_usd",
            "unknown_nano_usd",
        ] {
            assert_eq!(added(&sums, field), total[field].as_i64().unwrap(), "{by} {field}");
        }
    }
    let mut exact = 0;
    let by_task = sums(&hive, "task").await;
    for id in &ids {
        let sum = &by_task[&id.to_string()];
        let booked = hive.booked(*id).await;
        assert_eq!(sum["cost_nano_usd"], booked.cost_nano_usd, "{sum:#}");
        // A task whose every call is known agrees with the double to the last digit.
        if sum["unknown_calls"] == 0 && hive.calls(*id).iter().all(|call| !call.cut) {
            exact += 1;
            assert_eq!(booked, hive.charged(*id), "{sum:#}");
        }
    }
    assert!(exact > 0, "some tasks met neither the kill nor the cut");
    let said = hive.says(&["usage", "--by", "model"]).await;
    let dollars = format!("{}.{:09}", known / 1_000_000_000, known % 1_000_000_000);
    assert!(said.contains(&dollars), "{said}");
    for by in KEYS.into_iter().filter(|by| *by != "model") {
        let path = format!("/api/v1/usage?group_by={by}&cursor=rubbish");
        let answer = hive.send(0, reqwest::Method::GET, &path, None).await;
        assert_eq!(answer.status(), 400, "{by}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["errors"][0]["parameter"], "cursor", "{by}: {problem:#}");
    }
    let verified = hive.get("/api/v1/usage?group_by=session").await;
    assert!(verified["items"].as_array().unwrap().iter().any(|item| item["key"] == session["id"]));
}

#[tokio::test]
async fn an_answer_that_a_person_interrupts_is_booked_as_far_as_it_came() {
    let script = rules(json!([
        { "name": "long", "when": { "turn": 0 }, "times": 1, "say": "Much of it is heard. ".repeat(1_900),
          "between_events_ms": 400 },
        { "name": "finish", "tools": [finish("Heard.")] },
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let id = hive.post_task(json!({ "title": "Long" })).await;
    // One event each 0.4 s: after 2 s some have come, and some are to come.
    within(Duration::from_secs(30), "a part of the answer has come", async || {
        let begun = hive.calls(id).first()?.at;
        let since: f64 = sqlx::query_scalar("SELECT extract(epoch FROM now() - $1)::float8")
            .bind(begun)
            .fetch_one(&hive.pool)
            .await
            .unwrap();
        (since > 2.0).then_some(())
    })
    .await;
    hive.tell(id, "Say no more.", "interrupt").await;
    hive.wait_succeeded(id, 60).await;
    let calls = hive.calls(id);
    assert!(calls[0].cut && calls[0].usage.output_tokens > 1_000, "{calls:#?}");
    let (booked, charged) = (hive.booked(id).await, hive.charged(id));
    assert!(booked.output_tokens >= charged.output_tokens, "{booked:?}, {charged:?}");
    hive.assert_charges_covered(id).await;
}
