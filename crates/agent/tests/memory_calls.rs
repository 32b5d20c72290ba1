//! What the calls of the memory take, and what they refuse in words that the model can mend.

use hive_agent::tools::{ToolError, note, sought};
use hive_domain::MemoryScope;
use serde_json::{Value, json, value::to_raw_value};

fn refusal<T>(outcome: Result<T, ToolError>) -> String {
    match outcome {
        Err(ToolError::Tell(text)) => text,
        _ => panic!("it was taken"),
    }
}

#[test]
fn a_note_is_private_unless_said_otherwise_and_holds_nothing_that_was_recalled() {
    let note = |input: Value| note(&to_raw_value(&input).unwrap());
    let plain = note(json!({ "text": " The port is 6543. " })).unwrap();
    assert_eq!((&*plain.text, plain.kind, plain.scope), ("The port is 6543.", "fact", MemoryScope::Agent));
    let mixed = "<recalled id=\"1\">The port is 6542.</recalled> It is 6543 now.";
    let mixed = note(json!({ "text": mixed, "scope": "project", "kind": "decision" })).unwrap();
    assert_eq!(
        (&*mixed.text, mixed.kind, mixed.scope),
        ("It is 6543 now.", "decision", MemoryScope::Project)
    );
    for (input, told) in [
        (json!({ "text": "  " }), "nothing in it"),
        (json!({ "text": "<recalled id=\"1\">old</recalled>" }), "nothing in it"),
        // Marks that are cut off hide what stands behind them.
        (json!({ "text": "<recalled id=\"1\">old" }), "nothing in it"),
        (json!({ "text": "x".repeat(4_001) }), "at most 4000 bytes"),
        (json!({ "text": "a", "scope": "org" }), "does not fit"),
        (json!({ "text": "a", "replaces": "the old one" }), "replaces must be the id"),
        (json!({ "text": "a", "trust": "system" }), "does not fit"),
    ] {
        let refused = refusal(note(input.clone()));
        assert!(refused.contains(told), "{input}: {refused}");
    }
}

#[test]
fn a_search_is_bounded() {
    let sought = |input: Value| sought(&to_raw_value(&input).unwrap());
    let plain = sought(json!({ "query": " which port " })).unwrap();
    assert_eq!((&*plain.query, plain.most, plain.as_of), ("which port", 8, None));
    let then = sought(json!({ "query": "q", "limit": 20, "as_of": "2026-03-01T09:30:00Z" })).unwrap();
    assert_eq!((then.most, then.as_of.map(|time| time.timestamp())), (20, Some(1_772_357_400)));
    for (input, told) in [
        (json!({ "query": " " }), "1 to 4096 bytes"),
        (json!({ "query": "q".repeat(4_097) }), "1 to 4096 bytes"),
        (json!({ "query": "q", "limit": 0 }), "1 to 20"),
        (json!({ "query": "q", "limit": 21 }), "1 to 20"),
        (json!({ "query": "q", "as_of": "yesterday" }), "as_of must be a time"),
        // Postgres keeps no such time.
        (json!({ "query": "q", "as_of": "-9999-01-01T00:00:00Z" }), "as_of must be a time"),
        (json!({ "query": "q", "as_of": "+262000-01-01T00:00:00Z" }), "as_of must be a time"),
        (json!({ "query": "q", "agent_id": "x" }), "does not fit"),
    ] {
        let refused = refusal(sought(input.clone()));
        assert!(refused.contains(told), "{input}: {refused}");
    }
}
