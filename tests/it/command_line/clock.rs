//! `hive schedule …` and `hive housekeeping …`.

use std::time::Duration;

use hive_tests::{TestHive, within};
use serde_json::json;

async fn one(hive: &TestHive, query: &str) -> Option<String> {
    sqlx::query_scalar(query).fetch_optional(&hive.pool).await.unwrap()
}

/// The schedule of this duty, which the scheduler makes when it starts.
async fn of_the_system(hive: &TestHive, duty: &str) -> String {
    within(Duration::from_secs(30), "the schedules of the system", async || {
        let listed = hive.says_json(&["schedule", "list"]).await;
        let all = listed["items"].as_array().unwrap();
        let found = all.iter().find(|schedule| schedule["duty"] == duty)?;
        Some(found["id"].as_str().unwrap().to_owned())
    })
    .await
}

#[tokio::test]
async fn a_schedule_lives_from_its_creation_to_its_end() {
    let hive = TestHive::builder().start().await;
    let task = json!({ "title": "Sweep", "duty": "noop" }).to_string();
    let create = ["schedule", "create", "nightly", "--cron", "30 2 * * *", "--time-zone", "Europe/Berlin"];
    let made = hive.says_json(&[&create[..], &["--task", &task, "--disabled"]].concat()).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let row = "SELECT concat_ws('|', cron, time_zone, enabled, task->>'title') FROM schedules WHERE name = 'nightly'";
    assert_eq!(one(&hive, row).await.unwrap(), "30 2 * * *|Europe/Berlin|f|Sweep");

    let listed = hive.says(&["schedule", "list"]).await;
    assert!(listed.starts_with("ID "), "{listed}");
    let line = listed.lines().find(|line| line.starts_with(&id)).unwrap();
    assert!(line.ends_with("Europe/Berlin  disabled") && line.contains("nightly"), "{line}");
    let items = hive.says_json(&["schedule", "list"]).await["items"].as_array().unwrap().clone();
    assert!(items.iter().any(|schedule| schedule["id"] == json!(id)));

    let enabled = hive.says(&["schedule", "enable", &id]).await;
    assert!(enabled.contains("makes task \"Sweep\"") && !enabled.contains("disabled"), "{enabled}");
    assert_eq!(enabled.lines().filter(|line| line.starts_with("next  ")).count(), 5, "{enabled}");
    assert_eq!(one(&hive, row).await.unwrap(), "30 2 * * *|Europe/Berlin|t|Sweep");

    let fired = hive.says(&["schedule", "run", &id]).await;
    let task = fired.trim().parse().unwrap();
    hive.wait_succeeded(task, 60).await;
    let slots = "SELECT concat_ws('|', outcome::text, manual, task_id) FROM cron_slots
                 WHERE schedule_id = (SELECT id FROM schedules WHERE name = 'nightly')";
    assert_eq!(one(&hive, slots).await.unwrap(), format!("fired|t|{task}"));
    let shown = hive.says(&["schedule", "show", &id]).await;
    assert!(shown.lines().last().unwrap().ends_with(&format!("fired  {task}")), "{shown}");

    assert!(hive.says(&["schedule", "disable", "nightly"]).await.contains("\ndisabled\n"));
    assert!(hive.says(&["schedule", "show", "nightly"]).await.starts_with(&id));
    let nobody = hive.complains(1, &["schedule", "show", "weekly"]).await;
    assert!(nobody.contains("no schedule has the id or the name \"weekly\""), "{nobody}");
    assert_eq!(one(&hive, row).await.unwrap(), "30 2 * * *|Europe/Berlin|f|Sweep");
    assert_eq!(hive.says_json(&["schedule", "delete", &id]).await, json!({ "deleted": id }));
    assert_eq!(one(&hive, row).await, None);
    let gone = hive.complains(1, &["schedule", "show", &id]).await;
    assert!(gone.contains("(404)"), "{gone}");
    hive.task(task).await;
}

#[tokio::test]
async fn schedules_that_cannot_be_are_refused_and_leave_nothing() {
    let hive = TestHive::builder().workers(0).start().await;
    let title = ["--title", "T"];
    let create = |more: &[&'static str]| [&["schedule", "create", "odd"], more, &title].concat();
    let cron = hive.complains(1, &create(&["--cron", "61 * * * *"])).await;
    assert!(cron.contains("/cron: "), "{cron}");
    let zone = hive.complains(1, &create(&["--cron", "@daily", "--time-zone", "Moon/Base"])).await;
    assert!(zone.contains("/time_zone: "), "{zone}");
    hive.complains(2, &["schedule", "create", "odd", "--cron", "@daily"]).await;
    let json = hive.complains(2, &["schedule", "create", "odd", "--cron", "@daily", "--task", "{"]).await;
    assert!(json.contains("--task"), "{json}");
    let duty = hive.complains(1, &["schedule", "create", "odd", "--cron", "@daily", "--duty", "nap"]).await;
    assert!(duty.contains("/duty: "), "{duty}");
    assert_eq!(one(&hive, "SELECT name FROM schedules WHERE name = 'odd'").await, None);
    // What the system made can be disabled, and not deleted.
    let system = of_the_system(&hive, "records").await;
    hive.complains(1, &["schedule", "delete", &system]).await;
    assert!(one(&hive, "SELECT name FROM schedules WHERE system LIMIT 1").await.is_some());
}

#[tokio::test]
async fn a_duty_is_looked_at_and_then_done() {
    let hive = TestHive::builder().workers(0).start().await;
    let clock = of_the_system(&hive, "records").await;
    // What it does by itself must not come between.
    hive.says(&["schedule", "disable", &clock]).await;
    sqlx::query(
        "INSERT INTO workers (name, host, version, slots, isolated, seen_at)
         VALUES ('gone', 'host', '1', 1, false, now() - interval '400 days')",
    )
    .execute(&hive.pool)
    .await
    .unwrap();
    let left = "SELECT name FROM workers WHERE name = 'gone'";

    let looked = hive.says_json(&["housekeeping", "run", "records", "--dry-run"]).await;
    assert_eq!(looked["dry_run"], true, "{looked:#}");
    let run = &looked["runs"][0];
    assert_eq!((&run["state"], &run["removed_rows"]), (&json!("done"), &json!(1)), "{looked:#}");
    let told = hive.says(&["housekeeping", "run", "records", "--dry-run"]).await;
    assert!(told.starts_with("would remove 1, 0 bytes\n"), "{told}");
    assert_eq!(one(&hive, left).await.as_deref(), Some("gone"), "a dry run removes nothing");

    let done = hive.says(&["housekeeping", "run", "records"]).await;
    assert!(done.starts_with("removed 1, 0 bytes\n") && done.contains("workers  1"), "{done}");
    assert_eq!(one(&hive, left).await, None);
    let success = "SELECT duty FROM housekeeping_successes WHERE duty = 'records'";
    assert!(one(&hive, success).await.is_some());
    let duties = hive.says(&["housekeeping", "list"]).await;
    let line = duties.lines().find(|line| line.starts_with("records")).unwrap();
    assert!(!line.contains("never") && line.contains("done"), "{line}");
    assert!(duties.starts_with("DUTY"), "{duties}");

    let nap = hive.complains(1, &["housekeeping", "run", "nap"]).await;
    assert!(nap.contains("(404)"), "{nap}");
    hive.complains(1, &["housekeeping", "run", "records", "--keep-days", "0"]).await;
    hive.complains(2, &["housekeeping", "run"]).await;
}
