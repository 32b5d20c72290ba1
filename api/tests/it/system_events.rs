//! Events of the system: pages, filters, and what cannot be asked for.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Hive};

#[tokio::test]
async fn pages_hold_each_event_once_newest_first() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    for n in 0..7 {
        let kind = if n % 2 == 0 { "queue.paused" } else { "queue.resumed" };
        hive.execute(&format!("SELECT tell_system('system_events', '{kind}', 'a story', '{{\"n\": {n}}}')"))
            .await;
    }
    let (mut seen, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let rest = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = api.get(&format!("/api/v1/events?subject=a%20story&limit=3{rest}")).await.body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|event| event["data"]["n"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen, (0..7).rev().map(|n| json!(n)).collect::<Vec<_>>());
    let of = async |filter: &str| {
        let page = api.get(&format!("/api/v1/events?subject=a%20story&{filter}")).await.body;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(of("kind=queue.paused").await, 4);
    assert_eq!(of("kind=queue.paused,queue.resumed").await, 7);
    assert_eq!(of("channel=health_checks").await, 0);
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_named() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    for path in ["/api/v1/events", "/api/v1/events/stream"] {
        for (name, query) in [
            ("channel", "channel=weather"),
            ("kind", "kind=task.created"),
            ("subject", "subject="),
            ("colour", "colour=red"),
        ] {
            let answer = api.get(&format!("{path}?{query}")).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["code"]),
                (400, &json!("invalid_query")),
                "{path} {query}"
            );
            assert!(answer.body["detail"].as_str().unwrap().contains(name), "{answer:?}");
        }
    }
    let watch =
        |id: &'static str| api.request(Method::GET, "/api/v1/events/stream").header("last-event-id", id);
    let answer = Answer::of(watch("soon")).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (400, &json!("invalid_last_event_id")));
    let bare = Answer::of(api.bare(Method::GET, "/api/v1/events/stream")).await;
    assert_eq!(bare.status, 401);

    // What was removed is not passed over in silence.
    hive.execute(
        "SELECT tell_system('system_events', 'queue.paused', 's', '{}') FROM generate_series(1, 9);",
    )
    .await;
    hive.execute("DELETE FROM system_events WHERE seq < 7").await;
    let answer = Answer::of(watch("3")).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (410, &json!("events_pruned")));
    assert_eq!(watch("6").send().await.unwrap().status(), 200);
    assert_eq!(watch("0").send().await.unwrap().status(), 200);
}
