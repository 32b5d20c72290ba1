//! Messages between agents through the door: accepted once, listed in order, searched, watched, and refused by field.

use std::time::Duration;

use hive_queue::{Notice, agent_events};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hive::{Answer, Hive, PATIENCE};

const SEND: &str = "/api/v1/messages/send";

#[tokio::test]
async fn a_message_is_stored_before_it_is_told_and_sent_again_it_is_the_same() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let (ada, bob) = (hive.agent("backend", "Ada").await, hive.agent("qa", "Bob").await);
    let channel = agent_events(bob);
    let mut events = hive.queue.subscribe(&[&channel]);
    assert_eq!(events.recv().await, Notice::Gap);
    let body =
        json!({ "from_agent_id": ada, "to_agent_id": bob, "content": "Hello.", "context_refs": [ada] });
    let send = || api.request(Method::POST, SEND).header("idempotency-key", "one").json(&body);
    let sent = Answer::of(send()).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    let expected = json!({ "from_agent_id": ada, "from_name": "Ada", "to_agent_id": bob, "message_type": "message",
                           "audience": "direct", "trust": "agent", "number": 1, "wakes": true, "context_refs": [ada] });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&sent.body[field], value, "{field}");
    }
    let notice = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap();
    let Notice::Message { payload, .. } = notice else { panic!("{notice:?}") };
    let told: Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(told, json!({ "message_id": sent.body["id"], "place": 1 }));

    let again = Answer::of(send()).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(again.body, sent.body);
    let inbox = api.get(&format!("/api/v1/messages/{bob}")).await;
    assert_eq!(inbox.body["items"].as_array().unwrap().len(), 1);
    // Whoever is idle has a task for it, and the task a ticket.
    let tasks = hive.tasks().await;
    assert_eq!((tasks.len(), tasks[0].title.as_str()), (1, "Message from Ada"));
    assert_eq!(sent.body["receivers"][0]["task_id"], json!(tasks[0].id));
    assert_eq!(hive.queue.depth().await.unwrap().iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn an_inbox_is_read_in_pages_and_watched_from_any_place() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let bob = hive.agent("qa", "Bob").await;
    let write = async |words: String| {
        let sent = api.post(SEND, json!({ "to_agent_id": bob, "content": words, "wake": false })).await;
        assert_eq!(sent.status, 201, "{sent:?}");
        sent.body["id"].clone()
    };
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(write(number.to_string()).await);
    }
    let path = format!("/api/v1/messages/{bob}");
    let ack = api.post(&format!("{path}/ack"), json!({ "message_ids": [ids[1]] })).await;
    assert_eq!(ack.body, json!({ "acknowledged": [ids[1]], "acknowledged_before": [] }));
    let places = |page: &Answer| {
        let items = page.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["place"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let first = api.get(&format!("{path}?limit=2")).await;
    assert_eq!((places(&first), &first.body["next_cursor"]), (vec![1, 3], &json!("3")));
    assert_eq!(places(&api.get(&format!("{path}?limit=2&cursor=3")).await), [4, 5]);
    assert_eq!(places(&api.get(&format!("{path}?state=all&cursor=1")).await), [2, 3, 4, 5]);
    assert!(places(&api.get(&format!("{path}?state=all&since=2999-01-01T00:00:00Z")).await).is_empty());
    let inbox = api.get(&format!("{path}/inbox")).await;
    assert_eq!((&inbox.body["unacknowledged"], &inbox.body["last_place"]), (&json!(4), &json!(5)));

    let mut stream = api.request(Method::GET, &format!("{path}/events?after=3")).send().await.unwrap();
    let mut seen = String::new();
    let mut until = async |mark: &str| {
        let more = async {
            while !seen.contains(mark) {
                seen.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, more).await.expect(mark);
    };
    until("id: 5").await;
    let started = tokio::time::Instant::now();
    write("now".to_owned()).await;
    until("id: 6").await;
    assert!(started.elapsed() < Duration::from_secs(4), "by the hint, not by the clock");
    assert!(!seen.contains("id: 3") && seen.contains("event: agent.message"), "{seen}");
}

#[tokio::test]
async fn whoever_reads_can_go_back_a_day_and_gets_the_order_of_then() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let bob = hive.agent("qa", "Bob").await;
    let path = format!("/api/v1/messages/{bob}");
    let mut ids = Vec::new();
    for number in 0..6 {
        let body = json!({ "to_agent_id": bob, "content": number.to_string(), "wake": false });
        ids.push(api.post(SEND, body).await.body["id"].clone());
    }
    // The first two are older than a day, and all but one have arrived, in an order of their own.
    hive.execute(
        "UPDATE conversations SET created_at = now() - interval '25 hours' WHERE content IN ('0', '1')",
    )
    .await;
    for index in [5, 3, 0, 2, 1] {
        let ack = api.post(&format!("{path}/ack"), json!({ "message_ids": [ids[index]] })).await;
        assert_eq!(ack.status, 200, "{ack:?}");
    }
    let day = hive.hours_ago(24).await;
    // Readers do not stand in each other's way: each gets all of it, page by page, and again.
    for limit in [1, 2, 6] {
        let (mut seen, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let page = format!("{path}?state=all&since={day}&limit={limit}&cursor={cursor}");
            let page = api.get(&page).await.body;
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(seen, ids[2..], "{limit} at a time");
    }
    let from = api.get(&format!("{path}?state=all&since={day}&cursor=4")).await.body;
    assert_eq!(from["items"].as_array().unwrap().len(), 2, "from a place of its own");
}

#[tokio::test]
async fn a_search_finds_a_decision_by_a_paraphrase() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let [ada, bob, eve] =
        [hive.agent("a", "Ada").await, hive.agent("b", "Bob").await, hive.agent("c", "Eve").await];
    let write = async |to: hive_domain::AgentId, words: &str| {
        let body = json!({ "from_agent_id": ada, "to_agent_id": to, "content": words, "wake": false });
        let sent = api.post(SEND, body).await;
        assert_eq!(sent.status, 201, "{sent:?}");
        sent.body["id"].clone()
    };
    let planted =
        write(bob, "We settled on keeping customer invoices for seven years before purging them.").await;
    for others in [
        "The integration suite is green again on the main branch.",
        "Please review my pull request for the login page.",
        "Deployment to staging is planned for Thursday morning.",
        "The cache misses doubled after yesterday's upgrade.",
        "I renamed the helper that formats phone numbers.",
        "The printer on the second floor is out of paper.",
    ] {
        write(bob, others).await;
        write(eve, others).await;
    }
    let search = async |body: Value| {
        let found = api.post("/api/v1/messages/search", body).await;
        assert_eq!(found.status, 200, "{found:?}");
        found.body
    };
    let paraphrase = "how long must old bills be retained until deletion";
    let best = async |reader: hive_domain::AgentId| {
        let body = search(json!({ "query": paraphrase, "agent_id": reader, "limit": 3 })).await;
        let items = body["items"].as_array().unwrap().clone();
        (items, body["model"].clone())
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while hive.count("message_vectors_due").await > 0 {
        assert!(tokio::time::Instant::now() < deadline, "a message never got its vectors");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for reader in [ada, bob] {
        let (items, model) = best(reader).await;
        assert_eq!(items[0]["id"], planted, "{items:#?}");
        assert_eq!((items.len(), model.is_string()), (3, true));
        let scores = &items[0]["scores"];
        assert_eq!((&scores["text"], &scores["vector"]), (&json!(0.0), &json!(1.0)), "no word in common");
        assert!(scores["cosine"].as_f64().unwrap() > 0.2, "{scores}");
    }
    let (items, _) = best(eve).await;
    assert!(items.iter().all(|item| item["id"] != planted) && items.len() == 3, "{items:#?}");
    // Signs for words are taken at their word.
    let body = search(json!({ "query": "\"seven years\"", "agent_id": bob })).await;
    assert_eq!((body["items"].as_array().unwrap().len(), &body["model"]), (1, &Value::Null));
    let body = search(json!({ "query": "invoices -customer", "agent_id": bob })).await;
    assert_eq!(body["items"], json!([]));
}

#[tokio::test]
async fn a_search_is_bounded_by_who_reads() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let [ada, bob, eve] =
        [hive.agent("a", "Ada").await, hive.agent("b", "Bob").await, hive.agent("c", "Eve").await];
    let body =
        json!({ "from_agent_id": ada, "to_agent_id": bob, "content": "We chose port 7700 for the gateway." });
    let sent = api.post(SEND, body).await;
    let search = async |reader: Option<hive_domain::AgentId>| {
        let body = json!({ "query": "gateways port", "agent_id": reader });
        api.post("/api/v1/messages/search", body).await.body["items"].as_array().unwrap().clone()
    };
    for reader in [None, Some(ada), Some(bob)] {
        let found = search(reader).await;
        assert_eq!(found[0]["id"], sent.body["id"]);
        assert!(found[0]["scores"]["text"].as_f64().unwrap() > 0.0);
    }
    assert!(search(Some(eve)).await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_sent_is_named_and_leaves_nothing() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let bob = hive.agent("qa", "Bob").await;
    let nobody = Uuid::now_v7();
    for (body, place) in [
        (json!({ "to_agent_id": bob }), "/content"),
        (json!({ "to_agent_id": bob, "content": " " }), "/content"),
        (json!({ "to_agent_id": bob, "content": "x".repeat(8_001) }), "/content"),
        (json!({ "to_agent_id": bob, "content": "x", "loud": true }), "/loud"),
        (json!({ "content": "x" }), "/to_agent_id"),
        (json!({ "content": "x", "to_agent_id": bob, "broadcast": true }), "/to_agent_id"),
        (json!({ "content": "x", "to_agent_ids": [] }), "/to_agent_ids"),
        (json!({ "content": "x", "to_agent_id": nobody }), "/to_agent_id"),
        (json!({ "content": "x", "to_agent_ids": [bob, nobody] }), "/to_agent_ids"),
        (json!({ "content": "x", "to_agent_id": bob, "from_agent_id": nobody }), "/from_agent_id"),
        (json!({ "content": "x", "to_agent_id": bob, "from_agent_id": bob }), "/to_agent_id"),
        (json!({ "content": "x", "to_agent_id": bob, "reply_to": nobody }), "/reply_to"),
        (json!({ "content": "x", "to_agent_id": bob, "conversation_id": nobody }), "/conversation_id"),
        (json!({ "content": "x", "to_agent_id": bob, "session_id": nobody }), "/session_id"),
        (json!({ "content": "x", "to_agent_id": bob, "priority": 10 }), "/priority"),
        (json!({ "content": "x", "to_agent_id": bob, "answer_within_seconds": 0 }), "/answer_within_seconds"),
        (json!({ "content": "x", "broadcast": true, "answer_within_seconds": 5 }), "/answer_within_seconds"),
    ] {
        let refused = api.post(SEND, body.clone()).await;
        refused.problem(422, "validation_failed");
        assert_eq!(refused.places(), [place], "{body}");
    }
    let none = api.post(SEND, json!({ "content": "x", "to_agent_type": "painter" })).await;
    none.problem(409, "no_receivers");
    assert!(hive.tasks().await.is_empty());
    let inbox = format!("/api/v1/messages/{bob}");
    assert_eq!(api.get(&format!("{inbox}?state=all")).await.body["items"], json!([]));
    for (path, body, place) in [
        (format!("{inbox}/ack"), json!({ "message_ids": [] }), "/message_ids"),
        (format!("{inbox}/ack"), json!({ "message_ids": [nobody] }), "/message_ids"),
        (format!("{inbox}/receive"), json!({ "limit": 0 }), "/limit"),
        (format!("{inbox}/receive"), json!({ "visibility_seconds": 0 }), "/visibility_seconds"),
        ("/api/v1/messages/search".to_owned(), json!({ "query": "" }), "/query"),
        ("/api/v1/messages/dead-letters/redrive".to_owned(), json!({}), "/message_ids"),
    ] {
        let refused = api.post(&path, body).await;
        refused.problem(422, "validation_failed");
        assert_eq!(refused.places(), [place], "{path}");
    }
    for path in ["", "?state=all", "/inbox"] {
        api.get(&format!("/api/v1/messages/{nobody}{path}")).await.problem(404, "agent_not_found");
    }
    api.get(&format!("{inbox}?state=gone")).await.problem(400, "invalid_query");
    api.get("/api/v1/messages/x").await.problem(400, "invalid_id");
    let redrive = json!({ "agent_id": bob });
    api.post("/api/v1/messages/dead-letters/redrive", redrive).await.problem(409, "not_dead");
    assert_eq!(
        api.get("/api/v1/messages/dead-letters").await.body,
        json!({ "items": [], "next_cursor": null })
    );
}
