//! `hive verify` on a hive that runs: whole, then with what a person planted, then whole again.

use std::{path::Path, process::Output, time::Duration};

use hive_tests::{Program, TestHive, rules, say, within};
use serde_json::{Value, json};
use uuid::Uuid;

/// What the command prints and how it ends.
async fn verify(hive: &TestHive, grace: &str) -> (Option<i32>, Value) {
    let output: Output = hive.command(&["--json", "verify", "--all", "--ticket-grace", grace]).await;
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// The checks that found something, and the tasks that they name.
fn found(report: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["found"] != 0);
    checks
        .map(|check| {
            let tasks = check["violations"].as_array().unwrap().iter();
            (text(&check["name"]), tasks.map(|violation| text(&violation["task_id"])).collect())
        })
        .collect()
}

async fn end(program: &mut Program) {
    program.ask_to_end();
    program.ends(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_hive_is_whole_until_somebody_breaks_it() {
    let mut hive = TestHive::builder().script(rules(json!([say("Whole", 0, "Done.")]))).start().await;
    let id = hive.post_task(json!({ "title": "Whole" })).await;
    hive.wait_succeeded(id, 60).await;
    let (code, report) = verify(&hive, "300").await;
    assert_eq!((code, &report["whole"]), (Some(0), &json!(true)), "{report:#}");
    assert!(report["checks"].as_array().unwrap().iter().any(|check| check["looked_at"] != 0));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md");
    let page = std::fs::read_to_string(page).unwrap();
    for check in report["checks"].as_array().unwrap() {
        let name = format!("`{}`", check["name"].as_str().unwrap());
        assert!(page.contains(&name), "docs/OPERATIONS.md does not say what breaks {name}");
    }

    // A slot that should have come and left no row, as the schedule of the system would have it an hour ago.
    let since = "UPDATE schedules SET slots_since = now() - $1::text::interval WHERE name = 'system: idempotency_keys'";
    sqlx::query(since).bind("2 hours").execute(&hive.pool).await.unwrap();
    let (code, report) = verify(&hive, "300").await;
    assert_eq!(code, Some(1));
    let [(check, slots)] = found(&report).try_into().unwrap();
    assert_eq!(check, "slot_missing");
    assert!((1..=2).contains(&slots.len()), "{report:#}");
    assert!(report.to_string().contains("system: idempotency_keys"), "{report:#}");
    sqlx::query(since).bind("0 s").execute(&hive.pool).await.unwrap();

    // A ticket that no task wants, in a hive without a worker that would drop it.
    end(&mut hive.workers[0]).await;
    sqlx::query("UPDATE tasks SET updated_at = now() - interval '1 min', input_tokens = input_tokens + 1")
        .execute(&hive.pool)
        .await
        .unwrap();
    hive.push_ticket(id, 7).await;
    let (code, report) = verify(&hive, "0").await;
    let named = vec![id.to_string()];
    assert_eq!(code, Some(1));
    assert_eq!(
        found(&report),
        [("ledger_sum".to_owned(), named.clone()), ("unwanted_ticket".to_owned(), named)]
    );

    // A ready task whose tickets are lost, and no scheduler to write another.
    end(&mut hive.schedulers[0]).await;
    sqlx::query("UPDATE tasks SET input_tokens = input_tokens - 1").execute(&hive.pool).await.unwrap();
    let lost = Uuid::now_v7();
    sqlx::query(
        "INSERT INTO tasks (id, project_id, title, duty, created_by, status, event_seq, updated_at)
         SELECT $1, project_id, 'Lost', 'noop', 'a story', 'ready', 1, now() - interval '11 s' FROM tasks WHERE id = $2",
    )
    .bind(lost)
    .bind(id)
    .execute(&hive.pool)
    .await
    .unwrap();
    sqlx::query("INSERT INTO events (task_id, seq, kind) VALUES ($1, 1, 'task.created')")
        .bind(lost)
        .execute(&hive.pool)
        .await
        .unwrap();
    let (code, report) = verify(&hive, "300").await;
    assert_eq!(code, Some(1));
    assert_eq!(found(&report), [("ready_without_ticket".to_owned(), vec![lost.to_string()])]);

    // A worker's poll or a ticket mends it, and nothing else is needed.
    hive.push_ticket(lost, 0).await;
    hive.start_worker().await;
    let mended = async || (verify(&hive, "300").await.0 == Some(0)).then_some(());
    within(Duration::from_secs(60), "the hive is whole again", mended).await;
    hive.wait_succeeded(lost, 60).await;
}

#[tokio::test]
async fn a_store_that_is_away_is_said_to_be() {
    let mut hive = TestHive::builder().own_redis().start().await;
    hive.kill_redis();
    let (code, report) = verify(&hive, "300").await;
    assert_eq!((code, &report["whole"], &report["tickets_seen"]), (Some(4), &json!(false), &json!(false)));
}
