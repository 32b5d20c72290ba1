//! What is kept of a call, byte for byte, however it ends.

use hive_claude::{Answered, Error, Exchange, Progress};
use tokio::sync::Notify;

use crate::server::{Act, STREAM_HEAD, Server, WEATHER, client, request, streamed};

async fn seen(bytes: impl Into<Vec<u8>>) -> (Exchange, Result<hive_claude::Reply, Error>) {
    let server = Server::answering(bytes).await;
    let mut exchange = Exchange::default();
    let reply = server.client().create_seen(&request(), |_| (), Some(&mut exchange), None).await;
    let sent = server.requests().await.remove(0);
    let (_, body) = sent.split_once("\r\n\r\n").unwrap();
    assert_eq!(exchange.request, body.as_bytes());
    (exchange, reply)
}

fn answered(exchange: Exchange) -> Answered {
    exchange.answer.unwrap()
}

#[tokio::test]
async fn a_stream_is_kept_as_it_came() {
    let (exchange, reply) = seen(streamed(WEATHER)).await;
    reply.unwrap();
    let answer = answered(exchange);
    assert_eq!((answer.status, answer.body), (200, WEATHER.as_bytes().to_vec()));
    assert!(answer.headers.contains(&("request-id".to_owned(), "req_head".to_owned())));
}

#[tokio::test]
async fn what_broke_off_is_kept_as_far_as_it_came() {
    let half = &WEATHER[..WEATHER.find("event: message_delta").unwrap()];
    let (exchange, reply) = seen(streamed(half)).await;
    assert!(matches!(reply.unwrap_err(), Error::Cut { .. }));
    assert_eq!(answered(exchange).body, half.as_bytes());
}

#[tokio::test]
async fn what_was_given_up_is_kept_as_far_as_it_came() {
    let half = &WEATHER[..WEATHER.find("event: message_delta").unwrap()];
    let begun = [STREAM_HEAD, "connection: close\r\n\r\n", half].concat();
    let server = Server::start(vec![vec![Act::Send(begun.into_bytes()), Act::Hold]]).await;
    let (mut exchange, heard) = (Exchange::default(), Notify::new());
    let on_event = |progress: Progress<'_>| {
        if matches!(progress, Progress::Text(_)) {
            heard.notify_one();
        }
    };
    let (claude, request) = (server.client(), request());
    tokio::select! {
        reply = claude.create_seen(&request, on_event, Some(&mut exchange), None) => panic!("{reply:?}"),
        () = heard.notified() => {}
    }
    let body = answered(exchange).body;
    assert!(half.as_bytes().starts_with(&body) && !body.is_empty());
}

#[tokio::test]
async fn an_error_is_kept_with_its_body_and_without_what_opens_doors() {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let head = format!(
        "HTTP/1.1 529 Overloaded\r\nRetry-After: 1\r\nSet-Cookie: session=secret\r\n\
         Anthropic-Organization-Id: org\r\nX-Api-Key: sk-test\r\nAuthorization: Bearer sk-test\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let (exchange, reply) = seen(head).await;
    assert!(matches!(reply.unwrap_err(), Error::Api(_)));
    let answer = answered(exchange);
    assert_eq!((answer.status, answer.body), (529, body.as_bytes().to_vec()));
    let names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["retry-after", "content-length", "connection"]);
}

#[tokio::test]
async fn a_host_that_is_not_there_answers_nothing() {
    let mut exchange = Exchange::default();
    let claude = client("http://127.0.0.1:1", |_| ());
    claude.create_seen(&request(), |_| (), Some(&mut exchange), None).await.unwrap_err();
    assert!(exchange.answer.is_none() && !exchange.request.is_empty());
}
