//! The prompt cache serves what a run says again and again.

use hive_tests::{TestHive, finish, rules, shell, spoken};
use serde_json::{Value, json};

#[tokio::test]
async fn a_run_of_twenty_turns_reads_its_input_from_the_cache() {
    const TURNS: usize = 20;
    let count =
        "n=$(($(cat n 2>/dev/null || echo 0) + 1)); echo $n > n; echo count $n; yes padding | head -c 2000";
    let script = rules(json!([
        { "name": "end", "when": { "turn": TURNS - 1 }, "tools": [finish("Counted.")] },
        { "name": "more", "tools": [shell(count)] },
    ]));
    let hive = TestHive::builder().script(script).start().await;
    let repo = hive.repo("count", &[("README", "Count.\n")]);
    let id = hive.post_task(json!({ "title": "Count", "repository": repo.json() })).await;
    hive.wait_succeeded(id, 120).await;

    let charged = hive.charged(id);
    let input = charged.input_tokens + charged.cache_read_tokens + charged.cache_write_tokens;
    println!("{} of {input} input tokens were read from the cache", charged.cache_read_tokens);
    assert!(charged.cache_read_tokens * 100 > input * 80, "{charged:?}");
    assert_eq!(hive.booked(id).await, charged, "and they are booked at the price of what was read");

    let mut asked = hive.double.requests();
    asked.retain(|request| request.user_id == Some(id.to_string()));
    assert_eq!(asked.len(), TURNS);
    for pair in asked.windows(2) {
        assert!(spoken(&pair[1]).starts_with(&spoken(&pair[0])), "a request begins with the one before it");
    }
    let steps = hive.steps(id).await;
    let exchanges: Vec<&Value> = steps
        .iter()
        .filter(|step| step["kind"] == "reply")
        .map(|step| &step["content"]["exchange"])
        .collect();
    assert_eq!(exchanges.len(), TURNS);
    for (exchange, request) in exchanges.iter().zip(asked.iter().skip(1)) {
        assert_eq!(exchange["prefix_sha256"], exchanges[0]["prefix_sha256"], "the head stays as it is");
        assert_eq!(request.body["diagnostics"]["previous_message_id"], exchange["message_id"]);
    }
    assert_eq!(asked[0].body["diagnostics"], json!({ "previous_message_id": null }));
    let sent = "SELECT encode(request_sha256, 'hex') FROM llm_calls WHERE task_id = $1 ORDER BY seq";
    let sent: Vec<String> = sqlx::query_scalar(sent).bind(id).fetch_all(&hive.pool).await.unwrap();
    let told: Vec<&str> =
        exchanges.iter().map(|exchange| exchange["request_sha256"].as_str().unwrap()).collect();
    assert_eq!(told, sent);

    let metrics = hive.page(hive.workers[0].url(), "/metrics").await;
    let line = format!("hive_llm_cache_read_percent_count{{model=\"claude-sonnet-5-5\"}} {TURNS}");
    assert!(metrics.contains(&line), "{metrics}");
}
