use proptest::prelude::*;
use serde_json::{json, value::RawValue};

use super::*;
use crate::{
    journal::{Checks, Note, PersonMessage, ToolResults},
    usage::Usage,
};

/// One turn: a tool, its input, its result, and whether it failed.
type Did = (&'static str, Value, &'static str, bool);

fn reply(id: usize, calls: &[(&str, Value)], text: &str) -> Entry {
    let mut content = Vec::new();
    if !text.is_empty() {
        content.push(json!({ "type": "text", "text": text }));
    }
    for (n, (name, input)) in calls.iter().enumerate() {
        content.push(
            json!({ "type": "tool_use", "id": format!("toolu_{id}_{n}"), "name": name, "input": input }),
        );
    }
    Entry::Reply(Reply {
        content: RawValue::from_string(Value::Array(content).to_string()).unwrap(),
        stop: if calls.is_empty() { Stop::EndTurn } else { Stop::ToolUse },
        model: "m".to_owned(),
        requested_model: None,
        usage: Usage::default(),
        broken_inputs: std::collections::BTreeMap::new(),
        request_id: None,
        exchange: None,
    })
}

fn results(id: usize, results: &[(&str, &str, bool)]) -> Entry {
    let results = results.iter().enumerate().map(|(n, (tool, content, is_error))| ToolResult {
        tool_use_id: format!("toolu_{id}_{n}"),
        tool: (*tool).to_owned(),
        content: (*content).to_owned(),
        is_error: *is_error,
        artifact: None,
        recalled: None,
    });
    Entry::ToolResults(ToolResults { results: results.collect(), finished: None, wake_at: None })
}

fn journal(turns: &[Did]) -> Vec<Entry> {
    let turn = |(id, (tool, input, said, failed)): (usize, &Did)| {
        // The words differ each time: they do not make a turn another one.
        [
            reply(id, &[(tool, input.clone())], &format!("Thought {id}.")),
            results(id, &[(tool, said, *failed)]),
        ]
    };
    turns.iter().enumerate().flat_map(turn).collect()
}

/// The number of turns after which the run is stopped, with the pattern; `None` when it never is.
fn stopped(turns: &[Did]) -> Option<(usize, Pattern)> {
    (1..=turns.len()).find_map(|count| Some((count, detect(&journal(&turns[..count]))?)))
}

fn shell(command: &str) -> Value {
    json!({ "command": command })
}

#[test]
fn each_circle_is_stopped_by_the_fourth_repeat_and_named() {
    let same: Did = ("shell", shell("ls"), "exit code: 0", false);
    assert_eq!(stopped(&vec![same.clone(); 9]), Some((SAME_TURNS, Pattern::RepeatedCall)));
    let fails: Did = ("read_file", json!({ "path": "x" }), "x does not exist", true);
    assert_eq!(stopped(&vec![fails.clone(); 9]), Some((SAME_FAILED_TURNS, Pattern::RepeatedError)));
    let files = ["a", "b", "c", "d", "e"];
    let wrong: Vec<Did> = files
        .iter()
        .map(|path| ("edit_file", json!({ "path": path }), "old_text does not occur", true))
        .collect();
    assert_eq!(stopped(&wrong), Some((SAME_ERRORS, Pattern::RepeatedError)));
    let other: Did = ("shell", shell("pwd"), "exit code: 0", false);
    let two: Vec<Did> = [same, other].into_iter().cycle().take(12).collect();
    let (turns, pattern) = stopped(&two).unwrap();
    assert_eq!((turns, pattern), (ALTERNATING_TURNS, Pattern::PingPong));
    assert!(turns.div_ceil(2) < 4, "each of the two was seen fewer than four times");
    let timed = ["0.012s", "0.019s", "1.300s", "0.2s"].map(|time| format!("FAILED in {time}"));
    let timed: Vec<Did> = timed
        .iter()
        .map(|said| ("shell", shell("test"), said.as_str().to_owned().leak() as &str, false))
        .collect();
    assert_eq!(
        stopped(&timed),
        Some((SAME_TURNS, Pattern::RepeatedCall)),
        "the time that a run took is no change"
    );
}

fn red() -> Entry {
    Entry::Checks(Checks {
        summary: String::new(),
        results: vec![],
        tree: None,
        passed: false,
        message: "red".to_owned(),
    })
}

#[test]
fn replies_to_itself_are_a_monologue() {
    let mut entries = vec![reply(0, &[], "It is done.")];
    assert!(!is_monologue(&entries));
    for n in 1..MONOLOGUE_REPLIES {
        entries.extend([red(), reply(n, &[], &format!("It is done, {n}."))]);
        assert_eq!(is_monologue(&entries), n + 1 == MONOLOGUE_REPLIES);
    }
    let message = PersonMessage { number: 1, author: "ada".to_owned(), text: "Look again.".to_owned() };
    entries.insert(3, Entry::Message(message));
    assert!(!is_monologue(&entries), "a person's word begins something new");
}

/// Transcripts that look alike and are work. None may be stopped.
fn legitimate() -> Vec<(&'static str, Vec<Entry>)> {
    let poll = |outputs: &[&'static str]| -> Vec<Entry> {
        let turns: Vec<Did> =
            outputs.iter().map(|said| ("shell", shell("sleep 5; ./status"), *said, false)).collect();
        journal(&turns)
    };
    let with_waits = |turn: Did, count: usize| -> Vec<Entry> {
        let wait: Did = ("wait", json!({ "seconds": 30 }), "waiting", false);
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.extend(journal(&[turn.clone(), wait.clone()]));
            entries.push(Entry::Note(Note { cause: NoteCause::Woken, text: "The wait is over.".to_owned() }));
        }
        entries
    };
    let edits = |count: usize, said: &'static str, failed: bool| -> Vec<Entry> {
        let mut turns: Vec<Did> = Vec::new();
        for n in 0..count {
            turns.push((
                "edit_file",
                json!({ "path": "a.py", "old_text": n, "new_text": n + 1 }),
                "replaced",
                false,
            ));
            turns.push(("shell", shell("make test"), said, failed));
        }
        journal(&turns)
    };
    let each = |inputs: &[&'static str], tool: &'static str, said: &'static str, failed: bool| {
        let turns: Vec<Did> =
            inputs.iter().map(|input| (tool, json!({ "path": input }), said, failed)).collect();
        journal(&turns)
    };
    let message = |number| {
        Entry::Message(PersonMessage { number, author: "ada".to_owned(), text: "Once more.".to_owned() })
    };
    let mut told = Vec::new();
    for number in 1..7 {
        told.extend(journal(&[("shell", shell("ls"), "a", false), ("shell", shell("ls"), "a", false)]));
        told.push(message(number));
    }
    let mut checked = Vec::new();
    for _ in 0..6 {
        checked.extend(journal(&[("finish", json!({ "summary": "done" }), "noted", false)]));
        checked.push(red());
    }
    let two_calls = |count: usize| -> Vec<Entry> {
        (0..count)
            .flat_map(|n| {
                [
                    reply(n, &[("shell", shell("date")), ("shell", shell("ls"))], ""),
                    results(
                        n,
                        &[
                            ("shell", ["Mon", "Tue", "Wed", "Thu", "Fri"][n % 5], false),
                            ("shell", "a", false),
                        ],
                    ),
                ]
            })
            .collect()
    };
    let reread: Vec<Did> = (0..12)
        .map(|n| match n % 3 {
            0 => ("read_file", json!({ "path": "a" }), "text", false),
            1 => ("read_file", json!({ "path": "b" }), "text", false),
            _ => ("read_file", json!({ "path": "c" }), "text", false),
        })
        .collect();
    vec![
        ("a build that goes on", poll(&["10 %", "20 %", "30 %", "40 %", "50 %", "60 %"])),
        ("a counter in whole seconds", poll(&["age 5s", "age 10s", "age 15s", "age 20s", "age 25s"])),
        ("a queue that shrinks", poll(&["9 left", "7 left", "7 left", "7 left", "4 left", "0 left"])),
        ("three equal looks, then a change", poll(&["up", "up", "up", "down", "down", "down", "up"])),
        ("a log that grows", poll(&["a", "a\nb", "a\nb\nc", "a\nb\nc\nd", "a\nb\nc\nd\ne"])),
        ("a version that is awaited", poll(&["1.2.3", "1.2.4", "1.2.5", "1.2.6", "1.3.0"])),
        ("coverage that rises", poll(&["71.2 %", "73.9 %", "80.1 %", "85.0 %", "90.3 %"])),
        (
            "a declared wait between equal looks",
            with_waits(("shell", shell("./status"), "pending", false), 12),
        ),
        (
            "a declared wait between failing reads",
            with_waits(("read_file", json!({ "path": "lock" }), "absent", true), 12),
        ),
        ("edits between runs that stay red", edits(10, "exit code: 1", false)),
        ("edits between runs that are refused", edits(10, "ended after 5 s", true)),
        (
            "the same question about other files",
            each(&["a", "b", "c", "d", "e", "f"], "read_file", "empty", false),
        ),
        (
            "three misses in other places",
            each(&["a", "b", "c"], "edit_file", "old_text does not occur", true),
        ),
        (
            "two equal failures, then something else",
            journal(&[
                ("read_file", json!({ "path": "x" }), "absent", true),
                ("read_file", json!({ "path": "x" }), "absent", true),
                ("list_files", json!({}), "y", false),
                ("read_file", json!({ "path": "x" }), "absent", true),
                ("read_file", json!({ "path": "y" }), "text", false),
            ]),
        ),
        ("a person asks for the same again", told),
        ("claims that the checks refuse", checked),
        ("two calls of which one changes", two_calls(10)),
        ("three files read in turn", journal(&reread)),
        (
            "two alternations and an end",
            journal(&[
                ("shell", shell("a"), "1", false),
                ("shell", shell("b"), "2", false),
                ("shell", shell("a"), "1", false),
                ("shell", shell("b"), "2", false),
                ("shell", shell("a"), "1", false),
                ("finish", json!({ "summary": "ok" }), "noted", false),
            ]),
        ),
        ("alternation whose results change", {
            let turns: Vec<Did> = (0..12)
                .map(|n| match n % 2 {
                    0 => ("shell", shell("make"), ["e1", "e2", "e3", "e4", "e5", "e6"][n / 2], false),
                    _ => ("shell", shell("git status"), "clean", false),
                })
                .collect();
            journal(&turns)
        }),
        ("bisecting with one command", poll(&["bad 16", "bad 8", "good 4", "bad 6", "good 5"])),
        (
            "one word in another file each time",
            each(&["1", "2", "3", "4", "5", "6", "7", "8"], "write_file", "wrote 3 bytes", false),
        ),
        (
            "errors that differ",
            journal(&[
                ("shell", shell("x"), "line 1", true),
                ("shell", shell("x"), "line 2", true),
                ("shell", shell("x"), "line 3", true),
                ("shell", shell("x"), "line 4", true),
                ("shell", shell("x"), "line 5", true),
            ]),
        ),
    ]
}

#[test]
fn work_that_looks_alike_is_never_stopped() {
    let corpus = legitimate();
    assert!(corpus.len() >= 20);
    for (name, entries) in &corpus {
        for count in 1..=entries.len() {
            assert_eq!(detect(&entries[..count]), None, "{name} after {count} entries");
            assert!(!is_monologue(&entries[..count]), "{name} after {count} entries");
        }
    }
}

proptest! {
    /// However turns are mixed: where every result is new, nothing is a circle.
    #[test]
    fn results_that_change_are_no_circle(tools in prop::collection::vec(0usize..3, 0..30)) {
        let turns: Vec<Did> = tools.iter().enumerate()
            .map(|(n, tool)| (["shell", "read_file", "list_files"][*tool], json!({}), &*format!("result {n}").leak(), n % 3 == 0))
            .collect();
        prop_assert_eq!(stopped(&turns), None);
    }

    /// Whatever came before, a circle is found at the same turn and not earlier.
    #[test]
    fn what_came_before_does_not_hide_a_circle(before in 0usize..12, failed: bool) {
        let mut turns: Vec<Did> =
            (0..before).map(|n| ("shell", shell(&format!("step {n}")), &*format!("did {n}").leak(), false)).collect();
        turns.extend(vec![("shell", shell("again"), "same", failed); 6]);
        let repeats = if failed { SAME_FAILED_TURNS } else { SAME_TURNS };
        prop_assert_eq!(stopped(&turns).map(|(count, _)| count), Some(before + repeats));
    }
}
