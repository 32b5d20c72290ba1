use serde_json::{Value, json, value::RawValue};

use super::*;
use crate::{
    journal::{Checks, ExternalOutcome, Intent, PersonMessage, Stop, ToolResult, ToolResults},
    transcript::Next,
    usage::Usage,
};

fn reply(id: &str, tool: &str) -> Entry {
    let content: Value =
        json!([{ "type": "tool_use", "id": id, "name": tool, "input": { "text": format!("by {id}") } }]);
    Entry::Reply(Reply {
        content: RawValue::from_string(content.to_string()).unwrap(),
        stop: Stop::ToolUse,
        model: "claude-sonnet-5-5".to_owned(),
        requested_model: None,
        usage: Usage { input_tokens: 10, ..Usage::default() },
        broken_inputs: std::collections::BTreeMap::new(),
        request_id: None,
        exchange: None,
    })
}

fn results(id: &str, finished: bool) -> Entry {
    let result = ToolResult {
        tool_use_id: id.to_owned(),
        tool: "shell".to_owned(),
        content: "ok".to_owned(),
        is_error: false,
        artifact: None,
        recalled: None,
    };
    let finished = finished.then(|| "It is done.".to_owned());
    Entry::ToolResults(ToolResults { results: vec![result], finished, wake_at: None })
}

fn message(number: i32) -> Entry {
    Entry::Message(PersonMessage { number, author: "ada".to_owned(), text: "No.".to_owned() })
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

/// The places of the journal that are sent.
fn sent(transcript: &Transcript) -> Vec<usize> {
    transcript.conversation().map(|(place, _)| place).collect()
}

/// As a run does it: the entry is made from the transcript, stored, read back and added.
fn undo(transcript: &mut Transcript) -> Rollback {
    let entry = Entry::Rollback(transcript.undo().unwrap());
    let Entry::Rollback(stored) = Entry::from_stored("rollback", &entry.body().unwrap()).unwrap() else {
        panic!("another kind")
    };
    transcript.push(entry);
    stored
}

#[test]
fn the_last_turn_is_left_out_but_stays_and_is_paid_for() {
    let journal = [reply("a", "shell"), results("a", false), reply("b", "shell"), results("b", true), red()];
    let mut transcript = Transcript::new(journal.to_vec());
    assert_eq!(undo(&mut transcript), Rollback { from: 3, standing: vec![] });
    transcript.push(message(1));
    assert_eq!(sent(&transcript), [0, 1, 5, 6]);
    assert_eq!(transcript.entries().len(), 7, "the journal is only appended to");
    assert_eq!((transcript.turns(), transcript.usage().input_tokens), (2, 20), "what was undone is charged");
    assert!(transcript.last_checks().is_none(), "checks of what is gone are no evidence");
    assert!(matches!(transcript.next(true), Next::AskModel), "what the undone turn claimed is void");
    // A resumed run reads all of it at once and sends the same.
    assert_eq!(sent(&Transcript::new(transcript.entries().to_vec())), sent(&transcript));
}

#[test]
fn a_turn_without_results_is_undone_as_well() {
    let mut transcript = Transcript::new(vec![reply("a", "shell")]);
    assert!(matches!(transcript.next(true), Next::RunTools(_)));
    undo(&mut transcript);
    assert_eq!(sent(&transcript), [1]);
    assert!(matches!(transcript.next(true), Next::AskModel), "nothing of it is run");
}

#[test]
fn what_people_wrote_stays() {
    let journal = vec![reply("a", "shell"), results("a", false), message(1)];
    let mut transcript = Transcript::new(journal);
    undo(&mut transcript);
    transcript.push(message(2));
    assert_eq!(sent(&transcript), [2, 3, 4]);
}

#[test]
fn there_is_nothing_to_undo_before_the_model_answers_again() {
    assert_eq!(Transcript::default().undo(), None);
    assert_eq!(Transcript::new(vec![message(1)]).undo(), None);
    let mut transcript = Transcript::new(vec![reply("a", "shell"), results("a", false), reply("b", "shell")]);
    undo(&mut transcript);
    transcript.push(message(1));
    assert_eq!(transcript.undo(), None, "two wishes in a row undo one turn");
    transcript.push(reply("c", "shell"));
    transcript.push(results("c", false));
    assert_eq!(undo(&mut transcript).from, 6);
    assert_eq!(sent(&transcript), [0, 1, 3, 4, 7]);
    let shared = Transcript::forked(vec![reply("a", "shell"), results("a", false), message(1)], 2);
    assert_eq!(shared.undo(), None, "another task did that");
}

#[test]
fn what_took_place_outside_is_said() {
    let outcome = |took_place: bool, answer: &str| {
        Entry::Outcome(ExternalOutcome {
            tool_use_id: "b".to_owned(),
            tool: "notify_person".to_owned(),
            took_place,
            content: answer.to_owned(),
            is_error: false,
            decided_by: None,
        })
    };
    let intent = Entry::Intent(Intent { tool_use_id: "b".to_owned(), tool: "notify_person".to_owned() });
    let journal = vec![
        reply("a", "shell"),
        results("a", false),
        reply("b", "notify_person"),
        intent,
        outcome(false, ""),
        outcome(true, "the receiver took it"),
        results("b", false),
    ];
    let mut transcript = Transcript::new(journal);
    let rollback = undo(&mut transcript);
    let standing = Standing {
        tool: "notify_person".to_owned(),
        input: r#"{"text":"by b"}"#.to_owned(),
        answer: "the receiver took it".to_owned(),
    };
    assert_eq!(rollback, Rollback { from: 3, standing: vec![standing] });
    let told = rollback.told();
    assert!(told.contains("not undone") && told.contains("by b"), "{told}");
    assert!(!Rollback { standing: vec![], ..rollback }.told().contains("not undone"));
}

#[test]
fn rounds_of_checks_that_were_undone_are_not_counted() {
    let round = |id: &str| [reply(id, "finish"), results(id, true), red()];
    let mut transcript = Transcript::new([round("a"), round("b")].concat());
    undo(&mut transcript);
    round("c").into_iter().for_each(|entry| transcript.push(entry));
    assert!(matches!(transcript.next(true), Next::AskModel), "this is the second round that stands");
    round("d").into_iter().for_each(|entry| transcript.push(entry));
    assert!(matches!(transcript.next(true), Next::GiveUp { .. }));
}
