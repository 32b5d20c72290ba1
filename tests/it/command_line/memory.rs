//! `hive memory …`

use hive_tests::TestHive;
use serde_json::{Value, json};

/// The ids that a search finds with what they say, and what was asked beside the words.
async fn found(hive: &TestHive, more: &[&str]) -> Vec<String> {
    let search = [&["memory", "search", "which port does the gateway use"], more].concat();
    let hits = hive.says_json(&search).await["hits"].as_array().unwrap().clone();
    hits.iter().map(|hit| hit["context"]["content"].as_str().unwrap().to_owned()).collect()
}

fn id(entry: &Value) -> &str {
    entry["id"].as_str().unwrap()
}

#[tokio::test]
async fn an_entry_lives_from_its_storing_to_its_deletion() {
    let hive = TestHive::builder().workers(0).start().await;
    let old = "The gateway uses port 8080";
    let since = ["--valid-from", "2026-01-01T00:00:00Z"];
    let store =
        [&["memory", "store", old, "--title", "Gateway", "--importance", "0.25"], &since[..]].concat();
    let first = hive.says_json(&store).await;
    assert_eq!(
        (&first["kind"], &first["scope"], &first["pinned"]),
        (&json!("fact"), &json!("project"), &json!(false))
    );
    assert_eq!((&first["title"], &first["importance"]), (&json!("Gateway"), &json!(0.25)), "{first:#}");
    let again = ["memory", "store", "Said once", "--kind", "decision", "--pinned", "--idempotency-key", "k1"];
    assert_eq!(hive.says_json(&again).await, hive.says_json(&again).await);

    // Another text is another entry; the old one is found as of before.
    let edit = ["memory", "edit", id(&first), "--content", "The gateway uses port 9090"];
    let second = hive.says_json(&[&edit[..], &["--since", "2026-06-01T00:00:00Z"]].concat()).await;
    assert_ne!(id(&second), id(&first));
    assert!(found(&hive, &[]).await.iter().any(|text| text.contains("9090")));
    let then = found(&hive, &["--as-of", "2026-03-01T00:00:00Z"]).await;
    assert!(
        then.iter().any(|text| text == old) && !then.iter().any(|text| text.contains("9090")),
        "{then:?}"
    );
    let odd = hive.complains(1, &["memory", "search", "port", "--as-of", "in spring"]).await;
    assert!(odd.contains("/as_of"), "{odd}");
    let history = hive.says(&["memory", "history", id(&second)]).await;
    let lines: Vec<&str> = history.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines.len() == 3, "{history}");
    assert!(lines[1].starts_with(id(&first)) && lines[2].starts_with(id(&second)), "oldest first: {history}");

    for (command, field, value) in
        [("pin", "pinned", true), ("unpin", "pinned", false), ("lock", "locked", true)]
    {
        assert_eq!(hive.says_json(&["memory", command, id(&second)]).await[field], value, "{command}");
        assert_eq!(hive.says_json(&["memory", "show", id(&second)]).await[field], value, "{command}");
    }
    let locked = hive.complains(1, &["memory", "delete", id(&second)]).await;
    assert!(locked.contains("(409)") && locked.contains("locked"), "{locked}");
    let unlocked = hive.says(&["memory", "unlock", id(&second)]).await;
    assert!(!unlocked.contains("locked") && unlocked.ends_with("The gateway uses port 9090\n"), "{unlocked}");

    let short = hive.complains(1, &["memory", "redact", id(&second), "9"]).await;
    assert!(short.contains("/texts/0: "), "{short}");
    let redacted = hive.says(&["memory", "redact", id(&second), "port 9090", "port 8080"]).await;
    assert!(redacted.contains("redacted_at") && !redacted.contains("9090"), "{redacted}");
    let history = hive.says_json(&["memory", "history", id(&second)]).await.to_string();
    assert!(!history.contains("8080"), "the history too: {history}");

    let deleted = hive.says(&["memory", "delete", id(&second)]).await;
    for gone in [&first, &second] {
        assert!(deleted.contains(&format!("{}  deleted\n", id(gone))), "{deleted}");
        let shown = hive.complains(1, &["memory", "show", id(gone)]).await;
        assert!(shown.contains("(404)"), "{shown}");
    }
    assert!(found(&hive, &["--as-of", "2026-03-01T00:00:00Z"]).await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_by_its_field() {
    let hive = TestHive::builder().workers(0).start().await;
    let refused: [(&[&str], &str); 5] = [
        (&[" "], "/content: "),
        (&["A", "--importance", "2"], "/importance: "),
        (&["A", "--trust", "system"], "/trust: "),
        (&["A", "--scope", "agent"], "/agent_id: "),
        (&["A", "--valid-from", "yesterday"], "/valid_from"),
    ];
    for (words, field) in refused {
        let said = hive.complains(1, &[&["memory", "store"], words].concat()).await;
        assert!(said.contains(field), "{words:?}: {said}");
    }
    let nothing = hive.complains(2, &["memory", "edit", &uuid::Uuid::now_v7().to_string()]).await;
    assert!(nothing.contains("--content"), "{nothing}");
    let stored: i64 =
        sqlx::query_scalar("SELECT count(*) FROM contexts").fetch_one(&hive.pool).await.unwrap();
    assert_eq!(stored, 0);
}
