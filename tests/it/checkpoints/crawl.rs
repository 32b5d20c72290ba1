//! Every GET of the description, with every id there is.

use std::collections::BTreeMap;

use hive_tests::TestHive;
use reqwest::Method;
use serde_json::Value;

/// What every answer was, by path.
pub(super) type Answers = BTreeMap<String, String>;

/// Answers that are of a process and not of the deployment, what processes and the restore itself add to, and streams that
/// never end.
const OF_THE_PROCESS: [&str; 7] = [
    "/metrics",
    "/health/live",
    "/health/ready",
    "/api/v1/system/health",
    "/api/v1/messages/{agent_id}/events",
    "/api/v1/events",
    "/api/v1/events/stream",
];

/// Fields that say which request it was, and the line in which a stream of events draws its pause by lot.
const OF_THE_REQUEST: [&str; 2] = ["request_id", "instance"];
const BY_LOT: &str = "retry: ";

/// Lists that the description has not: their things are named elsewhere.
const BY_QUERY: [(&str, &str); 4] = [
    ("/api/v1/context", "SELECT id::text FROM contexts ORDER BY 1"),
    ("/api/v1/housekeeping/orders", "SELECT id::text FROM housekeeping_orders ORDER BY 1"),
    ("/api/v1/tasks/actions", "SELECT id::text FROM task_actions ORDER BY 1"),
    ("/api/v1/conversations", "SELECT id::text FROM threads ORDER BY 1"),
];

/// Asks everything.
pub(super) async fn crawl(hive: &TestHive) -> Answers {
    let document = hive.get("/openapi.json").await;
    let mut answers = Answers::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        if item["get"].is_null() || OF_THE_PROCESS.contains(&template.as_str()) {
            continue;
        }
        for path in paths(hive, template).await {
            let paged = item["get"]["parameters"].as_array().into_iter().flatten();
            let is_paged = paged.clone().any(|parameter| parameter["name"] == "cursor");
            let is_stream = paged.clone().any(|parameter| parameter["name"] == "follow");
            if is_paged {
                pages(hive, &path, &mut answers).await;
            } else {
                let path = if is_stream { format!("{path}?follow=false") } else { path };
                answer(hive, path, &mut answers).await;
            }
        }
    }
    answers
}

/// A template with each thing in the place of its parameter.
async fn paths(hive: &TestHive, template: &str) -> Vec<String> {
    let Some((before, rest)) = template.split_once("/{") else { return vec![template.to_owned()] };
    let (parameter, after) = rest.split_once('}').unwrap();
    let ids = match BY_QUERY.iter().find(|(list, _)| *list == before) {
        Some((_, query)) => sqlx::query_scalar(query).fetch_all(&hive.pool).await.unwrap(),
        None if parameter == "agent_id" => listed(hive, "/api/v1/agents", "id").await,
        None => listed(hive, before, parameter).await,
    };
    let mut all = Vec::new();
    for id in ids {
        // A second parameter is of the things of the first.
        let path = format!("{before}/{id}{after}");
        match path.split_once("/{") {
            None => all.push(path),
            Some((before, parameter)) => {
                let names = listed(hive, before, parameter.trim_end_matches('}')).await;
                all.extend(names.into_iter().map(|name| format!("{before}/{name}")));
            }
        }
    }
    all
}

async fn listed(hive: &TestHive, list: &str, field: &str) -> Vec<String> {
    let page = hive.get(&format!("{list}?limit=200")).await;
    assert!(page["next_cursor"].is_null(), "{list} is longer than a page");
    let text = |item: &Value| match &item[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    page["items"].as_array().unwrap().iter().map(text).collect()
}

/// A list in parts of three, each to the end.
async fn pages(hive: &TestHive, path: &str, answers: &mut Answers) {
    let mut next = format!("{path}?limit=3");
    loop {
        let page = answer(hive, next, answers).await;
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}?limit=3&cursor={cursor}"),
            None => return,
        }
    }
}

async fn answer(hive: &TestHive, path: String, answers: &mut Answers) -> Value {
    let response = hive.send(0, Method::GET, &path, None).await;
    let status = response.status();
    let text = response.text().await.unwrap();
    let read: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut shown = text;
    for field in OF_THE_REQUEST {
        if let Some(value) = read.get(field).and_then(Value::as_str) {
            shown = shown.replace(value, field);
        }
    }
    let shown: Vec<&str> = shown.split_inclusive('\n').filter(|line| !line.starts_with(BY_LOT)).collect();
    let shown = shown.concat();
    answers.insert(path, format!("{status} {shown}"));
    read
}

/// Says where two crawls differ; nothing when they are the same byte for byte.
pub(super) fn differences(before: &Answers, after: &Answers) -> Vec<String> {
    let paths: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    differ
        .map(|path| format!("{path}\n  before {:?}\n  after  {:?}", before.get(path), after.get(path)))
        .collect()
}
