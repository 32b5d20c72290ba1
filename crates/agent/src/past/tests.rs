use std::collections::BTreeMap;

use hive_domain::{
    Usage,
    journal::{Compacted, PersonMessage, Reply, Stop, ToolResult, Trigger},
};
use serde_json::{Value, json, value::RawValue};

use super::*;

const WINDOW: i64 = 200_000;

fn turn(id: &str, tool: &str, input: &Value, content: &str, is_error: bool) -> [Entry; 2] {
    let call = json!([{ "type": "tool_use", "id": id, "name": tool, "input": input }]);
    let reply = Reply {
        requested_model: None,
        content: RawValue::from_string(call.to_string()).unwrap(),
        stop: Stop::ToolUse,
        model: "model-a".to_owned(),
        usage: Usage::default(),
        broken_inputs: BTreeMap::new(),
        request_id: None,
        exchange: None,
    };
    let (tool_use_id, tool) = (id.to_owned(), tool.to_owned());
    let result = ToolResult {
        tool_use_id,
        tool,
        content: content.to_owned(),
        is_error,
        artifact: None,
        recalled: None,
    };
    let results = ToolResults { results: vec![result], finished: None, wake_at: None };
    [Entry::Reply(reply), Entry::ToolResults(results)]
}

fn message(number: i32, text: &str) -> Entry {
    Entry::Message(PersonMessage { number, author: "ada".to_owned(), text: text.to_owned() })
}

fn segment(summary: Summary) -> Entry {
    Entry::Compacted(Box::new(Compacted {
        segment: 2,
        trigger: Trigger::Full,
        text: "put aside".to_owned(),
        summary: Some(summary),
        block: None,
        tokens_before: 2,
        tokens_after: 1,
        model: "model-a".to_owned(),
        usage: Usage::default(),
        request_id: None,
    }))
}

fn shell(id: &str, command: &str, content: &str) -> [Entry; 2] {
    turn(id, "shell", &json!({ "command": command }), content, false)
}

#[test]
fn what_people_wrote_and_what_failed_is_kept_word_for_word_over_segments() {
    let first = Summary {
        failed_approaches: vec!["Mocking the clock: it is cached.".to_owned()],
        ..Summary::default()
    };
    let entries = [
        turn("t1", "write_file", &json!({ "path": "src/a.py", "content": "x" }), "wrote", false).to_vec(),
        vec![message(1, "Use tabs.\nNever spaces.")],
        shell("t2", "make test", "exit code: 2\n--- stderr ---\nE: no rule").to_vec(),
        shell("t3", "ls", "exit code: 0\n--- stdout ---\nsecret listing").to_vec(),
        turn("t4", "edit_file", &json!({ "path": "src/b.py" }), "old_text does not occur", true).to_vec(),
        vec![segment(first)],
        turn("t5", "edit_file", &json!({ "path": "src/c.py" }), "replaced", false).to_vec(),
        shell("t6", "make test", "exit code: 2\n--- stderr ---\nE: no rule").to_vec(),
        shell("t7", "cat notes", "exit code: 0\n--- stdout ---\nthe last words").to_vec(),
    ]
    .concat();
    let summary = Summary {
        state: "Half of it.".to_owned(),
        decisions: vec!["Keep the API.".to_owned()],
        open_work: vec!["Write the test.".to_owned()],
        failed_approaches: vec!["Patching make.".to_owned()],
    };
    let text = told(&Transcript::new(entries), Some(&summary), WINDOW);
    for part in [
        "Message 1:\nUse tabs.\nNever spaces.\n",
        "## Where the work stands\nHalf of it.\n",
        "- Keep the API.",
        "- Write the test.",
        "- Mocking the clock: it is cached.\n- Patching make.",
        "- shell {\"command\":\"make test\"}: exit code: 2\n--- stderr ---\nE: no rule",
        "- edit_file {\"path\":\"src/b.py\"}: old_text does not occur",
        "## Files you wrote or edited\n- src/a.py\n- src/c.py\n",
        "the last words",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(!text.contains("secret listing"), "what went well is not repeated");
    assert_eq!(text.matches("E: no rule").count(), 1, "the same failure stands once");
}

#[test]
fn the_newest_words_stay_where_not_all_fit() {
    let mut entries: Vec<Entry> =
        (1..=40).map(|n| message(n, &format!("{n} {}", "word ".repeat(200)))).collect();
    entries.extend(shell("t1", "true", "exit code: 0\n"));
    let text = told(&Transcript::new(entries), None, 20_000);
    assert!(text.len() < window::bytes(20_000) / 4, "{} bytes", text.len());
    assert!(text.contains("Message 40:\n40 word") && !text.contains("Message 1:"), "{text}");
    assert!(text.contains("earlier ones are left out]"));
}

#[test]
fn the_same_journal_gives_the_same_words() {
    let entries = [shell("t1", "false", "exit code: 1\n").to_vec(), vec![message(1, "Go on.")]].concat();
    let once = told(&Transcript::new(entries.clone()), None, WINDOW);
    let read_back =
        entries.iter().map(|entry| Entry::from_stored(entry.kind(), &entry.body().unwrap()).unwrap());
    assert_eq!(told(&Transcript::new(read_back.collect()), None, WINDOW), once);
}

#[test]
fn what_nobody_has_read_yet_is_told_whole_however_long_it_is() {
    let (read, unread) = ("r".repeat(60_000), "u".repeat(30_000));
    let entries = [
        vec![message(1, &read)],
        shell("t1", "ls", "exit code: 0\n").to_vec(),
        vec![message(2, &unread), message(3, "Never touch the database.")],
    ]
    .concat();
    let text = told(&Transcript::new(entries), None, 8_000);
    assert!(
        text.contains(&unread) && text.contains("Message 3:\nNever touch the database."),
        "{}",
        text.len()
    );
    let kept = text.matches('r').count();
    assert!((300..8_000).contains(&kept), "of what was answered both ends are left: {kept}");
}

#[test]
fn approaches_of_many_segments_share_a_bounded_room() {
    let failed = |n: usize| Summary {
        failed_approaches: (0..10).map(|k| format!("{n}.{k} {}", "x".repeat(1_000))).collect(),
        ..Summary::default()
    };
    let entries: Vec<Entry> = (0..20).map(|n| segment(failed(n))).collect();
    let text = told(&Transcript::new(entries), None, WINDOW);
    assert!(text.len() < MOST_BYTES && text.contains("19.9 ") && text.contains("earlier ones are left out"));
}
