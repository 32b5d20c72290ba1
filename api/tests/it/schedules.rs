//! Schedules through the door: made, shown with their next times, changed at a version, fired by hand, refused by field.

use hive_domain::ScheduleId;
use hive_store::Claimant;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Api, Hive};

fn nightly() -> Value {
    json!({ "name": "nightly", "cron": "30 2 * * *", "time_zone": "Europe/Berlin",
            "task": { "title": "Tidy up", "duty": "noop", "labels": { "kind": "nightly" } } })
}

async fn patch(api: &Api, path: &str, tag: &str, body: Value) -> Answer {
    Answer::of(api.request(Method::PATCH, path).header("if-match", tag).json(&body)).await
}

#[tokio::test]
async fn a_schedule_is_made_shown_and_fired_by_hand() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let made = api.post("/api/v1/schedules", nightly()).await;
    assert_eq!((made.status.as_u16(), made.header("etag")), (201, "W/\"1\""), "{made:?}");
    let id: ScheduleId = made.body["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/v1/schedules/{id}");
    assert_eq!(made.header("location"), path);
    let times = made.body["next_fire_times"].as_array().unwrap();
    assert_eq!(times.len(), 5);
    for time in times {
        let time: chrono::DateTime<chrono::Utc> = time.as_str().unwrap().parse().unwrap();
        let hour = time.format("%H:%M").to_string();
        assert!(["00:30", "01:30", "01:00"].contains(&hour.as_str()), "{hour} in UTC");
    }
    for (field, value) in [
        ("overlap", json!("skip")),
        ("catch_up", json!("one")),
        ("catch_up_limit", json!(100)),
        ("enabled", json!(true)),
        ("system", json!(false)),
        ("duty", Value::Null),
        ("last_slots", json!([])),
    ] {
        assert_eq!(made.body[field], value, "{field}");
    }
    assert_eq!(made.body["task"]["title"], "Tidy up");
    assert!(hive.tasks().await.is_empty(), "what was rehearsed is not there");

    let fired = api.post(&format!("{path}/run"), json!({})).await;
    assert_eq!(fired.status, 201, "{fired:?}");
    let tasks = hive.tasks().await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(fired.body["task_id"], json!(tasks[0].id));
    assert_eq!((tasks[0].created_by.as_str(), &*tasks[0].labels["kind"]), ("schedule nightly", "nightly"));
    let waiting = hive.queue.depth().await.unwrap().iter().sum::<u64>();
    assert_eq!(waiting, 1, "it has its ticket");
    let shown = api.get(&path).await;
    assert_eq!(shown.body["last_slots"][0]["task_id"], json!(tasks[0].id));
    assert_eq!(shown.body["last_slots"][0]["manual"], true);

    let deleted = Answer::of(api.request(Method::DELETE, &path)).await;
    assert_eq!(deleted.status, 204);
    api.get(&path).await.problem(404, "schedule_not_found");
    assert_eq!(hive.tasks().await.len(), 1, "the task stays");
}

#[tokio::test]
async fn a_change_happens_only_at_the_version_it_was_meant_for() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let made = api.post("/api/v1/schedules", nightly()).await;
    let path = made.header("location").to_owned();
    let changed = patch(&api, &path, "W/\"1\"", json!({ "cron": "0 12 * * *", "enabled": false })).await;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "W/\"2\""), "{changed:?}");
    assert_eq!(changed.body["next_fire_times"], json!([]), "a disabled one has no times");
    assert_eq!(
        (&changed.body["name"], &changed.body["task"]["title"]),
        (&json!("nightly"), &json!("Tidy up"))
    );
    patch(&api, &path, "W/\"1\"", json!({ "enabled": true })).await.problem(412, "schedule_changed");
    let task =
        patch(&api, &path, "*", json!({ "task": { "title": "Other", "duty": "noop" }, "enabled": true }))
            .await;
    assert_eq!((task.status.as_u16(), &task.body["task"]["title"]), (200, &json!("Other")), "{task:?}");
    assert_eq!(task.body["next_fire_times"].as_array().unwrap().len(), 5);
    let duty =
        patch(&api, &path, "*", json!({ "duty": "steps_retention", "options": { "keep_days": 7 } })).await;
    assert_eq!(duty.body["options"], json!({ "dry_run": false, "keep_days": 7 }), "{duty:?}");
    let options = patch(&api, &path, "*", json!({ "options": { "dry_run": true } })).await;
    assert_eq!(
        (&options.body["duty"], &options.body["options"]["dry_run"]),
        (&json!("steps_retention"), &json!(true))
    );
    api.post("/api/v1/schedules", nightly()).await.problem(409, "schedule_name_taken");
}

#[tokio::test]
async fn bad_schedules_are_refused_by_field_and_leave_nothing_behind() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let places = [
        (
            "/cron",
            json!({ "cron": "61 * * * *" }),
            r#"the minute is "61": "61" is not a number from 0 to 59"#,
        ),
        ("/cron", json!({ "cron": "* * *" }), "has 3 fields"),
        ("/cron", json!({ "cron": "0 0 30 2 *" }), "no calendar has"),
        ("/time_zone", json!({ "time_zone": "Europe/Bielefeld" }), "IANA"),
        ("/name", json!({ "name": "" }), "empty"),
        ("/overlap", json!({ "overlap": "maybe" }), "maybe"),
        ("/catch_up", json!({ "catch_up": "two" }), "two"),
        ("/catch_up_limit", json!({ "catch_up_limit": 0 }), "1 to 1000"),
        ("/project_id", json!({ "project_id": "00000000-0000-7000-8000-000000000002" }), "does not exist"),
        ("/other", json!({ "other": 1 }), "unknown field"),
        ("/task", json!({ "task": null }), "required"),
        ("/task", json!({ "duty": "records" }), "together"),
        ("/task/title", json!({ "task": { "title": "", "duty": "noop" } }), "empty"),
        ("/task/other", json!({ "task": { "title": "T", "other": 1 } }), "unknown field"),
        (
            "/task/run_at",
            json!({ "task": { "title": "T", "duty": "noop", "run_at": "2030-01-01T00:00:00Z" } }),
            "moment",
        ),
        ("/task/agent_type", json!({ "task": { "title": "T", "agent_type": "nobody" } }), "no active agent"),
        (
            "/task/repository/url",
            json!({ "task": { "title": "T", "repository": { "url": "file:///nowhere" } } }),
            "root",
        ),
        ("/duty", json!({ "task": null, "duty": "dusting" }), "is none of artifacts_retention"),
        (
            "/options/keep_days",
            json!({ "task": null, "duty": "records", "options": { "keep_days": 0 } }),
            "1 to 3650",
        ),
        (
            "/options/keep_days",
            json!({ "task": null, "duty": "ended_pauses", "options": { "keep_days": 5 } }),
            "nothing",
        ),
        ("/options", json!({ "options": { "dry_run": true } }), "of a duty"),
    ];
    hive.agent("backend", "Ada").await;
    for (place, change, says) in places {
        let mut body = nightly();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let refused = api.post("/api/v1/schedules", body).await;
        refused.problem(422, "validation_failed");
        assert_eq!(refused.places(), [place], "{refused:?}");
        assert!(refused.text.replace("\\\"", "\"").contains(says), "{says}: {}", refused.text);
    }
    assert_eq!(api.get("/api/v1/schedules").await.body["items"], json!([]));
    assert!(hive.tasks().await.is_empty());
    api.get("/api/v1/schedules/nonsense").await.problem(400, "invalid_id");
}

#[tokio::test]
async fn the_base_of_a_repository_is_looked_up_anew_for_each_firing() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let (url, first) = hive.repository();
    let body = json!({ "name": "build", "cron": "@daily",
                       "task": { "title": "Build", "repository": { "url": url, "base_ref": "main" } } });
    let made = api.post("/api/v1/schedules", body).await;
    assert_eq!(made.body["task"]["repository"], json!({ "url": url, "base_ref": "main" }), "{made:?}");
    let run = format!("{}/run", made.header("location"));
    api.post(&run, json!({})).await;
    let second = hive.commit("Second");
    api.post(&run, json!({})).await;
    let commits: Vec<_> =
        hive.tasks().await.into_iter().rev().map(|task| task.repository.unwrap().base_commit).collect();
    assert_eq!(commits, [first, second]);
}

#[tokio::test]
async fn housekeeping_is_listed_ordered_and_shown() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let duties = api.get("/api/v1/housekeeping").await;
    let names: Vec<_> =
        duties.body["items"].as_array().unwrap().iter().map(|duty| duty["name"].clone()).collect();
    assert!(names.contains(&json!("steps_retention")) && names.contains(&json!("workspaces")), "{names:?}");
    assert!(duties.body["items"][0]["last_success_at"].is_null());

    // No scheduler runs here: this one stands in for it.
    let store = hive.store.clone();
    let scheduler = tokio::spawn(async move {
        loop {
            if let Some(order) = store.take_order(&["ended_pauses".to_owned()], "").await.unwrap() {
                let done = store.keep_house(&order, &Default::default()).await.unwrap();
                store.finish_order(&order, "", Ok(&done)).await.unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let dry = api.post("/api/v1/housekeeping/ended_pauses/run?dry_run=true", json!({})).await;
    assert_eq!((dry.status.as_u16(), &dry.body["runs"][0]["state"]), (200, &json!("done")), "{dry:?}");
    assert_eq!(
        (&dry.body["dry_run"], &dry.body["runs"][0]["report"]),
        (&json!(true), &json!({ "pauses": 0 }))
    );
    let pauses = |body: &Value| {
        let mut items = body["items"].as_array().unwrap().iter();
        items.find(|duty| duty["name"] == "ended_pauses").cloned().unwrap()
    };
    let after_dry = pauses(&api.get("/api/v1/housekeeping").await.body);
    assert!(after_dry["last_success_at"].is_null(), "a dry run is no success: {after_dry}");
    let wet = api.post("/api/v1/housekeeping/ended_pauses/run", json!({})).await;
    assert_eq!(api.get(wet.header("location")).await.body["runs"], wet.body["runs"]);
    let after = pauses(&api.get("/api/v1/housekeeping").await.body);
    assert!(after["last_success_at"].is_string(), "{after}");
    scheduler.abort();

    api.post("/api/v1/housekeeping/dusting/run", json!({})).await.problem(404, "duty_not_found");
    for query in ["keep_days=0", "keep_days=5", "dry_run=perhaps", "other=1"] {
        let refused = api.post(&format!("/api/v1/housekeeping/ended_pauses/run?{query}"), json!({})).await;
        refused.problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn a_journal_that_was_removed_is_gone_and_says_so() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let id = api.task(json!({ "title": "T", "duty": "noop" })).await;
    let lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    hive.store.settle(&lease, &hive_domain::Outcome::Done(Default::default())).await.unwrap();
    assert_eq!(api.get(&format!("/api/v1/tasks/{id}/steps")).await.status, 200, "no steps, and no wonder");
    hive.execute("DO $$ BEGIN PERFORM drop_journal_week(date_trunc('week', now(), 'UTC')); END $$").await;
    api.get(&format!("/api/v1/tasks/{id}/steps")).await.problem(410, "steps_pruned");
    api.get(&format!("/api/v1/tasks/{id}/events")).await.problem(410, "steps_pruned");
    assert_eq!(api.get(&format!("/api/v1/tasks/{id}")).await.body["status"], "succeeded");
}
