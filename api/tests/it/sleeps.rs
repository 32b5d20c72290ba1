//! Agents are put to sleep and woken through the door: once for each key, in groups, and refused by field.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Hive};

const SLEEP: &str = "/api/v1/system/sleep";

async fn nights(hive: &Hive) -> i64 {
    hive.store.sleep_census().await.unwrap().states.iter().map(|(_, count)| count).sum()
}

#[tokio::test]
async fn a_wish_with_a_key_is_carried_out_once_and_a_group_is_its_members() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let (ada, bob) = (hive.agent("backend", "Ada").await, hive.agent("qa", "Bob").await);
    let send = async |body: Value| {
        Answer::of(api.request(Method::POST, SLEEP).header("idempotency-key", "night").json(&body)).await
    };
    let first = send(json!({ "agent_type": "qa" })).await;
    assert_eq!((first.status.as_u16(), &first.body["begun"][0]["agent_id"]), (202, &json!(bob)), "{first:?}");
    let again = send(json!({ "agent_type": "qa" })).await;
    assert_eq!((&again.text, again.header("idempotency-replayed")), (&first.text, "true"));
    send(json!({ "all": true })).await.problem(422, "idempotency_key_reused");
    assert_eq!(nights(&hive).await, 1);

    let all = api.post(SLEEP, json!({ "all": true })).await;
    assert_eq!(all.body["begun"][0]["agent_id"], json!(ada), "{all:?}");
    assert_eq!(all.body["already"][0]["agent_id"], json!(bob), "{all:?}");
    let shown = api.get(&format!("/api/v1/agents/{bob}")).await;
    assert_eq!(shown.body["sleep_state"], "falling_asleep", "{shown:?}");
    let woken = api.post("/api/v1/system/wake", json!({ "agent_ids": [bob] })).await;
    assert_eq!(
        (woken.status.as_u16(), &woken.body["waking"][0]["state"]),
        (202, &json!("waking")),
        "{woken:?}"
    );
    let list = api.get(&format!("/api/v1/agents/{bob}/sleeps?limit=1")).await;
    let events = list.body["items"][0]["events"].as_array().unwrap();
    assert_eq!(events.iter().map(|event| &event["state"]).collect::<Vec<_>>(), ["falling_asleep", "waking"]);
    assert_eq!(list.body["next_cursor"], Value::Null);
}

#[tokio::test]
async fn what_cannot_be_accepted_is_pointed_to_and_leaves_nothing() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let ada = hive.agent("backend", "Ada").await;
    for path in [SLEEP, "/api/v1/system/wake"] {
        for (pointer, body) in [
            ("/agent_ids", json!({})),
            ("/agent_ids", json!({ "agent_ids": [] })),
            ("/agent_ids", json!({ "agent_ids": [ada], "all": true })),
            ("/agent_ids", json!({ "agent_ids": [ada, uuid::Uuid::now_v7()] })),
            ("/agent_type", json!({ "agent_type": "nobody" })),
            ("/role", json!({ "role": " " })),
            ("/soon", json!({ "all": true, "soon": true })),
        ] {
            let answer = api.post(path, body.clone()).await;
            assert_eq!(answer.status, 422, "{body}: {answer:?}");
            assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}: {answer:?}");
        }
    }
    assert_eq!(nights(&hive).await, 0);
    let settings = format!("/api/v1/agents/{ada}/sleep-settings");
    let put = async |body: Value| Answer::of(api.request(Method::PUT, &settings).json(&body)).await;
    for (pointer, body) in [
        ("/idle_seconds", json!({ "idle_seconds": 0 })),
        ("/pressure_steps", json!({ "pressure_steps": 100_001 })),
        ("/fall_seconds", json!({ "fall_seconds": -1 })),
        ("/sleep_seconds", json!({ "sleep_seconds": 86_401 })),
        ("/night_usd", json!({ "night_usd": -0.5 })),
    ] {
        assert_eq!(put(body).await.body["errors"][0]["pointer"], pointer);
    }
    let usual = api.get(&settings).await.body;
    assert_eq!((&usual["idle_seconds"], &usual["sleep_seconds"]), (&Value::Null, &json!(7_200)));
    assert_eq!(usual["night_usd"], json!(1.0), "a night has a bound though nobody named one");
    let set = put(json!({ "idle_seconds": 60, "night_usd": 0.25 })).await;
    assert_eq!(set.body["night_usd"], json!(0.25), "{set:?}");
    assert_eq!(
        (&set.body["idle_seconds"], &set.body["updated_by"]),
        (&json!(60), &json!("operator")),
        "{set:?}"
    );

    // What is not named is as it usually is.
    let whole = put(json!({ "pressure_steps": 5 })).await.body;
    assert_eq!((&whole["idle_seconds"], &whole["night_usd"]), (&Value::Null, &json!(1.0)));
    let meant_for = async |tag: &str| {
        let request = api.request(Method::PUT, &settings).header("if-match", tag);
        Answer::of(request.json(&json!({ "pressure_steps": 9 }))).await
    };
    meant_for("W/\"1\"").await.problem(412, "sleep_settings_changed");
    let matched = meant_for(api.get(&settings).await.header("etag")).await;
    assert_eq!((matched.header("etag"), &matched.body["version"]), ("W/\"3\"", &json!(3)), "{matched:?}");

    let night = json!({ "name": "n", "cron": "@daily", "sleep": { "all": true } });
    let both = json!({ "name": "m", "cron": "@daily", "sleep": { "all": true }, "duty": "records" });
    let none = json!({ "name": "o", "cron": "@daily", "sleep": {} });
    let made = api.post("/api/v1/schedules", night).await;
    assert_eq!((made.status.as_u16(), &made.body["sleep"]), (201, &json!({ "all": true })), "{made:?}");
    assert_eq!(api.post("/api/v1/schedules", both).await.body["errors"][0]["pointer"], "/sleep");
    assert_eq!(api.post("/api/v1/schedules", none).await.body["errors"][0]["pointer"], "/sleep/agent_ids");
}

/// Each of its slots would find that nobody sleeps, and nobody would look.
#[tokio::test]
async fn a_schedule_of_nights_that_nobody_can_have_is_refused() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let ada = hive.agent("backend", "Ada").await;
    let bob = hive.agent("backend", "Bob").await;
    let gone = Answer::of(api.request(Method::DELETE, &format!("/api/v1/agents/{bob}"))).await;
    assert!(gone.status.is_success(), "{gone:?}");
    let good = json!({ "name": "n", "cron": "@daily", "sleep": { "agent_type": "backend" } });
    let made = api.post("/api/v1/schedules", good).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = format!("/api/v1/schedules/{}", made.body["id"].as_str().unwrap());
    for (pointer, sleep) in [
        ("/sleep/agent_type", json!({ "agent_type": "noop" })),
        ("/sleep/agent_type", json!({ "agent_type": "records" })),
        ("/sleep/role", json!({ "role": "Nobody has it." })),
        ("/sleep/agent_ids", json!({ "agent_ids": [ada, uuid::Uuid::now_v7()] })),
        ("/sleep/agent_ids", json!({ "agent_ids": [ada, bob] })),
    ] {
        let new = json!({ "name": "m", "cron": "@daily", "sleep": sleep });
        let change = Answer::of(api.request(Method::PATCH, &made).json(&json!({ "sleep": sleep }))).await;
        for answer in [api.post("/api/v1/schedules", new).await, change] {
            assert_eq!(answer.status, 422, "{sleep}: {answer:?}");
            assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{sleep}: {answer:?}");
        }
    }
    assert_eq!(api.get(&made).await.body["sleep"], json!({ "agent_type": "backend" }));
}
