//! A history grows with what happens and not with how long it already is.

use hive_tests::{TestHive, rules, shell};
use serde_json::json;

#[tokio::test]
async fn a_hundred_turns_with_five_kilobytes_each_are_stored_once() {
    const TURNS: usize = 100;
    let five_kb = shell("head -c 3750 /dev/urandom | base64 -w 100 | head -c 5000");
    let script = rules(json!([
        { "name": "end", "when": { "turn": TURNS }, "say": "That was a lot." },
        { "name": "more", "say": "More.", "tools": [five_kb] },
    ]));
    // All of it in one segment: what is stored is measured, not what is sent.
    let builder = TestHive::builder().script(script).worker_env("HIVE_WINDOWS", "default=1000000");
    let hive = builder.start().await;
    let repo = hive.repo("long", &[("README", "Long.\n")]);
    let limits = json!({ "max_turns": 200, "max_cost_usd": null, "max_seconds": null });
    let id = hive.post_task(json!({ "title": "Long", "repository": repo.json(), "limits": limits })).await;
    hive.wait_succeeded(id, 300).await;
    assert_eq!(hive.calls(id).len(), TURNS + 1);

    let raw = "SELECT coalesce(sum(octet_length(result->>'content')), 0)::bigint FROM steps, \
               json_array_elements(body->'results') AS result WHERE task_id = $1 AND kind = 'tool_results'";
    let results = hive.count(raw, id).await;
    let raw = "SELECT coalesce(sum(octet_length(body->>'content')), 0)::bigint FROM steps \
               WHERE task_id = $1 AND kind = 'reply'";
    let raw = results + hive.count(raw, id).await;
    assert!(results >= 5_000 * i64::try_from(TURNS).unwrap(), "{results} bytes of results");
    let stored = "SELECT (SELECT sum(octet_length(body::text)) FROM steps WHERE task_id = $1)::bigint \
                  + (SELECT sum(octet_length(data::text)) FROM events WHERE task_id = $1)::bigint \
                  + (SELECT sum(pg_column_size(llm_calls)) FROM llm_calls WHERE task_id = $1)::bigint";
    let stored = hive.count(stored, id).await;
    println!("{raw} bytes happened, {stored} bytes are stored");
    assert!(stored * 2 < raw * 3, "{stored} bytes are stored for {raw}");
    hive.assert_whole(id).await;
}
