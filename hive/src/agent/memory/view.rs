//! Entries as people see them.

use serde_json::Value;

use crate::{failure::Failure, output};

/// The share of those that succeeded, with how many ended.
fn rate(outcomes: &Value) -> String {
    let ended = outcomes["succeeded"].as_i64().unwrap_or(0) + outcomes["failed"].as_i64().unwrap_or(0);
    match outcomes["rate"].as_f64() {
        Some(rate) => format!("{:.0} % of {ended}", rate * 100.0),
        None => String::new(),
    }
}

/// What a search found, best first.
pub(super) fn found(found: &Value) -> Result<(), Failure> {
    let row = |hit: &Value| {
        let entry = &hit["context"];
        let outcomes = &entry["outcomes"];
        let text = output::plain(&output::text(&entry["content"])).replace('\n', " ");
        let [id, kind] = ["id", "kind"].map(|name| output::plain(&output::text(&entry[name])));
        let [used, succeeded] = ["used", "succeeded"].map(|name| output::text(&outcomes[name]));
        vec![id, kind, used, succeeded, rate(outcomes), text.chars().take(60).collect()]
    };
    let rows: Vec<Vec<String>> = found["hits"].as_array().into_iter().flatten().map(row).collect();
    output::table(&["ID", "KIND", "USED", "SUCCEEDED", "RATE", "TEXT"], &rows);
    Ok(())
}

/// One entry; outcomes only where they are told.
pub(super) fn entry(entry: &Value) -> Result<(), Failure> {
    let outcomes = &entry["outcomes"];
    known(entry).iter().for_each(|line| println!("{line}"));
    if outcomes.is_object() {
        for name in ["used", "succeeded", "failed"] {
            println!("{name:<13} {}", output::text(&outcomes[name]));
        }
        println!("{}", format!("{:<13} {}", "rate", rate(outcomes)).trim_end());
    }
    println!("\n{}", output::plain(&output::text(&entry["content"])));
    Ok(())
}

/// What one place of the memory said, oldest first.
pub(super) fn history(history: &Value) -> Result<(), Failure> {
    let row = |entry: &Value| {
        let field = |name: &str| output::plain(&output::text(&entry[name])).replace('\n', " ");
        let text = field("content").chars().take(60).collect();
        vec![field("id"), field("recorded_at"), field("valid_from"), field("valid_to"), field("author"), text]
    };
    let rows: Vec<Vec<String>> = history["items"].as_array().into_iter().flatten().map(row).collect();
    output::table(&["ID", "RECORDED", "FROM", "TO", "AUTHOR", "TEXT"], &rows);
    Ok(())
}

/// What a deletion did.
pub(super) fn deletion(done: &Value) -> Result<(), Failure> {
    for (list, what) in [("deleted", "deleted"), ("flagged", "stands, a source of it is gone")] {
        for id in done[list].as_array().into_iter().flatten() {
            println!("{}  {what}", output::text(id));
        }
    }
    Ok(())
}

/// What is set of an entry, a line for each.
fn known(entry: &Value) -> Vec<String> {
    let fields = [
        "id",
        "kind",
        "scope",
        "trust",
        "author",
        "title",
        "pinned",
        "locked",
        "recorded_at",
        "valid_from",
        "valid_to",
        "superseded_by",
        "parent_id",
        "sources",
        "redacted_at",
    ];
    let line = |name: &str| {
        let value = match &entry[name] {
            Value::Bool(false) => String::new(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Array(ids) => ids.iter().map(output::text).collect::<Vec<_>>().join(", "),
            value => output::text(value),
        };
        (!value.is_empty()).then(|| format!("{name:<13} {}", output::plain(&value)))
    };
    fields.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_set_of_an_entry_is_shown_and_nothing_else() {
        let entry = json!({
            "id": "e", "title": "", "pinned": true, "locked": false, "valid_from": "2026-01-01T00:00:00Z",
            "valid_to": null, "superseded_by": "f", "parent_id": "g", "sources": ["a", "b"],
        });
        let lines: Vec<String> =
            known(&entry).iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "id e",
                "pinned yes",
                "valid_from 2026-01-01T00:00:00Z",
                "superseded_by f",
                "parent_id g",
                "sources a, b"
            ]
        );
        assert!(known(&json!({ "sources": [], "pinned": false })).is_empty());
    }
}
