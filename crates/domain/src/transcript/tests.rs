use proptest::prelude::*;
use serde_json::{json, value::RawValue};

use super::*;
use crate::journal::{CheckResult, Compacted, Note, PersonMessage, ToolResult, ToolResults, Trigger};

/// What a model may do in a turn.
#[derive(Clone, Debug)]
enum Act {
    Tools(u8),
    Broken,
    Finish,
    Say,
    Nothing,
    Cut { with_tool: bool },
    Pause,
    Refuse,
    Overflow,
    Unheard,
}

fn acts() -> impl Strategy<Value = Vec<(Act, bool)>> {
    let act = prop_oneof![
        6 => (1u8..4).prop_map(Act::Tools),
        2 => Just(Act::Broken),
        2 => Just(Act::Finish),
        2 => Just(Act::Say),
        1 => Just(Act::Nothing),
        2 => any::<bool>().prop_map(|with_tool| Act::Cut { with_tool }),
        1 => Just(Act::Pause),
        1 => Just(Act::Refuse),
        1 => Just(Act::Overflow),
        1 => Just(Act::Unheard),
    ];
    prop::collection::vec((act, any::<bool>()), 0..24)
}

fn reply(turn: usize, act: &Act) -> Reply {
    let tool = |n: usize, name: &str| json!({"type": "tool_use", "id": format!("toolu_{turn}_{n}"), "name": name, "input": {}});
    let (content, stop) = match act {
        Act::Tools(n) => ((0..*n).map(|n| tool(n.into(), "read_file")).collect(), Stop::ToolUse),
        Act::Broken => (vec![tool(0, "shell")], Stop::ToolUse),
        Act::Finish => (vec![tool(0, "finish")], Stop::ToolUse),
        Act::Say => (vec![json!({"type": "text", "text": "It is done."})], Stop::EndTurn),
        Act::Nothing => (vec![], Stop::EndTurn),
        Act::Cut { with_tool } => {
            (if *with_tool { vec![tool(0, "write_file")] } else { vec![] }, Stop::MaxTokens)
        }
        Act::Pause => (vec![], Stop::PauseTurn),
        Act::Refuse => (vec![], Stop::Refusal),
        Act::Overflow => (vec![], Stop::ModelContextWindowExceeded),
        Act::Unheard => (vec![], Stop::Other("unheard_of".to_owned())),
    };
    let broken = matches!(act, Act::Broken).then(|| (format!("toolu_{turn}_0"), "{\"command\": ".to_owned()));
    Reply {
        content: RawValue::from_string(serde_json::to_string(&content).unwrap()).unwrap(),
        stop,
        model: "claude-sonnet-5-5".to_owned(),
        requested_model: None,
        usage: Usage { input_tokens: 10, output_tokens: 1, ..Usage::default() },
        broken_inputs: broken.into_iter().collect(),
        request_id: None,
        exchange: None,
    }
}

fn results(calls: &[ToolCall], refused: bool) -> Entry {
    let results = calls.iter().map(|call| ToolResult {
        tool_use_id: call.id.clone(),
        tool: call.name.clone(),
        content: "text".to_owned(),
        is_error: refused || call.input.is_err(),
        artifact: None,
        recalled: None,
    });
    let finished =
        (!refused && calls.iter().any(|call| call.name == "finish")).then(|| "It is done.".to_owned());
    Entry::ToolResults(ToolResults { results: results.collect(), finished, wake_at: None })
}

fn checks(summary: String, passed: bool) -> Entry {
    let result = CheckResult {
        name: "tests".to_owned(),
        command: "true".to_owned(),
        passed,
        exit_code: Some(i32::from(!passed)),
        milliseconds: 1,
        output: String::new(),
    };
    Entry::Checks(Checks { summary, results: vec![result], tree: None, passed, message: "red".to_owned() })
}

fn compacted() -> Entry {
    Entry::Compacted(Box::new(Compacted {
        segment: 2,
        trigger: Trigger::Overflow,
        text: "before".to_owned(),
        summary: None,
        block: None,
        tokens_before: 100,
        tokens_after: 10,
        model: "claude-sonnet-5-5".to_owned(),
        usage: Usage::default(),
        request_id: None,
    }))
}

/// The step the harness appends for `next`; `None` when the run ends.
fn perform(next: Next, turn: usize, acts: &[(Act, bool)], replies: usize) -> Option<Entry> {
    match next {
        Next::AskModel => acts.get(replies).map(|(act, _)| Entry::Reply(reply(turn, act))),
        Next::Compact => Some(compacted()),
        Next::RunTools(calls) => Some(results(&calls, false)),
        Next::RefuseTools(calls) => Some(results(&calls, true)),
        Next::Nudge(cause) => Some(Entry::Note(Note { cause, text: "go on".to_owned() })),
        Next::Verify { summary } => Some(checks(summary, acts[replies - 1].1)),
        Next::Done { .. } | Next::GiveUp { .. } | Next::Sleep { .. } | Next::Unknown(_) => None,
    }
}

/// Runs from `start` on, as a worker would that finds this journal.
fn run(start: Vec<Entry>, acts: &[(Act, bool)], has_checks: bool) -> (Vec<String>, String) {
    let mut transcript = Transcript::new(start);
    loop {
        let next = transcript.next(has_checks);
        let end = format!("{next:?}");
        let replies = transcript.replies().count();
        match perform(next, replies, acts, replies) {
            Some(entry) => transcript.push(entry),
            None => {
                let stored = transcript.entries().iter();
                return (
                    stored.map(|entry| format!("{} {}", entry.kind(), entry.body().unwrap())).collect(),
                    end,
                );
            }
        }
    }
}

proptest! {
    /// A run cut after any entry, read back from its stored form and continued, ends like the undisturbed run.
    #[test]
    fn a_run_cut_anywhere_ends_like_the_undisturbed_run(acts in acts(), has_checks: bool) {
        let (whole, end) = run(Vec::new(), &acts, has_checks);
        for cut in 0..=whole.len() {
            let stored = whole[..cut].iter().map(|line| line.split_once(' ').unwrap());
            let start = stored.map(|(kind, body)| Entry::from_stored(kind, body).unwrap()).collect();
            let (resumed, resumed_end) = run(start, &acts, has_checks);
            prop_assert_eq!(&resumed, &whole);
            prop_assert_eq!(&resumed_end, &end);
        }
    }

    /// With checks, `Done` follows only a green round of the harness; nothing else ends a run as success.
    #[test]
    fn success_needs_green_checks(acts in acts()) {
        let (whole, end) = run(Vec::new(), &acts, true);
        if end.starts_with("Done") {
            let last = whole.last().unwrap();
            prop_assert!(last.starts_with("checks "));
            prop_assert!(last.contains("\"passed\":true"));
        }
    }

    /// Every tool call is answered before the model is asked again, and none that was cut is run.
    #[test]
    fn every_call_is_answered_and_none_that_was_cut_is_run(acts in acts()) {
        let (whole, _) = run(Vec::new(), &acts, true);
        let entries: Vec<Entry> = whole.iter()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(kind, body)| Entry::from_stored(kind, body).unwrap())
            .collect();
        for pair in entries.windows(2) {
            let Entry::Reply(reply) = &pair[0] else { continue };
            let calls = reply.calls();
            if calls.is_empty() { continue }
            let Entry::ToolResults(results) = &pair[1] else { panic!("calls without results") };
            prop_assert_eq!(results.results.len(), calls.len());
            prop_assert!(reply.stop != Stop::MaxTokens || results.results.iter().all(|result| result.is_error));
        }
    }
}

#[test]
fn odd_endings_have_their_own_reason() {
    for (act, repeat, reason) in [
        (Act::Refuse, 1, StatusReason::Refused),
        (Act::Overflow, MAX_COMPACTIONS + 1, StatusReason::ContextWindow),
        (Act::Unheard, 1, StatusReason::UnexpectedReply),
        (Act::Nothing, MAX_EMPTY_REPLIES, StatusReason::EmptyReply),
        (Act::Cut { with_tool: true }, MAX_CUT_REPLIES, StatusReason::MaxTokens),
        (Act::Cut { with_tool: false }, MAX_CUT_REPLIES, StatusReason::MaxTokens),
        (Act::Broken, MAX_BROKEN_REPLIES, StatusReason::BadToolInput),
        (Act::Pause, MAX_PAUSES + 1, StatusReason::UnexpectedReply),
    ] {
        let acts = vec![(act.clone(), false); 20];
        let (whole, end) = run(Vec::new(), &acts, true);
        assert!(end.contains(&format!("{reason:?}")), "{act:?} ended as {end}");
        assert_eq!(whole.iter().filter(|line| line.starts_with("reply ")).count(), repeat, "{act:?}");
    }
}

#[test]
fn red_checks_are_given_back_and_end_as_verification_failed() {
    let (whole, end) = run(Vec::new(), &vec![(Act::Finish, false); 10], true);
    assert_eq!(whole.iter().filter(|line| line.starts_with("checks ")).count(), MAX_RED_CHECKS);
    assert!(end.contains("VerificationFailed"), "{end}");
}

/// The step of a run that calls a tool with an outside effect.
fn notify() -> Entry {
    let mut reply = reply(0, &Act::Tools(1));
    let content =
        json!([{ "type": "tool_use", "id": "toolu_x", "name": "notify_person", "input": { "text": "hi" } }]);
    reply.content = RawValue::from_string(content.to_string()).unwrap();
    Entry::Reply(reply)
}

fn intent() -> Entry {
    Entry::Intent(Intent { tool_use_id: "toolu_x".to_owned(), tool: "notify_person".to_owned() })
}

fn outcome(took_place: bool) -> Entry {
    Entry::Outcome(ExternalOutcome {
        tool_use_id: "toolu_x".to_owned(),
        tool: "notify_person".to_owned(),
        took_place,
        content: "delivered".to_owned(),
        is_error: false,
        decided_by: None,
    })
}

#[test]
fn an_outside_call_that_was_cut_is_unknown_until_somebody_knows() {
    let mut transcript = Transcript::new(vec![notify()]);
    assert!(matches!(transcript.next(true), Next::RunTools(calls) if calls.len() == 1));
    assert_eq!((transcript.reply_seq(), transcript.is_open("toolu_x")), (1, false));
    transcript.push(intent());
    assert!(matches!(transcript.next(true), Next::Unknown(open) if open.tool_use_id == "toolu_x"));
    assert!(transcript.is_open("toolu_x") && transcript.outcome_of("toolu_x").is_none());
    transcript.push(outcome(false));
    assert!(matches!(transcript.next(true), Next::RunTools(_)));
    assert!(!transcript.is_open("toolu_x") && !transcript.outcome_of("toolu_x").unwrap().took_place);
    transcript.push(intent());
    assert!(matches!(transcript.next(true), Next::Unknown(_)), "the second try was cut as well");
    transcript.push(outcome(true));
    assert!(transcript.outcome_of("toolu_x").unwrap().took_place, "the last word counts");
    assert_eq!(transcript.reply_seq(), 1, "the key of a repeated call stays what it was");
}

#[test]
fn a_wait_sleeps_until_somebody_or_the_time_wakes_it() {
    let until = DateTime::<Utc>::UNIX_EPOCH;
    let slept = Entry::ToolResults(ToolResults { results: vec![], finished: None, wake_at: Some(until) });
    let mut transcript = Transcript::new(vec![slept.clone()]);
    assert!(matches!(transcript.next(true), Next::Sleep { until: when } if when == until));
    transcript.push(Entry::Note(Note { cause: NoteCause::Woken, text: "It is time.".to_owned() }));
    assert!(matches!(transcript.next(true), Next::AskModel));
    let message = PersonMessage { number: 1, author: "ada".to_owned(), text: "Now.".to_owned() };
    let transcript = Transcript::new(vec![slept, Entry::Message(message)]);
    assert!(matches!(transcript.next(true), Next::AskModel));
}

#[test]
fn what_a_fork_shares_is_neither_counted_nor_a_circle_of_its_own() {
    let turn = |n: usize| {
        let reply = reply(n, &Act::Tools(1));
        [Entry::Reply(reply.clone()), results(&reply.calls(), false)]
    };
    let entries: Vec<Entry> = (0..4).flat_map(turn).collect();
    let original = Transcript::new(entries.clone());
    assert!(matches!(original.next(true), Next::GiveUp { reason: StatusReason::LoopDetected, .. }));
    let fork = Transcript::forked(entries, 8);
    assert_eq!((fork.turns(), fork.usage()), (0, Usage::default()));
    assert!(matches!(fork.next(true), Next::AskModel));
    assert_eq!(original.turns(), 4);
}

#[test]
fn a_monologue_ends_before_the_checks_run_once_more() {
    let (whole, end) = run(Vec::new(), &vec![(Act::Say, false); 10], true);
    assert!(end.contains("LoopDetected") && end.contains("monologue"), "{end}");
    assert_eq!(whole.iter().filter(|line| line.starts_with("reply ")).count(), loops::MONOLOGUE_REPLIES);
}
