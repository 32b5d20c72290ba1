//! What is remembered, through the door: found by words and by meaning, by whom it is meant for, as of then and now;
//! edited, locked, redacted and deleted.

use std::time::Duration;

use hive_domain::ProjectId;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::hive::{Answer, Api, Hive, PATIENCE};

const STORE: &str = "/api/v1/context/store";
const SEARCH: &str = "/api/v1/context/search";

/// Until every entry has its vectors: a busy machine makes some of them afterwards.
async fn embedded(hive: &Hive) {
    let deadline = Instant::now() + PATIENCE;
    while hive.count("context_vectors_due").await > 0 {
        assert!(Instant::now() < deadline, "an entry never got its vectors");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn store(api: &Api, body: Value) -> String {
    let stored = api.post(STORE, body).await;
    assert_eq!(stored.status, 201, "{stored:?}");
    stored.body["id"].as_str().unwrap().to_owned()
}

async fn search(api: &Api, body: Value) -> Value {
    let found = api.post(SEARCH, body).await;
    assert_eq!(found.status, 200, "{found:?}");
    found.body
}

/// The ids of the hits, best first.
async fn found(api: &Api, body: Value) -> Vec<String> {
    let hits = search(api, body).await["hits"].take();
    let id = |hit: &Value| hit["context"]["id"].as_str().unwrap().to_owned();
    hits.as_array().unwrap().iter().map(id).collect()
}

async fn patch(api: &Api, id: &str, body: Value) -> Answer {
    Answer::of(api.request(Method::PATCH, &format!("/api/v1/context/{id}")).json(&body)).await
}

#[tokio::test]
async fn words_find_codes_and_meaning_finds_paraphrases() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let code =
        store(&api, json!({ "content": "The build broke with E0502 in crates/store/src/pool.rs" })).await;
    let other =
        store(&api, json!({ "content": "The build broke with E0499 in crates/queue/src/list.rs" })).await;
    let car = store(&api, json!({ "content": "Our automobile is being repaired", "kind": "note" })).await;
    for filler in ["Lunch is at noon", "The office plant wants water", "Invoices leave on Fridays"] {
        store(&api, json!({ "content": filler })).await;
    }
    embedded(&hive).await;
    let answer = search(&api, json!({ "query": "what was E0502 about" })).await;
    assert_eq!(answer["model"], "minilm-l6-v2-int8");
    let best = &answer["hits"][0];
    assert_eq!(best["context"]["id"], code, "{answer}");
    assert_eq!(best["scores"]["exact"].as_f64(), Some(1.0), "{best}");
    let text = best["scores"]["text"].as_f64().unwrap();
    assert!(
        text > 0.5 && text < 1.0,
        "it has the rare word of the question, and not all of its words: {best}"
    );
    let path = found(&api, json!({ "query": "crates/queue/src/list.rs", "limit": 1 })).await;
    assert_eq!(path, [other]);
    // No word in common.
    let answer =
        search(&api, json!({ "query": "a mechanic works on the car in the garage", "limit": 2 })).await;
    let hit = &answer["hits"][0];
    assert!(hit["scores"]["cosine"].as_f64().unwrap() > 0.3, "{answer}");
    assert_eq!((&hit["context"]["id"], hit["scores"]["bm25"].as_f64()), (&json!(car), Some(0.0)), "{answer}");
    let notes = found(&api, json!({ "query": "the build", "kinds": ["note"] })).await;
    assert_eq!(notes, [car], "a filter holds whatever fits better");
}

#[tokio::test]
async fn an_agent_never_finds_what_is_anothers_even_if_nothing_fits_better() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let (a, b) = (hive.agent("backend", "a").await, hive.agent("backend", "b").await);
    let secret = "The vault code of the north gate is 7f3a9c2e";
    let own = store(&api, json!({ "content": secret, "agent_id": a })).await;
    let hers = store(&api, json!({ "content": "The gate opens to the left", "agent_id": b })).await;
    let shared = store(&api, json!({ "content": "The north gate is painted green" })).await;
    let all = store(&api, json!({ "content": "Gates are closed at night", "scope": "org" })).await;
    embedded(&hive).await;
    // Its very words, part of them, its meaning, its id as a parent.
    for query in [secret, "7f3a9c2e", "vault code north gate", "how do I get into the safe in the north"] {
        let seen =
            found(&api, json!({ "query": query, "agent_id": b, "limit": 100, "with_faded": true })).await;
        assert!(!seen.contains(&own), "{query}");
        assert!(seen.contains(&hers) && seen.contains(&shared) && seen.contains(&all), "{query}: {seen:?}");
        let nobody = found(&api, json!({ "query": query, "limit": 100 })).await;
        assert!(!nobody.contains(&own) && !nobody.contains(&hers), "{query}");
        assert_eq!(found(&api, json!({ "query": query, "agent_id": a })).await[0], own, "{query}");
    }
    // What others keep does not even move a score.
    let scores = |answer: Value| -> Vec<(Value, Value)> {
        let hits = answer["hits"].as_array().unwrap();
        hits.iter().map(|hit| (hit["scores"]["bm25"].clone(), hit["scores"]["vector"].clone())).collect()
    };
    let before = scores(search(&api, json!({ "query": "vault gate north", "agent_id": b })).await);
    for number in 0..5 {
        store(&api, json!({ "content": format!("{secret}, copy {number}"), "agent_id": a })).await;
    }
    let after = scores(search(&api, json!({ "query": "vault gate north", "agent_id": b })).await);
    assert_eq!(before, after);
    let other = Uuid::now_v7();
    hive.execute(&format!("INSERT INTO projects (id, name) VALUES ('{other}', 'other')")).await;
    let elsewhere = found(&api, json!({ "query": secret, "agent_id": a, "project_id": other })).await;
    assert_eq!(elsewhere, [all], "another project sees what is everybody's");
}

#[tokio::test]
async fn what_one_process_stored_every_other_finds_at_once() {
    let hive = Hive::start().await;
    let (one, two) = (hive.api().await, hive.api().await);
    // Both have their index by now.
    for api in [&one, &two] {
        assert!(found(api, json!({ "query": "anything" })).await.is_empty());
    }
    for number in 0..20 {
        let code = format!("RW-{number:04}");
        let (writer, reader) = if number % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let id = store(writer, json!({ "content": format!("Ticket {code} is open") })).await;
        assert_eq!(found(reader, json!({ "query": code, "limit": 1 })).await, std::slice::from_ref(&id));
        let deleted = Answer::of(writer.request(Method::DELETE, &format!("/api/v1/context/{id}"))).await;
        assert_eq!(deleted.status, 200);
        assert!(!found(reader, json!({ "query": code })).await.contains(&id));
    }
}

#[tokio::test]
async fn an_edit_replaces_and_the_past_stays_as_it_was() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let old = store(
        &api,
        json!({ "content": "The port of the shop is 8080", "valid_from": "2026-01-01T00:00:00Z" }),
    )
    .await;
    let unrelated = store(
        &api,
        json!({ "content": "The port of the blog is 9090", "valid_from": "2026-01-01T00:00:00Z" }),
    )
    .await;
    let edited = patch(
        &api,
        &old,
        json!({ "content": "The port of the shop is 8443", "since": "2026-06-01T00:00:00Z" }),
    )
    .await;
    assert_eq!(edited.status, 200, "{edited:?}");
    let new = edited.body["id"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    assert_eq!(edited.body["lineage_id"], json!(old));
    let query = json!({ "query": "port of the shop" });
    let now = found(&api, query.clone()).await;
    assert!(now.contains(&new) && now.contains(&unrelated) && !now.contains(&old), "{now:?}");
    let then = found(&api, json!({ "query": "port of the shop", "as_of": "2026-03-01T00:00:00Z" })).await;
    assert!(then.contains(&old) && !then.contains(&new), "{then:?}");
    let before = found(&api, json!({ "query": "port of the shop", "as_of": "2025-12-31T00:00:00Z" })).await;
    assert!(before.is_empty());
    let shown = api.get(&format!("/api/v1/context/{old}")).await;
    assert_eq!(shown.body["superseded_by"], json!(new));
    assert_eq!(shown.body["content"], "The port of the shop is 8080");
    // What was replaced is not edited again, and what was wrong never held.
    let again = patch(&api, &old, json!({ "content": "x" })).await;
    assert_eq!((again.status.as_u16(), &again.body["code"]), (409, &json!("context_superseded")));
    let corrected =
        patch(&api, &new, json!({ "content": "The port of the shop is 9443", "correction": true })).await;
    let right = corrected.body["id"].as_str().unwrap().to_owned();
    let july = found(&api, json!({ "query": "port of the shop", "as_of": "2026-07-01T00:00:00Z" })).await;
    assert!(july.contains(&right) && !july.contains(&new), "{july:?}");
    let history = api.get(&format!("/api/v1/context/{right}/history")).await;
    assert_eq!(history.body["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_locked_entry_stands_until_it_is_unlocked() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = store(&api, json!({ "content": "Never deploy on Fridays" })).await;
    let locked = patch(&api, &id, json!({ "locked": true, "pinned": true })).await;
    assert_eq!(
        (&locked.body["locked"], &locked.body["pinned"], &locked.body["id"]),
        (&json!(true), &json!(true), &json!(id))
    );
    let path = format!("/api/v1/context/{id}");
    let refused = [
        patch(&api, &id, json!({ "content": "Deploy whenever" })).await,
        Answer::of(api.request(Method::DELETE, &path)).await,
        api.post(&format!("{path}/redact"), json!({ "texts": ["Fridays"] })).await,
    ];
    for answer in refused {
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (409, &json!("context_locked")),
            "{answer:?}"
        );
    }
    assert_eq!(api.get(&path).await.body["content"], "Never deploy on Fridays");
    let freed = patch(&api, &id, json!({ "locked": false, "content": "Deploy on Mondays" })).await;
    assert_eq!((freed.status.as_u16(), &freed.body["content"]), (200, &json!("Deploy on Mondays")));
}

#[tokio::test]
async fn what_is_deleted_is_gone_with_its_history_and_what_was_drawn_from_it() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let secret = "Mr Quill's account number is QX-77120";
    let first = store(&api, json!({ "content": secret })).await;
    let second = patch(&api, &first, json!({ "content": format!("{secret}, closed") })).await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = store(&api, json!({ "content": "The bank is in the high street" })).await;
    let copy = store(&api, json!({ "content": format!("Note: {secret}"), "sources": [second] })).await;
    let copy_of_copy = store(&api, json!({ "content": "QX-77120", "sources": [copy] })).await;
    let mixed =
        store(&api, json!({ "content": "A customer banks in the high street", "sources": [second, other] }))
            .await;
    let deleted = Answer::of(api.request(Method::DELETE, &format!("/api/v1/context/{second}"))).await;
    let mut gone: Vec<String> = serde_json::from_value(deleted.body["deleted"].clone()).unwrap();
    gone.sort();
    let mut expected = vec![first, second.clone(), copy, copy_of_copy];
    expected.sort();
    assert_eq!(gone, expected);
    assert_eq!(deleted.body["flagged"], json!([mixed]));
    for id in &gone {
        assert_eq!(api.get(&format!("/api/v1/context/{id}")).await.status, 404);
    }
    assert_eq!(api.get(&format!("/api/v1/context/{mixed}")).await.body["source_gone"], true);
    let seen = found(&api, json!({ "query": secret, "limit": 100 })).await;
    assert!(seen.iter().all(|id| !gone.contains(id)), "{seen:?}");
    // Nothing of it is left in Postgres but that it was there.
    assert_eq!(hive.count("contexts WHERE content LIKE '%QX-77120%'").await, 0);
    assert_eq!(
        hive.count("context_vectors v LEFT JOIN contexts c ON c.id = v.context_id WHERE c.id IS NULL").await,
        0
    );
    assert_eq!(hive.count("context_tombstones").await, 4);
    assert_eq!(
        hive.count(&format!("context_tombstones WHERE cause_id = '{second}' AND deleted_by = 'operator'"))
            .await,
        4
    );
}

#[tokio::test]
async fn what_is_redacted_stands_nowhere_and_is_found_by_what_is_left() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let first =
        store(&api, json!({ "content": "Alice Moor phoned about invoice INV-991 from +44 1632 960111" }))
            .await;
    let second = patch(
        &api,
        &first,
        json!({ "content": "Alice Moor phoned twice about invoice INV-991 from +44 1632 960111" }),
    )
    .await;
    let second = second.body["id"].as_str().unwrap().to_owned();
    let drawn =
        store(&api, json!({ "content": "Alice Moor cares about INV-991", "sources": [second] })).await;
    let path = format!("/api/v1/context/{second}/redact");
    let done = api.post(&path, json!({ "texts": ["Alice Moor", "+44 1632 960111"] })).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.body["content"], "[redacted] phoned twice about invoice INV-991 from [redacted]");
    assert!(done.body["redacted_at"].is_string());
    assert_eq!(hive.count("contexts WHERE content LIKE '%Alice%' OR content LIKE '%960111%'").await, 0);
    let hits = search(&api, json!({ "query": "Alice Moor" })).await["hits"].take();
    assert!(hits.as_array().unwrap().iter().all(|hit| hit["scores"]["bm25"] == json!(0.0)), "{hits}");
    let left = found(&api, json!({ "query": "INV-991" })).await;
    assert!(left.contains(&second) && left.contains(&drawn));
    let nothing = api.post(&path, json!({ "texts": ["Alice Moor"] })).await;
    assert_eq!((nothing.status.as_u16(), &nothing.body["errors"][0]["pointer"]), (422, &json!("/texts")));
}

#[tokio::test]
async fn each_field_at_fault_is_named_and_nothing_is_left() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let agent = hive.agent("backend", "a").await;
    let stranger = Uuid::now_v7();
    for (body, pointer) in [
        (json!({}), "/content"),
        (json!({ "content": " " }), "/content"),
        (json!({ "content": "x".repeat(32_769) }), "/content"),
        (json!({ "content": "x", "kind": "" }), "/kind"),
        (json!({ "content": "x", "importance": 1.5 }), "/importance"),
        (json!({ "content": "x", "trust": "system" }), "/trust"),
        (json!({ "content": "x", "scope": "agent" }), "/agent_id"),
        (json!({ "content": "x", "scope": "project", "agent_id": agent }), "/agent_id"),
        (json!({ "content": "x", "scope": "org", "project_id": ProjectId::DEFAULT }), "/project_id"),
        (json!({ "content": "x", "valid_to": "2026-01-01T00:00:00Z" }), "/valid_from"),
        (json!({ "content": "x", "project_id": stranger }), "/project_id"),
        (json!({ "content": "x", "agent_id": stranger }), "/agent_id"),
        (json!({ "content": "x", "session_id": stranger }), "/session_id"),
        (json!({ "content": "x", "parent_id": stranger }), "/parent_id"),
        (json!({ "content": "x", "follows_id": stranger }), "/follows_id"),
        (json!({ "content": "x", "sources": [stranger] }), "/sources"),
        (json!({ "content": "x", "provenance": { "task_id": stranger } }), "/provenance/task_id"),
        (json!({ "content": "x", "colour": "red" }), "/colour"),
    ] {
        let refused = api.post(STORE, body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{refused:?}"
        );
    }
    for (body, pointer) in [
        (json!({ "query": "" }), "/query"),
        (json!({ "query": "x", "limit": 0 }), "/limit"),
        (json!({ "query": "x", "scopes": ["world"] }), "/scopes/0"),
        (json!({ "query": "x", "more": 1 }), "/more"),
    ] {
        let refused = api.post(SEARCH, body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{refused:?}"
        );
    }
    assert_eq!(hive.count("contexts").await, 0);
}

#[tokio::test]
async fn the_same_request_stores_once_and_trust_is_never_lifted() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let send = || {
        Answer::of(
            api.request(Method::POST, STORE)
                .header("idempotency-key", "k1")
                .json(&json!({ "content": "A page said so", "trust": "external" })),
        )
    };
    let (one, two) = (send().await, send().await);
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (201, 201));
    assert_eq!(one.body["id"], two.body["id"]);
    assert_eq!(hive.count("contexts").await, 1);
    let drawn =
        api.post(STORE, json!({ "content": "It is so", "trust": "user", "sources": [one.body["id"]] })).await;
    assert_eq!(drawn.body["trust"], "external");
    let trusted = found(&api, json!({ "query": "so", "least_trust": "agent" })).await;
    assert!(trusted.is_empty());
}

#[tokio::test]
async fn a_receipt_says_what_went_in_and_what_did_not() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let mut ids = Vec::new();
    for number in 0..8 {
        let content = format!(
            "Deployment step {number}: {}",
            "check the certificate and the queue. ".repeat(6) + &"x".repeat(number)
        );
        ids.push(store(&api, json!({ "content": content })).await);
    }
    let body = json!({ "search": { "query": "deployment certificate", "limit": 8 }, "budget_tokens": 400 });
    let assembled = api.post("/api/v1/context/assemble", body).await;
    assert_eq!(assembled.status, 200, "{assembled:?}");
    let sum = |list: &str| {
        assembled.body[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["tokens"].as_u64().unwrap())
            .sum::<u64>()
    };
    let total = assembled.body["tokens"].as_u64().unwrap();
    assert!(total <= 400 && total > 100 && sum("included") == total, "{assembled:?}");
    let (included, left_out) =
        (assembled.body["included"].as_array().unwrap(), assembled.body["left_out"].as_array().unwrap());
    assert_eq!(included.len() + left_out.len(), 8);
    assert!(
        !left_out.is_empty()
            && left_out.iter().all(|one| ["budget", "same"].contains(&one["reason"].as_str().unwrap()))
    );
    let text = assembled.body["text"].as_str().unwrap();
    for one in included {
        assert!(text.contains(&format!("<recalled id=\"{}\"", one["id"].as_str().unwrap())), "{text}");
    }
    assert_eq!(text.matches("trust=\"user\"").count(), included.len());
}
