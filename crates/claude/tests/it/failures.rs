//! Answers that are not good, and none at all.

use std::time::{Duration, Instant};

use hive_claude::{Error, ErrorKind, KeyStop, Partial, Phase, RetryPolicy, Usage, Verdict, verdict};
use tokio::net::TcpListener;

use crate::server::{Act, STREAM_HEAD, Server, WEATHER, answer, client, request, streamed};

const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

/// The transcript up to the first event of this type.
fn until(event: &str) -> &'static str {
    &WEATHER[..WEATHER.find(&format!("event: {event}")).unwrap()]
}

async fn failure(bytes: Vec<u8>) -> Error {
    let server = Server::answering(bytes).await;
    server.client().create(&request(), |_| ()).await.unwrap_err()
}

fn api(error: Error) -> hive_claude::ApiError {
    match error {
        Error::Api(error) => *error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_status_is_told_apart() {
    let rows = [
        ("400 Bad Request", "invalid_request_error", ErrorKind::InvalidRequest),
        ("401 Unauthorized", "authentication_error", ErrorKind::Authentication),
        ("402 Payment Required", "billing_error", ErrorKind::Billing),
        ("403 Forbidden", "permission_error", ErrorKind::Permission),
        ("404 Not Found", "not_found_error", ErrorKind::NotFound),
        ("409 Conflict", "conflict_error", ErrorKind::Conflict),
        ("413 Payload Too Large", "request_too_large", ErrorKind::RequestTooLarge),
        ("429 Too Many Requests", "rate_limit_error", ErrorKind::RateLimit),
        ("500 Internal Server Error", "api_error", ErrorKind::ApiError),
        ("504 Gateway Timeout", "timeout_error", ErrorKind::Timeout),
        ("529 Overloaded", "overloaded_error", ErrorKind::Overloaded),
        ("599 New", "new_error", ErrorKind::Unknown("new_error".to_owned())),
    ];
    for (status, kind, expected) in rows {
        let body = format!(
            r#"{{"type":"error","error":{{"type":"{kind}","message":"why","details":null}},"request_id":"req_b"}}"#
        );
        let error = api(failure(answer(status, &["request-id: req_h"], &body)).await);
        assert_eq!(error.kind, expected, "{status}");
        assert_eq!(error.status.to_string(), status[..3], "{status}");
        assert_eq!((error.message.as_str(), error.request_id.as_deref()), ("why", Some("req_b")), "{status}");
        assert_eq!((error.retry_after, error.should_retry, error.code), (None, None, None), "{status}");
    }
}

#[tokio::test]
async fn a_limit_tells_how_long_and_which() {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down",
        "details":{"error_code":"enforced_spend_limit_reached","x":1}}}"#;
    let headers = [
        "retry-after: 20",
        "x-should-retry: true",
        "request-id: req_h",
        "anthropic-ratelimit-output-tokens-limit: 8000",
        "anthropic-ratelimit-output-tokens-remaining: 0",
    ];
    let error = failure(answer("429 Too Many Requests", &headers, body)).await;
    let ended = Verdict::StopKey { reason: KeyStop::SpendLimit };
    assert_eq!(verdict(&error, 1, Duration::ZERO, &RetryPolicy::default(), 0.5), ended);
    let error = api(error);
    assert_eq!(error.retry_after, Some(Duration::from_secs(20)));
    assert_eq!(error.should_retry, Some(true));
    assert_eq!(error.code.as_deref(), Some("enforced_spend_limit_reached"));
    assert_eq!(error.request_id.as_deref(), Some("req_h"));
    assert_eq!(error.rate_limits.output_tokens.unwrap().remaining, 0);
}

#[tokio::test]
async fn an_answer_of_something_in_between_is_told_by_its_status() {
    let page = format!("<html>{}</html>", "bad gateway ".repeat(10_000));
    let error = api(failure(answer("502 Bad Gateway", &[], &page)).await);
    assert_eq!((error.status, error.kind), (502, ErrorKind::ApiError));
    assert!(error.message.starts_with("<html>bad gateway") && error.message.len() < 400, "{}", error.message);

    let error = api(failure(answer("429 Too Many Requests", &["retry-after: 2"], "")).await);
    assert_eq!((error.kind, error.retry_after), (ErrorKind::RateLimit, Some(Duration::from_secs(2))));

    // The body breaks off; the status counts.
    let error = api(failure(b"HTTP/1.1 529 X\r\ncontent-length: 100\r\n\r\n{\"type\"".to_vec()).await);
    assert_eq!(error.kind, ErrorKind::Overloaded);
}

#[tokio::test]
async fn an_error_inside_a_stream_is_an_error_with_its_usage() {
    let event = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\
        \"message\":\"Overloaded\"},\"request_id\":\"req_e\"}\n\n";
    let error = failure(streamed(format!("{}{event}", until("message_delta")))).await;
    assert!(matches!(
        verdict(&error, 1, Duration::ZERO, &RetryPolicy::default(), 0.5),
        Verdict::Again { .. }
    ));
    assert_eq!(error.charged().unwrap().input_tokens, 412);
    let error = api(error);
    assert_eq!((error.status, error.kind), (200, ErrorKind::Overloaded));
    assert_eq!(error.request_id.as_deref(), Some("req_e"));

    let error = failure(streamed(event)).await;
    assert_eq!(error.charged(), Some(Usage::default()), "the service says that it did nothing");
}

#[tokio::test]
async fn a_stream_cut_anywhere_is_no_reply() {
    let stop = WEATHER.find("event: message_stop").unwrap();
    let started = until("content_block_start").len();
    for cut in (0..=stop).step_by(97).chain([started - 1, started, stop]) {
        let error = failure(streamed(&WEATHER[..floor(cut)])).await;
        assert!(matches!(error, Error::Cut { source: None, .. }), "cut at {cut}: {error:?}");
        assert_eq!(error.charged().is_some(), cut >= started, "cut at {cut}");
        assert_eq!(error.request_id(), Some("req_head"), "cut at {cut}");
    }
    let ended = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n";
    let error = failure(streamed(format!("{}{ended}", until("message_stop")))).await;
    assert!(matches!(error, Error::Cut { .. }), "an event without its empty line has not come: {error:?}");
    assert_eq!(error.charged().unwrap().output_tokens, 87);
}

#[tokio::test]
async fn an_event_that_was_torn_is_charged_as_far_as_it_came() {
    let begin = until("content_block_stop");
    let whole = failure(streamed(begin)).await.charged().unwrap().output_tokens;
    let torn = format!(
        "data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"thinking_delta\",\"thinking\":\"{}",
        "x".repeat(60)
    );
    let error = failure(streamed(format!("{begin}{torn}"))).await;
    let with = error.charged().unwrap().output_tokens;
    assert!((whole + 30..100).contains(&with), "{whole}, {with}");
}

/// A place where the text can be cut.
fn floor(mut cut: usize) -> usize {
    while !WEATHER.is_char_boundary(cut) {
        cut -= 1;
    }
    cut
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_cut() {
    let head = [STREAM_HEAD, "transfer-encoding: chunked\r\n\r\nfff\r\n", until("message_delta")].concat();
    let error = failure(head.into_bytes()).await;
    assert!(
        matches!(error, Error::Cut { source: Some(_), partial: Partial { usage: Some(_), .. } }),
        "{error:?}"
    );

    let error = failure(Vec::new()).await;
    assert!(
        matches!(error, Error::Cut { source: Some(_), partial: Partial { usage: None, .. } }),
        "{error:?}"
    );
}

#[tokio::test]
async fn pings_are_no_content() {
    let begin = [STREAM_HEAD, "\r\n", until("content_block_start")].concat();
    let pings = Act::Repeat(PING.to_vec(), Duration::from_millis(20));
    let server = Server::start(vec![vec![Act::Send(begin.into_bytes()), pings]]).await;
    let claude = client(&server.url, |config| {
        config.idle_timeout = Duration::from_millis(300);
    });
    let began = Instant::now();
    let error = claude.create(&request(), |_| ()).await.unwrap_err();
    assert_eq!(error.request_id(), Some("req_head"));
    assert!(matches!(error, Error::Idle { partial: Partial { usage: Some(_), .. }, .. }), "{error:?}");
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(server.requests().await.len(), 1, "and the connection is closed");
}

#[tokio::test]
async fn content_keeps_a_stream_alive_up_to_the_total_limit() {
    let begin = [STREAM_HEAD, "\r\n", until("ping")].concat();
    let delta = "data: {\"type\":\"content_block_delta\",\"index\":0,\
        \"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm \"}}\n\n";
    let thoughts = Act::Repeat(delta.as_bytes().to_vec(), Duration::from_millis(20));
    let server = Server::start(vec![vec![Act::Send(begin.into_bytes()), thoughts]]).await;
    let claude = client(&server.url, |config| {
        config.idle_timeout = Duration::from_millis(800);
        config.total_timeout = Duration::from_millis(2000);
    });
    let began = Instant::now();
    let error = claude.create(&request(), |_| ()).await.unwrap_err();
    assert_eq!(error.request_id(), Some("req_head"));
    assert!(
        matches!(error, Error::Timeout { phase: Phase::Total, partial: Partial { usage: Some(_), .. } }),
        "{error:?}"
    );
    assert!(began.elapsed() >= Duration::from_millis(2000));
}

#[tokio::test]
async fn headers_that_do_not_come_run_out_of_time() {
    let server = Server::start(vec![vec![Act::Hold]]).await;
    let claude = client(&server.url, |config| {
        config.idle_timeout = Duration::from_millis(200);
    });
    let error = claude.create(&request(), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: Phase::Headers, .. }), "{error:?}");
    assert_eq!(server.requests().await.len(), 1);
}

#[tokio::test]
async fn a_host_that_is_not_there_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(&format!("http://{address}"), |_| ()).create(&request(), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn nothing_is_sent_after_its_time_however_long_connecting_took() {
    // Whoever accepts, and answers whatever comes whole.
    let server = Server::answering(streamed(WEATHER)).await;
    let latest = Some(tokio::time::Instant::now());
    let error = server.client().create_seen(&request(), |_| (), None, latest).await.unwrap_err();
    assert!(matches!(error, Error::Late), "{error:?}");
    assert_eq!(error.charged(), Some(Usage::default()));
    let requests = server.requests().await;
    assert!(!requests.iter().any(|request| request.contains("Paris")), "{requests:?}");
}

#[tokio::test]
async fn a_request_in_time_is_sent_whole_and_says_how_long_it_is() {
    let server = Server::answering(streamed(WEATHER)).await;
    let latest = Some(tokio::time::Instant::now() + Duration::from_secs(60));
    server.client().create_seen(&request(), |_| (), None, latest).await.unwrap();
    let sent = server.requests().await.remove(0);
    let body = request().body().unwrap();
    assert!(sent.contains(&format!("content-length: {}\r\n", body.len())), "{sent}");
    assert!(sent.ends_with(std::str::from_utf8(&body).unwrap()), "{sent}");
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_end_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let claude = client(&url, |config| config.connect_timeout = Duration::from_millis(200));
    let error = claude.create(&request(), |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn garbage_is_garbage() {
    let html = answer("200 OK", &["content-type: text/html"], "<html>log in</html>");
    let rows = [
        ("a page", html),
        ("half a document", answer("200 OK", &["content-type: application/json"], r#"{"id":"a""#)),
        ("an empty document", answer("200 OK", &[], "")),
        ("events that are not JSON", streamed("data: hello\n\n")),
        ("bytes that are not UTF-8", streamed(b"data: \xff\xfe\n\n")),
        ("a block before the message", streamed("data: {\"type\":\"content_block_stop\",\"index\":0}\n\n")),
        ("an end without a stop reason", streamed(format!("{}{}", until("message_delta"), STOP))),
    ];
    for (name, bytes) in rows {
        let error = failure(bytes).await;
        assert!(matches!(error, Error::Protocol { .. }), "{name}: {error:?}");
    }
}

const STOP: &str = "data: {\"type\":\"message_stop\"}\n\n";

#[tokio::test]
async fn an_error_in_place_of_a_message_is_an_error() {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let error = api(failure(answer("200 OK", &["content-type: application/json"], body)).await);
    assert_eq!((error.status, error.kind), (200, ErrorKind::Overloaded));
}

#[tokio::test]
async fn a_redirect_does_not_carry_the_key_away() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("location: http://{}/v1/messages", elsewhere.local_addr().unwrap());
    let error = failure(answer("307 Temporary Redirect", &[&location], "")).await;
    let verdict = verdict(&error, 1, Duration::ZERO, &RetryPolicy::default(), 0.5);
    assert!(
        matches!(verdict, Verdict::Again { .. }),
        "it may be a page of something in between: {verdict:?}"
    );
    // Followed, it would wait for the other host in vain.
    assert_eq!(api(error).status, 307);
}
