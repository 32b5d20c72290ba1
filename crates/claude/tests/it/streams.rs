//! Answers that are good.

use std::time::Duration;

use hive_claude::{Block, Progress, StopReason, ToolInput};

use crate::server::{Act, STREAM_HEAD, Server, WEATHER, answer, chunked, client, request, streamed};

const WEATHER_CONTENT: &str = concat!(
    r#"[{"type":"thinking","thinking":"The user wants the weather.","signature":"EqQBCkYI…"},"#,
    r#"{"type":"text","text":"Let me check.","citations":null},"#,
    r#"{"type":"tool_use","id":"toolu_01T","name":"get_weather","input":{"city": "Paris"},"#,
    r#""caller":{"type":"direct"}}]"#,
);

#[tokio::test]
async fn a_streamed_reply_is_whole() {
    let server = Server::answering(streamed(WEATHER)).await;
    let mut text = String::new();
    let reply = server
        .client()
        .create(&request(), |progress| {
            if let Progress::Text(piece) = progress {
                text.push_str(piece);
            }
        })
        .await
        .unwrap();

    assert_eq!(reply.content_json, WEATHER_CONTENT);
    assert_eq!(reply.message.stop_reason, StopReason::ToolUse);
    assert_eq!(reply.usage.output_tokens, 87);
    assert_eq!(reply.request_id.as_deref(), Some("req_head"));
    assert_eq!(reply.rate_limits.requests.unwrap().remaining, 49);
    assert_eq!(text, "Let me check.");
}

#[tokio::test]
async fn the_request_says_who_and_what() {
    let server = Server::answering(streamed(WEATHER)).await;
    server.client().create(&request(), |_| ()).await.unwrap();
    let sent = server.requests().await.remove(0);
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/messages HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    for line in ["x-api-key: sk-test", "anthropic-version: 2026-10-21", "content-type: application/json"] {
        assert!(head.lines().any(|sent| sent == line), "{line} is missing in {head}");
    }
    assert!(!head.contains("authorization"), "{head}");
    assert!(!head.contains("accept-encoding"), "{head}");
    assert_eq!(
        body,
        concat!(
            r#"{"stream":true,"model":"claude-sonnet-5-5","max_tokens":100,"#,
            r#""messages":[{"role":"user","content":"What is the weather in Paris?"}]}"#,
        )
    );
}

#[tokio::test]
async fn the_key_can_go_as_a_bearer() {
    let server = Server::answering(streamed(WEATHER)).await;
    client(&server.url, |config| config.bearer = true).create(&request(), |_| ()).await.unwrap();
    let sent = server.requests().await.remove(0).to_ascii_lowercase();
    assert!(sent.contains("authorization: bearer sk-test"), "{sent}");
    assert!(!sent.contains("x-api-key"), "{sent}");
}

#[tokio::test]
async fn pieces_of_any_size_give_the_same_reply() {
    let sizes = [1, 2, 3, 5, 7, 16, 100, 1000];
    let windows = WEATHER.replace('\n', "\r\n");
    for text in [WEATHER, windows.as_str()] {
        for size in sizes {
            let server = Server::answering(chunked(text.as_bytes(), size)).await;
            let reply = server.client().create(&request(), |_| ()).await.unwrap();
            assert_eq!(reply.content_json, WEATHER_CONTENT, "pieces of {size}");
        }
    }
}

#[tokio::test]
async fn a_reply_is_done_at_message_stop_and_not_at_the_end_of_the_connection() {
    let open = [STREAM_HEAD.as_bytes(), b"\r\n", WEATHER.as_bytes()].concat();
    let server = Server::start(vec![vec![Act::Send(open), Act::Hold]]).await;
    server.client().create(&request(), |_| ()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let block = r#"{"type":"text" , "text":"Paris.","citations":null,"new":1.50}"#;
    let call = r#"{"type":"tool_use","id":"t","name":"n","input":[1],"x":1}"#;
    let body = format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[ {block}, {call} ],
            "stop_reason":"refusal","stop_sequence":null,"stop_details":{{"type":"refusal"}},
            "usage":{{"input_tokens":14,"output_tokens":5,"cache_creation":null}}}}"#
    );
    let bytes = answer("200 OK", &["content-type: application/json", "request-id: req_1"], &body);
    let server = Server::answering(bytes).await;
    let mut usages = Vec::new();
    let reply = server
        .client()
        .create(&request(), |progress| {
            if let Progress::Usage(usage) = progress {
                usages.push(usage);
            }
        })
        .await
        .unwrap();

    let mended = call.replace("[1]", "{}");
    assert_eq!(reply.content_json, format!("[{block},{mended}]"));
    let [Block::Text { text }, Block::ToolUse { input: ToolInput::Invalid(input), .. }] =
        &reply.message.content[..]
    else {
        panic!("{:?}", reply.message)
    };
    assert_eq!((text.as_str(), input.as_str()), ("Paris.", "[1]"));
    assert_eq!(reply.message.stop_reason, StopReason::Refusal);
    assert_eq!(reply.message.stop_details.unwrap().get(), r#"{"type":"refusal"}"#);
    assert_eq!(usages, [reply.usage]);
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (14, 5));
}

#[tokio::test]
async fn what_came_back_goes_out_again_byte_for_byte() {
    let block = r#"{ "type":"hologram", "size" : 1.50e2,"note":"\u00e9" }"#;
    let events = [
        r#"{"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":1,"output_tokens":1}}}"#.to_owned(),
        format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#),
        r#"{"type":"content_block_stop","index":0}"#.to_owned(),
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#.to_owned(),
        r#"{"type":"message_stop"}"#.to_owned(),
    ];
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let server =
        Server::start(vec![vec![Act::Send(streamed(&body))], vec![Act::Send(streamed(WEATHER))]]).await;
    let claude = server.client();

    let mut request = request();
    let reply = claude.create(&request, |_| ()).await.unwrap();
    let content = serde_json::value::RawValue::from_string(reply.content_json).unwrap();
    request.messages.push(hive_claude::RequestMessage::assistant(content));
    claude.create(&request, |_| ()).await.unwrap();

    let sent = server.requests().await;
    let first = sent[0].split_once("\r\n\r\n").unwrap().1.strip_suffix("]}").unwrap();
    let second = sent[1].split_once("\r\n\r\n").unwrap().1;
    assert_eq!(second, format!(r#"{first},{{"role":"assistant","content":[{block}]}}]}}"#));
}

#[tokio::test]
async fn the_catalogue_is_read_page_by_page() {
    let page = |body: &str| vec![Act::Send(answer("200 OK", &["connection: close"], body))];
    let server = Server::start(vec![
        page(
            r#"{"data":[{"id":"a","type":"model","max_input_tokens":1000000,"capabilities":
                {"thinking":{"types":{"disabled":{"supported":false}}}}}],"has_more":true,"last_id":"a"}"#,
        ),
        page(r#"{"data":[{"id":"b","capabilities":null}],"has_more":false,"last_id":"b"}"#),
    ])
    .await;
    let models = server.client().models().await.unwrap();
    assert_eq!(models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(models[0].max_input_tokens, Some(1_000_000));
    assert_eq!(models[0].supports(&["thinking", "types", "disabled"]), Some(false));
    assert_eq!(models[0].supports(&["thinking", "types", "adaptive"]), None);
    assert_eq!(models[1].supports(&["thinking"]), None);
    let sent = server.requests().await;
    assert!(sent[0].starts_with("GET /v1/models?limit=100 "), "{}", sent[0]);
    assert!(sent[1].starts_with("GET /v1/models?limit=100&after_id=a "), "{}", sent[1]);
}

#[tokio::test]
async fn dropping_the_call_closes_the_connection() {
    let start = &WEATHER[..WEATHER.find("event: content_block_start").unwrap()];
    let open = [STREAM_HEAD.as_bytes(), b"\r\n", start.as_bytes()].concat();
    let server = Server::start(vec![vec![Act::Send(open), Act::Hold]]).await;
    let claude = server.client();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    let call = tokio::spawn(async move {
        let started = |_: Progress<'_>| {
            if let Some(sender) = sender.take() {
                sender.send(()).unwrap();
            }
        };
        claude.create(&request(), started).await.map(|_| ())
    });
    tokio::time::timeout(Duration::from_secs(5), receiver).await.unwrap().unwrap();
    call.abort();
    // Returns only when the server saw the connection end.
    assert_eq!(server.requests().await.len(), 1);
}
