use super::*;
use crate::raw;
use crate::sse::Decoder;
use crate::wire::message::{Block, ToolInput};

const WEATHER: &str = include_str!("../../tests/fixtures/weather.sse");

/// A stream around the given block events.
fn stream(blocks: &[&str]) -> String {
    let mut lines = vec![
        r#"{"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}"#,
    ];
    lines.extend(blocks);
    lines.push(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#);
    lines.push(r#"{"type":"message_stop"}"#);
    lines.iter().map(|line| format!("data: {line}\n\n")).collect()
}

fn try_assemble(text: &str) -> Result<(Message, String, Usage), String> {
    let (mut decoder, mut assembler, mut done) = (Decoder::default(), Assembler::default(), Ok(false));
    let mut accept = |event: Event| {
        if let Ok(false) = done {
            done = match assembler.accept(&event, &mut |_| ()) {
                Ok(step) => Ok(step == Step::Done),
                Err(Failure::Protocol(message)) => Err(message),
                Err(Failure::Api(body)) => Err(body.error.kind),
            };
        }
    };
    decoder.push(text.as_bytes(), &mut accept).unwrap();
    if !done? {
        return Err("no message_stop".to_owned());
    }
    assembler.finish()
}

fn content(blocks: &[&str]) -> (Vec<Block>, String) {
    let (message, json, _) = try_assemble(&stream(blocks)).unwrap();
    (message.content, json)
}

#[test]
fn a_thought_a_text_and_a_call() {
    let (message, json, usage) = try_assemble(WEATHER).unwrap();
    assert_eq!(
        json,
        concat!(
            r#"[{"type":"thinking","thinking":"The user wants the weather.","signature":"EqQBCkYI…"},"#,
            r#"{"type":"text","text":"Let me check.","citations":null},"#,
            r#"{"type":"tool_use","id":"toolu_01T","name":"get_weather","input":{"city": "Paris"},"#,
            r#""caller":{"type":"direct"}}]"#,
        )
    );
    assert_eq!(message.stop_reason, StopReason::ToolUse);
    assert_eq!((message.id.as_str(), message.model.as_str()), ("msg_01T", "claude-sonnet-5-5"));
    let [Block::Thinking { thinking }, Block::Text { text }, Block::ToolUse { id, name, input }] =
        &message.content[..]
    else {
        panic!("{:?}", message.content)
    };
    assert_eq!((thinking.as_str(), text.as_str()), ("The user wants the weather.", "Let me check."));
    assert_eq!((id.as_str(), name.as_str()), ("toolu_01T", "get_weather"));
    assert!(matches!(input, ToolInput::Json(json) if json.get() == r#"{"city": "Paris"}"#));
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens), (412, 87, 2048));
}

#[test]
fn progress_tells_the_pieces_in_order() {
    let (mut decoder, mut assembler, mut seen) = (Decoder::default(), Assembler::default(), Vec::new());
    decoder
        .push(WEATHER.as_bytes(), |event| {
            assembler.accept(&event, &mut |progress| seen.push(format!("{progress:?}"))).unwrap();
        })
        .unwrap();
    seen.retain(|line| !line.starts_with("Usage"));
    assert_eq!(
        seen,
        [
            r#"Started { message_id: "msg_01T", model: "claude-sonnet-5-5" }"#,
            r#"Thinking("The user wants the weather.")"#,
            r#"Text("Let me check.")"#,
            r#"ToolUse { id: "toolu_01T", name: "get_weather" }"#,
            r#"ToolInput("{\"city\": \"Par")"#,
            r#"ToolInput("is\"}")"#,
        ]
    );
}

/// The last usage told, when a stream of these events ends there.
fn heard(most: u32, events: &[&str]) -> Usage {
    let (mut assembler, mut last) = (Assembler::within(most), Usage::default());
    for data in events {
        let event = Event { name: String::new(), data: (*data).to_owned() };
        let told = &mut |progress: Progress<'_>| {
            if let Progress::Usage(usage) = progress {
                last = usage;
            }
        };
        assembler.accept(&event, told).unwrap();
    }
    assert_eq!(assembler.usage(0), Some(last), "what is told is what an error carries");
    last
}

#[test]
fn what_the_service_did_not_come_to_count_is_taken_for_as_much_as_it_may_be() {
    const START: &str = r#"{"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":3,"output_tokens":1}}}"#;
    const TOOL: &str = r#"{"type":"content_block_start","index":0,
        "content_block":{"type":"tool_use","id":"t","name":"finish","input":{}}}"#;
    let text = |bytes: usize| {
        let piece = "x".repeat(bytes);
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{piece}"}}}}"#
        )
    };
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    assert_eq!(heard(9_000, &[START]).output_tokens, 1);
    let (first, second) = (text(500), text(1_500));
    assert_eq!(heard(9_000, &[START, block, &first]).output_tokens, 1 + 250);
    assert_eq!(heard(9_000, &[START, block, &first, &second]).output_tokens, 1 + 1_000);
    assert_eq!(heard(600, &[START, block, &first, &second]).output_tokens, 600, "no more than was allowed");
    // The name of a tool and the two bytes of an empty input.
    assert_eq!(heard(9_000, &[START, TOOL]).output_tokens, 1 + 4);
    for delta in [
        r#"{"type":"input_json_delta","partial_json":"12345678"}"#,
        r#"{"type":"thinking_delta","thinking":"12345678"}"#,
        r#"{"type":"signature_delta","signature":"12345678"}"#,
    ] {
        let delta = format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#);
        let begun = if delta.contains("json_delta") {
            TOOL
        } else {
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#
        };
        let (with, without) = (heard(9_000, &[START, begun, &delta]), heard(9_000, &[START, begun]));
        assert_eq!(with.output_tokens, without.output_tokens + 4, "{delta}");
    }
    // Its own count holds, and what comes after it is added.
    let counted = r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":70}}"#;
    assert_eq!(heard(9_000, &[START, block, &first, counted]).output_tokens, 70);
    assert_eq!(heard(9_000, &[START, block, &first, counted, &second]).output_tokens, 70 + 750);
    assert_eq!(heard(50, &[START, block, &first, counted]).output_tokens, 70, "what was counted is charged");
}

#[test]
fn an_unknown_block_is_kept_byte_for_byte() {
    let block = r#"{ "type" : "hologram","size":1.50e2 , "a":{"z":1,"a":[ ]},"text":"\u00e9\/" }"#;
    let (view, json) = content(&[
        &format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#),
        r#"{"type":"content_block_stop","index":0}"#,
    ]);
    assert_eq!(json, format!("[{block}]"));
    assert!(matches!(&view[..], [Block::Other { kind }] if kind == "hologram"));
}

#[test]
fn unknown_fields_and_escapes_survive_deltas() {
    let (view, json) = content(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"new":1.0,"type":"text","text":"","x":[ 1]}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"caf\u00e9 \ud83d"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\ude00\/"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
    ]);
    assert_eq!(json, r#"[{"new":1.0,"type":"text","text":"caf\u00e9 \ud83d\ude00\/","x":[ 1]}]"#);
    assert!(matches!(&view[..], [Block::Text { text }] if text == "café \u{1f600}/"));
}

#[test]
fn citations_are_collected_as_they_came() {
    let (_, json) = content(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"","citations":null}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"n": 1}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"n":2.0}}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
    ]);
    assert_eq!(json, r#"[{"type":"text","text":"x","citations":[{"n": 1},{"n":2.0}]}]"#);
}

#[test]
fn events_and_deltas_of_unknown_type_are_ignored() {
    let (_, json) = content(&[
        r#"{"type":"weather_report","index":7}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"smell_delta","smell":"rose"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
    ]);
    assert_eq!(json, r#"[{"type":"text","text":"ab"}]"#);
}

/// A tool call whose input is begun as `begun` and streamed as `partial`.
fn tool_call(begun: &str, partial: &[&str]) -> (String, String) {
    let start = format!(
        r#"{{"type":"content_block_start","index":0,"content_block":{{"type":"tool_use","id":"t","name":"n","input":{begun}}}}}"#
    );
    let deltas = partial.iter().map(|piece| {
        let piece = raw::quote(piece);
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":{piece}}}}}"#
        )
    });
    let events: Vec<String> = std::iter::once(start)
        .chain(deltas)
        .chain([r#"{"type":"content_block_stop","index":0}"#.to_owned()])
        .collect();
    let (view, json) = content(&events.iter().map(String::as_str).collect::<Vec<_>>());
    let [Block::ToolUse { input, .. }] = &view[..] else { panic!("{view:?}") };
    let kept = json.split_once(r#""input":"#).unwrap().1.strip_suffix("}]").unwrap().to_owned();
    (kept, format!("{input:?}"))
}

#[test]
fn tool_inputs() {
    let rows: [(&str, &str, &[&str], &str, &str); 9] = [
        ("an object", "{}", &[r#"{"a":"#, "1.0 }"], r#"{"a":1.0 }"#, r#"Json(RawValue({"a":1.0 }))"#),
        ("no delta at all", "{}", &[], "{}", "Json(RawValue({}))"),
        ("only an empty delta", "{}", &[""], "{}", "Json(RawValue({}))"),
        ("all of it at the start", r#"{"a":1}"#, &[""], r#"{"a":1}"#, r#"Json(RawValue({"a":1}))"#),
        ("cut short", "{}", &[r#"{"a": "b"#], "{}", r#"Invalid("{\"a\": \"b")"#),
        ("two documents", "{}", &["{}{}"], "{}", r#"Invalid("{}{}")"#),
        ("not an object", "{}", &["[1]"], "{}", r#"Invalid("[1]")"#),
        ("not JSON", "{}", &["rm -rf"], "{}", r#"Invalid("rm -rf")"#),
        ("not an object at the start", "5", &[], "{}", r#"Invalid("5")"#),
    ];
    for (name, begun, partial, kept, view) in rows {
        assert_eq!(tool_call(begun, partial), (kept.to_owned(), view.to_owned()), "{name}");
    }
}

#[test]
fn a_stream_out_of_order_is_refused() {
    let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let stop = r#"{"type":"content_block_stop","index":0}"#;
    let delta = r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"x"}}"#;
    let rows: [(&str, &[&str], &str); 8] = [
        ("a block that never ends", &[start], "message_stop inside block 0"),
        ("a block inside a block", &[start, start], "block 0 began inside block 0"),
        ("a delta for another block", &[start, delta, stop], "block 1, which is not open"),
        ("a stop without a start", &[stop], "block 0, which is not open"),
        (
            "a second start",
            &[
                r#"{"type":"message_start","message":{"id":"a","model":"b","usage":{"input_tokens":1,"output_tokens":1}}}"#,
            ],
            "a second message_start",
        ),
        ("not JSON", &["{"], "EOF"),
        (
            "a value of the wrong type",
            &[start, r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":5}}"#],
            "text_delta without its value",
        ),
        (
            "an error event",
            &[r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#],
            "overloaded_error",
        ),
    ];
    for (name, events, expected) in rows {
        let error = try_assemble(&stream(events)).unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
    }
    let error = try_assemble(&format!("data: {start}\n\n")).unwrap_err();
    assert!(error.contains("before message_start"), "{error}");
    let error = try_assemble(&stream(&[]).replace(r#""stop_reason":"end_turn""#, "")).unwrap_err();
    assert!(error.contains("without a stop reason"), "{error}");
}

#[test]
fn the_last_word_on_the_end_stands_and_silence_does_not_erase_it() {
    let (message, _, _) = try_assemble(&stream(&[
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":"END"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"unheard_of","stop_sequence":null}}"#,
    ]))
    .unwrap();
    assert_eq!(message.stop_reason, StopReason::EndTurn);
    assert_eq!(message.stop_sequence.as_deref(), Some("END"));
}

#[test]
fn an_endless_reply_is_refused() {
    let mut assembler = Assembler::default();
    let filler =
        Event { name: "x".to_owned(), data: format!(r#"{{"type":"x","y":"{}"}}"#, "y".repeat(1 << 20)) };
    let refused = (0..64).find_map(|_| assembler.accept(&filler, &mut |_| ()).err());
    assert!(matches!(refused, Some(Failure::Protocol(_))));
}
