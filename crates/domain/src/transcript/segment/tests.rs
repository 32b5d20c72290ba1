use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::{
    journal::{Compacted, Entry, Exchange, Note, NoteCause, Reply, Rollback, Stop, Trigger},
    status::StatusReason,
    transcript::{MAX_COMPACTIONS, Next, Transcript},
    usage::Usage,
};

fn reply(stop: Stop, id: &str) -> Entry {
    Entry::Reply(Reply {
        requested_model: None,
        content: RawValue::from_string(format!(r#"[{{"type":"text","text":"{id}"}}]"#)).unwrap(),
        stop,
        model: "model-a".to_owned(),
        usage: Usage { input_tokens: 10, ..Usage::default() },
        broken_inputs: BTreeMap::new(),
        request_id: None,
        exchange: Some(Box::new(Exchange {
            message_id: id.to_owned(),
            prefix_sha256: String::new(),
            request_sha256: String::new(),
            cache_miss: None,
        })),
    })
}

fn note() -> Entry {
    Entry::Note(Note { cause: NoteCause::Cut, text: "Go on.".to_owned() })
}

fn compacted(segment: u32) -> Entry {
    Entry::Compacted(Box::new(Compacted {
        segment,
        trigger: Trigger::Full,
        text: format!("segment {segment}"),
        summary: None,
        block: None,
        tokens_before: 100,
        tokens_after: 10,
        model: "model-a".to_owned(),
        usage: Usage { output_tokens: 5, ..Usage::default() },
        request_id: None,
    }))
}

fn places(transcript: &Transcript) -> Vec<usize> {
    transcript.segment().map(|(place, _)| place).collect()
}

#[test]
fn a_segment_begins_behind_the_last_entry_that_began_one() {
    let mut transcript = Transcript::new(vec![reply(Stop::MaxTokens, "a"), note()]);
    assert_eq!((places(&transcript), transcript.previous_message()), (vec![0, 1], Some("a")));
    assert!(transcript.wants_room());
    transcript.push(compacted(2));
    assert!(matches!(transcript.next(true), Next::AskModel));
    assert_eq!((places(&transcript), transcript.previous_message()), (vec![], None));
    transcript.push(reply(Stop::MaxTokens, "b"));
    assert!(!transcript.wants_room(), "the second in a row gets no more room");
    transcript.push(note());
    transcript.push(compacted(3));
    transcript.push(note());
    assert_eq!(places(&transcript), [5 + 1]);
    assert_eq!(transcript.compacted().unwrap().segment, 3);
    let used = Usage { input_tokens: 20, output_tokens: 10, ..Usage::default() };
    assert_eq!(
        (transcript.usage(), transcript.turns()),
        (used, 2),
        "summaries are paid for and are no turns"
    );
}

#[test]
fn a_turn_that_is_undone_across_an_edge_brings_the_segment_before_it_back() {
    let entries =
        vec![reply(Stop::EndTurn, "a"), note(), reply(Stop::EndTurn, "b"), note(), compacted(2), note()];
    let mut transcript = Transcript::new(entries);
    let undo = transcript.undo().unwrap();
    assert_eq!(undo.from, 3, "the last reply lies before the edge");
    transcript.push(Entry::Rollback(undo));
    assert!(transcript.compacted().is_none());
    assert_eq!(places(&transcript), [0, 1, 6]);

    let mut later = Transcript::new(vec![reply(Stop::EndTurn, "a"), compacted(2), reply(Stop::EndTurn, "b")]);
    later.push(Entry::Rollback(Rollback { from: 3, standing: vec![] }));
    assert_eq!((later.compacted().unwrap().segment, places(&later)), (2, vec![3]));
}

#[test]
fn a_conversation_that_fits_in_no_segment_ends_with_its_reason() {
    let overflow = || reply(Stop::ModelContextWindowExceeded, "full");
    let mut transcript = Transcript::new(vec![reply(Stop::EndTurn, "a"), overflow()]);
    for begun in 0..MAX_COMPACTIONS {
        assert_eq!(transcript.compactions_in_a_row(), begun);
        assert!(transcript.has_overflowed() && matches!(transcript.next(false), Next::Compact));
        transcript.push(compacted(2));
        assert!(!transcript.has_overflowed() && matches!(transcript.next(false), Next::AskModel));
        transcript.push(overflow());
    }
    let next = transcript.next(false);
    assert!(matches!(next, Next::GiveUp { reason: StatusReason::ContextWindow, .. }), "{next:?}");
    transcript.push(reply(Stop::EndTurn, "b"));
    assert_eq!(transcript.compactions_in_a_row(), 0, "a reply that fits begins the count anew");
}
