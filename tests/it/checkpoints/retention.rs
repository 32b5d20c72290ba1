//! Checkpoints that lie there: the newest is read each night, and only so many stay.

use std::fs;

use hive_tests::TestHive;
use serde_json::json;

use super::make;

#[tokio::test]
async fn the_newest_is_verified_and_only_so_many_stay() {
    let hive = TestHive::builder().worker_env("HIVE_CHECKPOINTS_KEEP", "2").start().await;
    let root = hive.path("checkpoints");
    let (first, oldest) = make(&hive).await;
    let (_, second) = make(&hive).await;
    let (_, newest) = make(&hive).await;
    // Many that are asked for do not fill the disk.
    assert!(!oldest.exists() && second.exists() && newest.exists());
    let shown = hive.get(&format!("/api/v1/system/checkpoints/{}", first["id"].as_str().unwrap())).await;
    assert_eq!(shown["status"], "done");
    assert!(!shown["removed_at"].is_null(), "{shown:#}");

    // What this deployment knows nothing of is named and stays.
    let foreign = "20200101T000000Z-01900000-0000-7000-8000-000000000000";
    fs::create_dir(root.join(foreign)).unwrap();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let order = hive.says_json(&["housekeeping", "run", "checkpoints"]).await;
    let report = &order["runs"][0]["report"];
    assert_eq!(report["verified"], json!(name(&newest)), "{order:#}");
    assert_eq!(report["kept"], json!([name(&newest), name(&second)]));
    assert_eq!(report["unknown"], json!([foreign]));
    let duties = hive.get("/api/v1/housekeeping").await;
    let duty = duties["items"].as_array().unwrap().iter().find(|duty| duty["name"] == "checkpoints").unwrap();
    assert!(!duty["last_success_at"].is_null(), "{duty:#}");

    // A checkpoint that rots is told, and while the newest is damaged none goes.
    let manifest = newest.join("tables/agents.copy");
    let mut bytes = fs::read(&manifest).unwrap();
    bytes[0] ^= 1;
    fs::write(&manifest, bytes).unwrap();
    let complaint = hive.complains(1, &["housekeeping", "run", "checkpoints", "--dry-run"]).await;
    assert!(complaint.contains("tables/agents.copy"), "{complaint}");
    let complaint = hive.complains(1, &["housekeeping", "run", "checkpoints"]).await;
    assert!(complaint.contains("damaged"), "{complaint}");
    assert!(second.exists() && newest.exists());
    let metrics = hive.page(hive.workers[0].url(), "/metrics").await;
    let line = |name: &str| metrics.lines().any(|line| line.starts_with(name) && !line.ends_with(" 0"));
    assert!(line("hive_housekeeping_failures_total{") && line("hive_checkpoints_total{"), "{metrics}");
    assert!(line("hive_checkpoint_last_success_timestamp"), "{metrics}");
}
