use super::*;

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn full() -> Request {
    Request {
        cache_control: Some(CacheControl { ttl: Some(Ttl::OneHour) }),
        metadata: Some(Metadata { user_id: "u1".to_owned() }),
        thinking: Some(Thinking::Adaptive { display: Some(Display::Summarized) }),
        output_config: Some(OutputConfig {
            effort: Some(Effort::Xhigh),
            format: Some(OutputFormat { schema: raw(r#"{"type":"object"}"#) }),
        }),
        stop_sequences: vec!["END".to_owned()],
        tool_choice: Some(ToolChoice::Auto { disable_parallel_tool_use: true }),
        tools: vec![Tool::custom("read", "Reads a file", raw(r#"{ "type" : "object" }"#))],
        system: vec![SystemBlock {
            text: "Be brief.".to_owned(),
            cache_control: Some(CacheControl { ttl: None }),
        }],
        messages: vec![RequestMessage::user(raw(r#""hi""#))],
        ..Request::new("claude-sonnet-5-5", 1024)
    }
}

#[test]
fn the_body_is_what_the_service_expects() {
    let body = String::from_utf8(full().body().unwrap()).unwrap();
    assert_eq!(
        body,
        concat!(
            r#"{"stream":true,"model":"claude-sonnet-5-5","max_tokens":1024,"#,
            r#""cache_control":{"type":"ephemeral","ttl":"1h"},"metadata":{"user_id":"u1"},"#,
            r#""thinking":{"type":"adaptive","display":"summarized"},"#,
            r#""output_config":{"effort":"xhigh","format":{"type":"json_schema","schema":{"type":"object"}}},"#,
            r#""stop_sequences":["END"],"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"#,
            r#""tools":[{"name":"read","description":"Reads a file","input_schema":{ "type" : "object" }}],"#,
            r#""system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"#,
            r#""messages":[{"role":"user","content":"hi"}]}"#,
        )
    );
}

#[test]
fn a_small_request_leaves_out_what_was_not_said() {
    let body = String::from_utf8(Request::new("m", 1).body().unwrap()).unwrap();
    assert_eq!(body, r#"{"stream":true,"model":"m","max_tokens":1,"messages":[]}"#);
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let request = full();
    assert_eq!(request.body().unwrap(), request.body().unwrap());
    assert_eq!(request.body().unwrap(), request.clone().body().unwrap());
}

#[test]
fn the_next_turn_begins_with_the_bytes_of_this_one() {
    // Odd spacing, key order, escapes and number forms survive, as signed content must.
    let turns = [
        r#"[{"type":"thinking","thinking":"","signature":"Eq\u0041=="}]"#,
        r#"[{"b":1.0e3 ,  "type":"new_block","a":[1,  2]}]"#,
        r#""plain \ud83d\ude00 text""#,
    ];
    let mut request = full();
    for turn in turns {
        let before = request.body().unwrap();
        request.messages.push(RequestMessage::assistant(raw(turn)));
        let after = request.body().unwrap();

        let open = before.strip_suffix(b"]}").unwrap();
        assert!(after.starts_with(open), "history was written anew");
        let added = String::from_utf8(after[open.len()..].to_vec()).unwrap();
        assert_eq!(added, format!(r#",{{"role":"assistant","content":{turn}}}]}}"#));
    }
}

#[test]
fn a_stored_message_comes_back_byte_for_byte() {
    let json = r#"{"role":"assistant","content":[{"x" : 1.50}]}"#;
    let message: RequestMessage = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&message).unwrap(), json);
}
