//! What a person gives as a value stays one, whatever characters it has.

use hive_tests::TestHive;
use serde_json::json;

#[tokio::test]
async fn what_is_given_as_a_name_or_a_day_is_sent_whole() {
    let hive = TestHive::builder().workers(0).start().await;
    let id = hive.post_task(json!({ "title": "Capped" })).await.to_string();
    let said = hive.says(&["budget", "set", "--task", &id, "5"]).await;
    assert!(said.contains(&id) && said.contains("5.000000000"), "what stands now is shown: {said}");
    for name in [format!("{id}#"), format!("{id}&period=total"), format!("{id} ")] {
        let complaint = hive.complains(1, &["budget", "remove", "--task", &name]).await;
        assert!(complaint.contains("must be an id"), "{name}: {complaint}");
        let listed = hive.get("/api/v1/budgets").await;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{name}: {listed:#}");
    }
    for day in ["2026-11-01#", "2026-11-01&to=2026-11-02", "2026-11-01%20"] {
        let complaint = hive.complains(1, &["usage", "--from", day]).await;
        assert!(complaint.contains("from"), "{day}: {complaint}");
    }
    hive.says(&["budget", "remove", "--task", &id]).await;
    assert_eq!(hive.get("/api/v1/budgets").await["items"], json!([]));
}
