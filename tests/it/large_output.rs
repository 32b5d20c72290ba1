//! What a tool prints may be large. The journal keeps its ends; what the sandbox kept of it, a mebibyte, lies apart, once.

use hive_tests::{TestHive, answer, finish, rules, shell};
use serde_json::{Value, json};

#[tokio::test]
async fn ten_megabytes_of_output_stay_out_of_rows_and_lists() {
    // Twice the same text, and none that a compressor could shrink.
    let print = "python3 -c \"import random; random.seed(7); \
                 [print('%0100x' % random.getrandbits(400)) for _ in range(100000)]\"";
    let script = rules(json!([
        answer("Print", 0, json!([shell(print)])),
        answer("Print", 1, json!([shell(print)])),
        answer("Print", 2, json!([finish("Printed.")])),
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("loud", &[("README", "Loud.\n")]);
    let id = hive.post_task(json!({ "title": "Print", "repository": repo.json() })).await;
    hive.wait_succeeded(id, 60).await;

    let largest = |table: &str, column: &str| {
        format!("SELECT max(octet_length(r::text))::bigint FROM {table} r WHERE {column} = $1")
    };
    let tasks = hive.count(&largest("tasks", "id"), id).await;
    let steps = hive.count(&largest("steps", "task_id"), id).await;
    let events = hive.count(&largest("events", "task_id"), id).await;
    assert!(tasks < 16_000 && steps < 16_000 && events < 16_000, "{tasks} {steps} {events}");
    let shown = "SELECT count(*) FROM task_artifacts WHERE task_id = $1 AND name LIKE 'step-%'";
    assert_eq!(hive.count(shown, id).await, 2, "each step names its own");
    let stored =
        "SELECT count(DISTINCT sha256) FROM task_artifacts WHERE task_id = $1 AND name LIKE 'step-%'";
    assert_eq!(hive.count(stored, id).await, 1, "and the text is there once");

    let bytes =
        "SELECT max(a.bytes) FROM task_artifacts t JOIN artifacts a USING (sha256) WHERE t.task_id = $1";
    assert!(hive.count(bytes, id).await >= 1 << 20);

    for path in ["/api/v1/tasks?limit=200".to_owned(), format!("/api/v1/tasks/{id}/steps?limit=200")] {
        let page: Value = hive.get(&path).await;
        assert!(page.to_string().len() < 64_000, "{path} answers {} bytes", page.to_string().len());
    }
    hive.assert_whole(id).await;
}
