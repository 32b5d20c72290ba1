//! The request of each turn begins with the bytes of the one before.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hive_agent::{conversation, roster};
use hive_domain::{
    AgentId, Limits, Priority, ProjectId, TaskId, TaskStatus, ToolName, Usage,
    journal::{
        Compacted, Entry, Intent, Note, NoteCause, PersonMessage, Reply, Rollback, Stop, ToolResult,
        ToolResults, Trigger,
    },
    task::{AcceptanceCheck, DependencyPolicy, Repository, Task, TaskAgent},
    transcript::Transcript,
};
use proptest::prelude::*;
use serde_json::{json, value::RawValue};

fn task(with_files: bool) -> Task {
    let repository = Repository {
        url: "file:///srv/git/shop.git".to_owned(),
        base_ref: "main".to_owned(),
        base_commit: "0".repeat(40),
    };
    Task {
        id: TaskId::new(),
        project: ProjectId::DEFAULT,
        title: "Fix the failing test".to_owned(),
        description: "It fails since Monday.".to_owned(),
        duty: None,
        agent: Some(TaskAgent {
            id: AgentId::new(),
            name: "Backend".to_owned(),
            kind: "backend".to_owned(),
            version: 1,
            active: true,
        }),
        repository: with_files.then_some(repository),
        acceptance: vec![AcceptanceCheck {
            name: "tests".to_owned(),
            command: "python3 -m unittest".to_owned(),
            timeout_seconds: 60,
        }],
        context: json!({ "hint": "look at the calendar" }).as_object().unwrap().clone(),
        labels: BTreeMap::new(),
        limits: Limits::default(),
        model: None,
        dependencies: Vec::new(),
        on_dependency_failure: DependencyPolicy::Fail,
        priority: Priority::default(),
        status: TaskStatus::Running,
        reason: None,
        detail: None,
        run_at: DateTime::<Utc>::UNIX_EPOCH,
        max_attempts: 3,
        attempt: 1,
        epoch: 1,
        verify_only: false,
        event_seq: 2,
        result: None,
        usage: Usage::default(),
        session: None,
        parent: None,
        deadline: None,
        concurrency_key: None,
        redriven_from: None,
        forked_from: None,
        deaths: 0,
        isolated: false,
        journal_format: None,
        routing_version: None,
        error_class: None,
        briefing_waits: false,
        awaits: None,
        created_by: "test".to_owned(),
        created_at: DateTime::<Utc>::UNIX_EPOCH,
        running_seconds: 0,
        started_at: None,
        completed_at: None,
    }
}

fn reply(content: &serde_json::Value) -> Entry {
    Entry::Reply(Reply {
        content: RawValue::from_string(content.to_string()).unwrap(),
        stop: Stop::ToolUse,
        model: "claude-sonnet-5-5".to_owned(),
        requested_model: None,
        usage: Usage::default(),
        broken_inputs: BTreeMap::new(),
        request_id: None,
        exchange: None,
    })
}

fn results(id: &str, text: &str) -> Entry {
    Entry::ToolResults(ToolResults {
        results: vec![ToolResult {
            tool_use_id: id.to_owned(),
            tool: "read_file".to_owned(),
            content: text.to_owned(),
            is_error: text.len() % 2 == 1,
            artifact: None,
            recalled: None,
        }],
        finished: None,
        wake_at: None,
    })
}

/// The bytes of a request but for the markers of the prompt cache, which are no part of what the model reads.
fn body(task: &Task, entries: &[Entry]) -> Vec<u8> {
    let body = String::from_utf8(marked(task, entries)).unwrap();
    body.replace(r#","cache_control":{"type":"ephemeral"}"#, "").into_bytes()
}

fn marked(task: &Task, entries: &[Entry]) -> Vec<u8> {
    let backend = roster().unwrap().into_iter().find(|agent| agent.kind == "backend").unwrap();
    let transcript = Transcript::new(entries.to_vec());
    let opening = conversation::opening(task);
    let request =
        conversation::request(&opening, task, &backend.definition, &transcript, "claude-sonnet-5-5", 16_000);
    request.unwrap().body().unwrap()
}

/// Bytes behind the list of messages that change from turn to turn.
fn behind(body: &[u8]) -> usize {
    let text = std::str::from_utf8(body).unwrap();
    text.len() - text.rfind(r#"],"diagnostics":"#).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_later_request_begins_with_the_bytes_of_an_earlier_one(texts in prop::collection::vec("\\PC{0,40}", 1..30)) {
        let task = task(true);
        let mut entries = Vec::new();
        let mut before = body(&task, &entries);
        for (turn, text) in texts.iter().enumerate() {
            let id = format!("toolu_{turn}");
            entries.push(reply(&json!([
                { "type": "thinking", "thinking": text, "signature": "c2ln", "unheard_of": [1, 2] },
                { "type": "tool_use", "id": id, "name": "read_file", "input": { "path": text } },
            ])));
            entries.push(results(&id, text));
            if turn % 4 == 1 {
                let (number, author) = (i32::try_from(turn).unwrap(), "ada".to_owned());
                // What stands in the journal alone and what a person wrote keep the bytes before them as well.
                entries.push(Entry::Message(PersonMessage { number, author, text: text.clone() }));
            }
            if turn % 3 == 2 {
                entries.push(Entry::Note(Note { cause: NoteCause::Empty, text: text.clone() }));
            }
            let now = body(&task, &entries);
            // Everything but what closes the list of messages and stands behind it.
            let prefix = &before[..before.len() - behind(&before)];
            prop_assert!(now.starts_with(prefix));
            before = now;
        }
    }
}

#[test]
fn signed_thinking_and_unknown_blocks_go_back_byte_for_byte() {
    let content = json!([{ "signature": "c2ln", "type": "thinking", "thinking": "hm", "new_field": { "b": 1, "a": 2 } }]);
    let text = content.to_string();
    let body = String::from_utf8(body(&task(true), &[reply(&content)])).unwrap();
    assert!(body.contains(&text), "{body}");
}

#[test]
fn a_task_without_files_is_offered_only_what_needs_none() {
    let backend = roster().unwrap().into_iter().find(|agent| agent.kind == "backend").unwrap();
    let names = |task: &Task| -> Vec<&str> {
        conversation::tools_of(task, &backend.definition).into_iter().map(ToolName::as_str).collect()
    };
    assert_eq!(names(&task(false)), ["wait", "send_message", "ask_agent", "remember", "recall", "finish"]);
    assert_eq!(names(&task(true)).len(), 12);
}

#[test]
fn the_opening_names_the_task_its_context_and_its_checks() {
    let opening = conversation::opening(&task(true));
    for part in ["Fix the failing test", "since Monday", "look at the calendar", "python3 -m unittest"] {
        assert!(opening.contains(part), "{part} is missing in {opening}");
    }
}

#[test]
fn a_message_stands_behind_the_results_of_its_turn_and_an_intent_nowhere() {
    let call = json!([{ "type": "tool_use", "id": "t1", "name": "shell", "input": {} }]);
    let intent = Intent { tool_use_id: "t1".to_owned(), tool: "shell".to_owned() };
    let message = PersonMessage { number: 1, author: "ada".to_owned(), text: "Use tabs.".to_owned() };
    let entries = [reply(&call), Entry::Intent(intent), results("t1", "ok"), Entry::Message(message)];
    let body: serde_json::Value = serde_json::from_slice(&body(&task(true), &entries)).unwrap();
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3, "the opening, the reply, and one message with all that follows it");
    let kinds: Vec<&str> = messages[2]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["tool_result", "text"]);
    assert!(messages[2]["content"][1]["text"].as_str().unwrap().ends_with("Use tabs."));
}

#[test]
fn a_turn_that_was_undone_is_sent_no_more_and_the_bytes_before_it_stay() {
    let call = |id: &str| reply(&json!([{ "type": "tool_use", "id": id, "name": "shell", "input": {} }]));
    let before = vec![call("t1"), results("t1", "first")];
    let message = PersonMessage { number: 1, author: "ada".to_owned(), text: "Not so.".to_owned() };
    let after = vec![
        call("toolu_two"),
        results("toolu_two", "vanishing words"),
        Entry::Rollback(Rollback { from: 3, standing: vec![] }),
        Entry::Message(message),
    ];
    let task = task(true);
    let sent = body(&task, &[before.clone(), after].concat());
    // What follows goes into the same message: two brackets more than those that close the list and the object.
    let prefix = body(&task, &before);
    let open = prefix.len() - behind(&prefix) - 2;
    let prefix = String::from_utf8(prefix).unwrap();
    let sent = String::from_utf8(sent).unwrap();
    assert!(sent.starts_with(&prefix[..open]), "{sent}");
    assert!(!sent.contains("toolu_two") && !sent.contains("vanishing words"), "{sent}");
    assert!(sent.find("last turn undone").unwrap() < sent.find("Not so.").unwrap());
}

#[test]
fn a_fork_sends_the_thinking_of_another_model_to_nobody() {
    let thought = json!([{ "type": "thinking", "thinking": "hm", "signature": "c2ln" },
                         { "type": "text", "text": "Yes." }]);
    let own = json!([{ "type": "thinking", "thinking": "own", "signature": "b3du" }, { "type": "text", "text": "No." }]);
    let backend = roster().unwrap().into_iter().find(|agent| agent.kind == "backend").unwrap();
    let sent = |model: &str| {
        let mut mine = reply(&own);
        if let Entry::Reply(reply) = &mut mine {
            reply.model = model.to_owned();
        }
        let transcript = Transcript::forked(vec![reply(&thought), mine], 1);
        let task = task(true);
        let request = conversation::request("Go on.", &task, &backend.definition, &transcript, model, 100);
        String::from_utf8(request.unwrap().body().unwrap()).unwrap()
    };
    assert!(sent("claude-sonnet-5-5").contains(&thought.to_string()), "the same model reads it back");
    let other = sent("claude-opus-5-5");
    assert!(!other.contains("c2ln") && other.contains("Yes."), "{other}");
    assert!(other.contains("b3du"), "what the fork's own model thought stays: {other}");
}

#[test]
fn a_request_carries_four_markers_at_most_and_its_head_knows_no_task() {
    let call = |id: &str| reply(&json!([{ "type": "tool_use", "id": id, "name": "shell", "input": {} }]));
    let entries: Vec<Entry> =
        (0..60).flat_map(|turn| [call(&format!("t{turn}")), results(&format!("t{turn}"), "ok")]).collect();
    let task = task(true);
    let sent: serde_json::Value = serde_json::from_slice(&marked(&task, &entries)).unwrap();
    assert_eq!(sent.to_string().matches("\"cache_control\"").count(), 4);
    assert_eq!(sent["system"][1]["cache_control"], json!({ "type": "ephemeral", "ttl": "1h" }));
    assert_eq!(sent["cache_control"], json!({ "type": "ephemeral" }), "the last block has one");
    let names: Vec<&str> =
        sent["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "{names:?}");
    let head = format!("{}{}", sent["tools"], sent["system"]);
    assert!(!head.contains(&task.id.to_string()) && !head.contains("Fix the failing test"), "{head}");
}

fn compacted(text: &str) -> Entry {
    Entry::Compacted(Box::new(Compacted {
        segment: 2,
        trigger: Trigger::Full,
        text: text.to_owned(),
        summary: None,
        block: None,
        tokens_before: 2,
        tokens_after: 1,
        model: "claude-sonnet-5-5".to_owned(),
        usage: Usage::default(),
        request_id: None,
    }))
}

#[test]
fn a_new_segment_sends_the_task_and_its_own_words_and_nothing_of_before() {
    let call = |id: &str| {
        reply(&json!([{ "type": "thinking", "thinking": "hm", "signature": "c2ln" },
                      { "type": "tool_use", "id": id, "name": "shell", "input": {} }]))
    };
    let old = vec![call("old"), results("old", "old words")];
    let new = vec![compacted("What stands for it."), call("new"), results("new", "new words")];
    let task = task(true);
    let first = body(&task, &[old.clone(), new[..1].to_vec()].concat());
    let second = body(&task, &[old.clone(), new].concat());
    assert!(second.starts_with(&first[..first.len() - behind(&first)]), "a segment grows as any other");
    let head = body(&task, &[]);
    assert!(second.starts_with(&head[..head.len() - behind(&head)]), "the opening is the one that is cached");
    let sent: serde_json::Value = serde_json::from_slice(&second).unwrap();
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 4);
    assert_eq!(messages[1]["content"][0]["text"], "What stands for it.");
    let text = sent.to_string();
    assert!(!text.contains("old words") && text.matches("c2ln").count() == 1, "{text}");
}

#[test]
fn a_signed_block_stands_first_for_the_model_that_it_was_made_for() {
    let block = r#"{ "type":"compaction", "content":"é", "signature":"c2ln" }"#;
    let Entry::Compacted(mut made) = compacted("Rules.") else { unreachable!() };
    made.block = Some(RawValue::from_string(block.to_owned()).unwrap());
    let backend = roster().unwrap().into_iter().find(|agent| agent.kind == "backend").unwrap();
    let sent = |model: &str| {
        let transcript = Transcript::new(vec![Entry::Compacted(made.clone())]);
        conversation::request("Go on.", &task(true), &backend.definition, &transcript, model, 100).unwrap()
    };
    let same = sent("claude-sonnet-5-5");
    assert_eq!(same.messages[0].content.get(), format!("[{block}]"));
    assert_eq!((same.messages.len(), same.betas.as_slice()), (3, ["compact-2026-09-04"].as_slice()));
    let other = sent("claude-opus-5-5");
    assert_eq!((other.messages.len(), other.betas.len()), (2, 0), "for others the words stand alone");
}

#[test]
fn an_agent_without_words_of_its_own_sends_no_empty_block() {
    let mut definition = roster().unwrap().remove(0).definition;
    definition.system_prompt = " \n".to_owned();
    let (task, transcript) = (task(true), Transcript::default());
    let request =
        conversation::request("Go on.", &task, &definition, &transcript, "claude-sonnet-5-5", 100).unwrap();
    assert_eq!(request.system.len(), 1, "the service refuses a text that is blank");
    assert!(request.system.iter().all(|block| !block.text.trim().is_empty()));
}
