//! Searches that name what is not there: they are refused by the field, instead of finding nothing.

use hive_domain::ProjectId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hive::Hive;

#[tokio::test]
async fn what_a_search_names_has_to_exist() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let ada = hive.agent("backend", "Ada").await;
    let session = api.post("/api/v1/sessions", json!({ "name": "S" })).await.body["id"].clone();
    let entry =
        api.post("/api/v1/context/store", json!({ "content": "The port is 7700." })).await.body["id"].clone();
    let letter = json!({ "content": "The port is 7700.", "to_agent_id": ada });
    let letter = api.post("/api/v1/messages/send", letter).await.body;
    let nothing = Uuid::now_v7();

    let of_entries = |path: &str, fields: Value| match path {
        "/api/v1/context/assemble" => json!({ "search": fields, "budget_tokens": 100 }),
        _ => fields,
    };
    let with = |field: &str, id: Value| -> Value {
        let mut fields = json!({ "query": "which port" });
        fields[field] = id;
        fields
    };
    let entries = ["project_id", "session_id", "agent_id", "parent_id"];
    let messages = ["project_id", "agent_id", "from_agent_id", "conversation_id"];
    for (path, fields, within) in [
        ("/api/v1/context/search", entries, ""),
        ("/api/v1/context/assemble", entries, "/search"),
        ("/api/v1/messages/search", messages, ""),
    ] {
        for field in fields {
            let answer = api.post(path, of_entries(path, with(field, json!(nothing)))).await;
            answer.problem(422, "validation_failed");
            let fault = &answer.body["errors"][0];
            assert_eq!(fault["pointer"], format!("{within}/{field}"), "{path}: {answer:?}");
            assert_eq!(fault["detail"], "does not exist", "{path}: {answer:?}");
            let there = match field {
                "project_id" => json!(ProjectId::DEFAULT),
                "session_id" => session.clone(),
                "parent_id" => entry.clone(),
                "conversation_id" => letter["conversation_id"].clone(),
                _ => json!(ada),
            };
            let answer = api.post(path, of_entries(path, with(field, there))).await;
            assert_eq!(answer.status, 200, "{path} {field}: {answer:?}");
        }
        // All at once, so that they are mended in one go.
        let mut two = with(fields[0], json!(nothing));
        two[fields[1]] = json!(nothing);
        let answer = api.post(path, of_entries(path, two)).await;
        assert_eq!(answer.body["errors"].as_array().unwrap().len(), 2, "{path}: {answer:?}");
    }

    let dead = "/api/v1/messages/dead-letters?agent_id=";
    api.get(&format!("{dead}{nothing}")).await.problem(404, "agent_not_found");
    assert_eq!(api.get(&format!("{dead}{ada}")).await.body["items"], json!([]));
}

#[tokio::test]
async fn times_that_nobody_can_mean_are_refused_by_their_field() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let entry =
        api.post("/api/v1/context/store", json!({ "content": "The port is 7700." })).await.body["id"].clone();
    let entry = format!("/api/v1/context/{}", entry.as_str().unwrap());
    for time in ["-9999-01-01T00:00:00Z", "+262000-01-01T00:00:00Z"] {
        let search = json!({ "query": "port", "as_of": time });
        for (path, body, pointer) in [
            ("/api/v1/context/search", search.clone(), "/as_of"),
            ("/api/v1/context/assemble", json!({ "search": search, "budget_tokens": 9 }), "/search/as_of"),
            ("/api/v1/messages/search", json!({ "query": "port", "since": time }), "/since"),
            ("/api/v1/context/store", json!({ "content": "x", "valid_from": time }), "/valid_from"),
            (
                "/api/v1/context/store",
                json!({ "content": "x", "valid_from": "2026-01-01T00:00:00Z", "valid_to": time }),
                "/valid_to",
            ),
        ] {
            let answer = api.post(path, body).await;
            answer.problem(422, "validation_failed");
            let faults = answer.body["errors"].as_array().unwrap();
            assert!(faults.iter().any(|fault| fault["pointer"] == pointer), "{path} {time}: {answer:?}");
        }
        let answer = api.patch(&entry, json!({ "content": "x", "since": time })).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.body["errors"][0]["pointer"], "/since", "{answer:?}");
    }
}
