//! Agents: made, shown, changed at the version they were read, and laid to rest.

use hive_domain::AgentStatus;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Hive};

#[tokio::test]
async fn an_agent_is_made_with_sensible_defaults() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let answer = api.post("/api/v1/agents", json!({ "name": "Ada", "type": "backend" })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.body["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/agents/{id}"));
    assert_eq!(answer.header("etag"), "W/\"1\"");
    let expected = json!({
        "id": id, "project_id": "00000000-0000-7000-8000-000000000001", "name": "Ada", "type": "backend",
        "status": "active", "version": 1, "role": "", "system_prompt": "", "model": "work",
        "fallback_models": [], "tools": ["list_files", "read_file", "search_text", "write_file", "edit_file", "shell", "wait", "send_message", "ask_agent", "remember", "recall", "notify_person", "finish"],
        "capabilities": [],
        "limits": { "max_turns": null, "max_cost_usd": null, "max_tokens": null, "max_seconds": null },
        "created_at": answer.body["created_at"], "updated_at": answer.body["updated_at"],
        "sleep_state": "awake", "wake_by": null,
    });
    assert_eq!(answer.body, expected);
    let stored = hive.store.agent(id.parse().unwrap()).await.unwrap();
    assert_eq!((stored.name.as_str(), stored.definition.tools.len()), ("Ada", 13));

    let narrow = json!({ "name": "Bob", "type": "qa", "limits": { "max_turns": 5 } });
    let limits = api.post("/api/v1/agents", narrow).await.body["limits"].clone();
    let expected = json!({ "max_turns": 5, "max_cost_usd": null, "max_tokens": null, "max_seconds": null });
    assert_eq!(limits, expected, "what is left out does not narrow");

    let task = api.post("/api/v1/tasks", json!({ "title": "T" })).await;
    assert_eq!(task.body["agent"]["id"], id);
    api.post("/api/v1/agents", json!({ "name": "Ada", "type": "qa" })).await.problem(409, "agent_name_taken");
}

#[tokio::test]
async fn agents_are_listed_by_type_and_in_pages() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    for (kind, name) in [("backend", "A"), ("qa", "B"), ("backend", "C")] {
        hive.agent(kind, name).await;
    }
    let names = |body: &Value| -> Vec<String> {
        let items = body["items"].as_array().unwrap();
        items.iter().map(|agent| agent["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&api.get("/api/v1/agents?type=backend").await.body), ["A", "C"]);
    assert_eq!(names(&api.get("/api/v1/agents?name=b").await.body), ["B"], "in capitals or not");
    assert_eq!(names(&api.get("/api/v1/agents?name=B&type=backend").await.body), Vec::<String>::new());
    let page = api.get("/api/v1/agents?limit=2").await.body;
    assert_eq!(names(&page), ["A", "B"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = api.get(&format!("/api/v1/agents?limit=2&cursor={cursor}")).await.body;
    assert_eq!((names(&rest), &rest["next_cursor"]), (vec!["C".to_owned()], &Value::Null));
}

#[tokio::test]
async fn a_change_happens_only_at_the_version_it_was_meant_for() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = hive.agent("backend", "Ada").await;
    let path = format!("/api/v1/agents/{id}");
    let put = |tag: &str, body: Value| {
        Answer::of(api.request(Method::PUT, &path).header("if-match", tag).json(&body))
    };

    let tag = api.get(&path).await.header("etag").to_owned();
    let answer = put(&tag, json!({ "system_prompt": "Be brief.", "name": "Adele" })).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "W/\"2\""), "{answer:?}");
    assert_eq!(answer.body["system_prompt"], "Be brief.");
    assert_eq!(answer.body["tools"], json!(["finish"]), "what is not named stays");
    let stored = hive.store.agent(id).await.unwrap();
    assert_eq!((stored.version, stored.name.as_str()), (2, "Adele"));

    put(&tag, json!({ "system_prompt": "Too late." })).await.problem(412, "agent_changed");
    assert_eq!(hive.store.agent(id).await.unwrap().definition.system_prompt, "Be brief.");
    assert_eq!(put("\"2\"", json!({ "model": "hard" })).await.status, 200);
    assert_eq!(put("*", json!({ "model": "light" })).await.body["version"], 4);
    for bad in ["2", "W/\"x\"", "\"1\", \"2\""] {
        put(bad, json!({})).await.problem(400, "invalid_if_match");
    }
    let unchanged = api.put(&path, json!({ "model": "light" })).await;
    assert_eq!(unchanged.body["version"], 4, "an equal definition is no new version");
}

#[tokio::test]
async fn a_deactivated_agent_takes_no_tasks_until_it_is_active_again() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = hive.agent("backend", "Ada").await;
    let path = format!("/api/v1/agents/{id}");
    let answer = Answer::of(api.request(Method::DELETE, &path)).await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (204, ""));
    assert_eq!(hive.store.agent(id).await.unwrap().status, AgentStatus::Inactive);
    let refused = api.post("/api/v1/tasks", json!({ "title": "T", "agent_id": id })).await;
    refused.problem(422, "validation_failed");
    assert_eq!(refused.places(), ["/agent_id"]);
    assert_eq!(api.put(&path, json!({ "status": "active" })).await.body["status"], "active");
    api.task(json!({ "title": "T", "agent_id": id })).await;
}

#[tokio::test]
async fn bad_agents_are_refused_by_field() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = hive.agent("backend", "Ada").await;
    let good = json!({ "name": "Bob", "type": "qa" });
    for (field, value) in [
        ("/name", json!("")),
        ("/name", json!("x".repeat(256))),
        ("/type", json!(" ")),
        ("/model", json!("")),
        ("/tools/0", json!(["teleport"])),
        ("/tools/1", json!(["shell", "shell"])),
        ("/capabilities/0", json!([""])),
        ("/limits/max_turns", json!({ "max_turns": 0 })),
        ("/limits/other", json!({ "other": 1 })),
        ("/project_id", json!("00000000-0000-7000-8000-000000000002")),
        ("/status", json!("active")),
        ("/role", json!("a\0b")),
    ] {
        let mut body = good.clone();
        body[field.split('/').nth(1).unwrap()] = value;
        let answer = api.post("/api/v1/agents", body).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.places(), [field], "{answer:?}");
    }
    let answer = api.put(&format!("/api/v1/agents/{id}"), json!({ "type": "qa" })).await;
    assert_eq!(answer.places(), ["/type"]);
    for path in ["/api/v1/agents/00000000-0000-7000-8000-000000000009"] {
        api.get(path).await.problem(404, "agent_not_found");
        api.put(path, json!({})).await.problem(404, "agent_not_found");
        Answer::of(api.request(Method::DELETE, path)).await.problem(404, "agent_not_found");
    }
    assert_eq!(hive.store.agents(None, None, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn stand_ins_that_answer_no_calls_are_refused_by_name() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let agent = json!({ "name": "Ada", "type": "backend", "fallback_models": ["light", "no-such-model"] });
    let answer = api.post("/api/v1/agents", agent).await;
    answer.problem(422, "validation_failed");
    assert_eq!(answer.body["errors"][0]["pointer"], "/fallback_models/1", "{answer:?}");
    assert_eq!(api.get("/api/v1/agents?type=backend").await.body["items"].as_array().unwrap().len(), 0);
}
