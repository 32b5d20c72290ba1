//! `hive task bulk|cancel|priority` for many tasks, and `hive dead …`.

use std::{fs, time::Duration};

use hive_tests::{TestHive, within};
use serde_json::{Value, json};

async fn number(hive: &TestHive, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&hive.pool).await.unwrap()
}

/// Hands over `count` tasks of a team that wait for a far day.
async fn hand_over(hive: &TestHive, team: &str, count: usize) {
    let task = json!({ "title": team, "duty": "noop", "labels": { "team": team }, "run_at": "2999-01-01T00:00:00Z" });
    let file = hive.path(&format!("{team}.json"));
    fs::write(&file, json!(vec![task; count]).to_string()).unwrap();
    let listed = hive.says(&["task", "bulk", file.to_str().unwrap()]).await;
    assert_eq!(listed.lines().count(), count + 1, "{listed}");
}

#[tokio::test]
async fn many_tasks_are_handed_over_and_acted_on() {
    let hive = TestHive::builder().workers(0).start().await;
    hand_over(&hive, "shop", 30).await;
    let stored = "SELECT count(*) FROM tasks WHERE labels->>'team' = 'shop' AND status = 'pending'";
    assert_eq!(number(&hive, stored).await, 30);
    let bad = hive.path("bad.json");
    fs::write(&bad, json!([{ "title": "T", "duty": "noop", "colour": "red" }]).to_string()).unwrap();
    let refused = hive.complains(1, &["task", "bulk", bad.to_str().unwrap()]).await;
    assert!(refused.contains("/tasks/0/colour"), "{refused}");
    hive.complains(2, &["task", "bulk", hive.path("none.json").to_str().unwrap()]).await;

    let shop = ["--label", "team=shop"];
    let looked = hive.says(&[&["task", "priority", "2", "--dry-run"], &shop[..]].concat()).await;
    assert_eq!(looked, "30 tasks match; nothing was done\n");
    assert_eq!(number(&hive, "SELECT count(*) FROM tasks WHERE priority = 2").await, 0);
    let raised = hive.says_json(&[&["task", "priority", "2"], &shop[..]].concat()).await;
    assert_eq!((&raised["status"], &raised["done"]), (&json!("done"), &json!(30)), "{raised:#}");
    assert_eq!(number(&hive, "SELECT count(*) FROM tasks WHERE priority = 2").await, 30);
    let id = raised["id"].as_str().unwrap();
    assert_eq!(hive.says_json(&["task", "action", id]).await, raised);
    assert_eq!(
        hive.says(&["task", "action", id]).await,
        "reprioritise done\n30 of 30 tasks done, 0 skipped\n"
    );
    let nothing = hive.complains(1, &["task", "action", &uuid::Uuid::now_v7().to_string()]).await;
    assert!(nothing.contains("(404)"), "{nothing}");
    let again = hive.says(&[&["task", "priority", "2"], &shop[..]].concat()).await;
    assert_eq!(again, "0 of 30 tasks done, 30 skipped\n");
    let all = hive.complains(2, &["task", "cancel"]).await;
    assert!(all.contains("--all"), "{all}");
    let ended = hive.says(&[&["task", "cancel"], &shop[..]].concat()).await;
    assert_eq!(ended, "30 of 30 tasks done, 0 skipped\n");
    assert_eq!(number(&hive, "SELECT count(*) FROM tasks WHERE status = 'cancelled'").await, 30);
}

/// The front one can never be carried out; the one behind it is done within seconds all the same.
#[tokio::test]
async fn an_action_that_keeps_failing_holds_nobody_up_and_says_why_it_failed() {
    let hive = TestHive::builder().workers(0).start().await;
    hand_over(&hive, "stuck", 3).await;
    hand_over(&hive, "free", 3).await;
    let plant = "ALTER TABLE tasks ADD CONSTRAINT planted CHECK (labels->>'team' <> 'stuck' OR status <> 'cancelled')";
    sqlx::query(plant).execute(&hive.pool).await.unwrap();
    let body = json!({ "action": "cancel", "filter": { "labels": { "team": "stuck" } } });
    let (status, stuck) = hive.post("/api/v1/tasks/actions", &body).await;
    assert_eq!(status, 202, "{stuck:#}");
    let path = format!("/api/v1/tasks/actions/{}", stuck["id"].as_str().unwrap());
    let failing =
        async || Some(hive.get(&path).await).filter(|action| action["failures"].as_i64() >= Some(1));
    within(Duration::from_secs(20), "the first failure", failing).await;
    let freed =
        tokio::time::timeout(Duration::from_secs(15), hive.says(&["task", "cancel", "--label", "team=free"]));
    assert_eq!(freed.await.unwrap(), "3 of 3 tasks done, 0 skipped\n");
    let action: Value = hive.get(&path).await;
    assert_eq!((&action["status"], &action["done"]), (&json!("working"), &json!(0)), "{action:#}");

    // The last of its tries; the minutes between them are not waited for.
    sqlx::query("UPDATE task_actions SET failures = 7, retry_at = now() WHERE status = 'working'")
        .execute(&hive.pool)
        .await
        .unwrap();
    let ended = async || Some(hive.get(&path).await).filter(|action| action["status"] == "failed");
    let action = within(Duration::from_secs(20), "its end", ended).await;
    assert!(action["error"].as_str().unwrap().contains("planted"), "{action:#}");
    assert!(action["finished_at"].is_string(), "{action:#}");
    assert_eq!(number(&hive, "SELECT count(*) FROM tasks WHERE status = 'cancelled'").await, 3);

    // A person at the command line sees the same: what was done, and the error with exit code 1.
    let waiting = hive.command(&["task", "cancel", "--label", "team=stuck"]);
    let push = async {
        let push = "UPDATE task_actions SET failures = 7, retry_at = now() WHERE status = 'working'";
        within(Duration::from_secs(20), "another try", async || {
            let pushed = sqlx::query(push).execute(&hive.pool).await.unwrap();
            (pushed.rows_affected() == 1).then_some(())
        })
        .await;
    };
    let (output, ()) = tokio::join!(waiting, push);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0 of 3 tasks done, 0 skipped\n");
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("planted"));
    // While it was waited for, its id was told, by which it is shown afterwards.
    let id = complaint.lines().find_map(|line| line.strip_prefix("hive task action ")).unwrap();
    let later = hive.complains(1, &["task", "action", id]).await;
    assert!(later.contains("planted"), "{later}");
}

#[tokio::test]
async fn dead_letters_are_listed_and_tried_again() {
    let mut hive = TestHive::builder().workers(0).start().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let labels = json!({ "n": n.to_string() });
        ids.push(hive.post_task(json!({ "title": "Dead", "duty": "noop", "labels": labels })).await);
    }
    let die = "UPDATE tasks SET status = 'dead', status_reason = 'poison', error_class = 'host',
                                status_detail = 'the disk is full', completed_at = now()
               WHERE title = 'Dead'";
    sqlx::query(die).execute(&hive.pool).await.unwrap();
    let listed = hive.says(&["dead", "list"]).await;
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.starts_with("ID") && listed.contains("AGAIN AS"), "{listed}");
    assert!(listed.lines().nth(1).unwrap().ends_with("the disk is full"), "{listed}");
    hive.complains(2, &["dead", "list", "--label", "n:1"]).await;
    let one = hive.says_json(&["dead", "list", "--label", "n=1"]).await["items"].clone();
    assert_eq!((one.as_array().unwrap().len(), &one[0]["id"]), (1, &json!(ids[1])), "{one:#}");

    let first = ids[0].to_string();
    let made = hive.says_json(&["dead", "redrive", &first]).await;
    assert_eq!(made["redriven_from"], json!(first), "{made:#}");
    let twice = hive.complains(1, &["dead", "redrive", &first]).await;
    assert!(twice.contains(made["id"].as_str().unwrap()) && twice.contains("(409)"), "{twice}");
    let refused = hive.complains(2, &["dead", "redrive"]).await;
    assert!(refused.contains("--all"), "{refused}");
    let rest = hive.says(&["dead", "redrive", "--all"]).await;
    assert_eq!(rest, "2 of 2 tasks done, 0 skipped\n", "what was tried again is not meant");
    let again = "SELECT count(DISTINCT redriven_from) FROM tasks WHERE redriven_from IS NOT NULL AND status = 'ready'";
    assert_eq!(number(&hive, again).await, 3);
    hive.start_worker().await;
    hive.wait_succeeded(made["id"].as_str().unwrap().parse().unwrap(), 60).await;
    let alive = hive.complains(1, &["dead", "redrive", made["id"].as_str().unwrap()]).await;
    assert!(alive.contains("(409)"), "{alive}");
}
