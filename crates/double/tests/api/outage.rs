//! Outages by the clock.

use std::time::Duration;

use hive_double::Outage;
use serde_json::{Value, json};

use crate::client::{Api, hello, text};

const OUTAGE: &str =
    "phases: [{ seconds: 30, fault: { status: 429, retry_after: 7 } }, { seconds: 90, fault: 529 }]";

#[tokio::test]
async fn phases_follow_each_other_and_then_all_is_well() {
    let api = Api::playing("rules: [{ times: 1, say: first }, { say: second }]").await;
    api.direct("outage", OUTAGE).await;
    let limited = api.send(&hello()).await;
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(api.get("/_double/outage").await["phase"], 1);
    api.double.advance(Duration::from_secs(31));
    let (status, overloaded) = api.post(&hello()).await;
    assert_eq!((status.as_u16(), &overloaded["error"]["type"]), (529, &json!("overloaded_error")));
    api.double.advance(Duration::from_secs(90));
    assert_eq!(api.get("/_double/outage").await["phase"], Value::Null);
    assert_eq!(text(&api.ask(&hello()).await), "first", "an outage uses up no rule");
}

#[tokio::test]
async fn an_outage_may_strike_some_models_and_can_be_ended() {
    let api = Api::playing("rules: [{ say: up }]").await;
    let outage = format!("models: [claude-sonnet-5-5]\n{OUTAGE}");
    api.double.set_outage(Some(Outage::parse(&outage).expect("it is an outage")));
    assert_eq!(api.send(&hello()).await.status(), 429);
    let mut other = hello();
    other["model"] = "claude-haiku-5-5".into();
    assert_eq!(api.send(&other).await.status(), 200);
    let ended = api.http.delete(api.url("/_double/outage")).send().await.expect("an answer comes");
    assert_eq!(ended.status(), 204);
    assert_eq!(api.send(&hello()).await.status(), 200);
    for wrong in [
        "phases: [{ seconds: 1, fault: tornado }]",
        "phases: [{ minutes: 1 }]",
        "models: [claude-2]\nphases: []",
    ] {
        assert_eq!(api.control("outage", wrong).await.0, 400, "{wrong}");
    }
}
