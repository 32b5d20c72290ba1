//! Batches, against a server that sends raw bytes.

use std::time::Duration;

use hive_claude::{
    BatchCounts, BatchOutcome, BatchRequest, BatchStatus, Block, Error, ErrorKind, Phase, RetryPolicy,
    Verdict, verdict,
};
use serde_json::value::RawValue;

use crate::server::{Act, Server, answer, client, request};

const BATCH: &str = r#"{"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress",
    "request_counts":{"processing":2,"succeeded":0,"errored":0,"canceled":0,"expired":0},
    "created_at":"2026-11-01T10:00:00.000000Z","expires_at":"2026-11-02T10:00:00.000000Z","ended_at":null,
    "cancel_initiated_at":null,"archived_at":null,"results_url":null,"a_new_field":[1]}"#;

const RESULTS: &str = concat!(
    r#"{"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_b"}}}"#,
    "\n",
    r#"{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-5-5","content":[{"type":"text","text":"Grüße\u0000"},{"type":"new_block","x":1.50}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":5,"service_tier":"batch"}}}}"#,
    "\n\n",
    r#"{"custom_id":"c","result":{"type":"canceled"}}"#,
    "\r\n",
    r#"{"custom_id":"d","result":{"type":"expired"}}"#,
    "\n",
    r#"{"custom_id":"e","result":{"type":"succeeded","message":{"id":"msg_2"}}}"#,
    "\n",
    r#"{"custom_id":"f","result":{"type":"postponed"}}"#,
);

fn jsonl(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-jsonl\r\nrequest-id: req_head\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn a_batch_is_created_with_the_bytes_of_its_requests() {
    let server = Server::answering(answer("200 OK", &["connection: close"], BATCH)).await;
    let body = request().batch_body().unwrap();
    assert!(!body.contains("stream"), "{body}");
    let params = RawValue::from_string(body.clone()).unwrap();
    let requests = ["a", "b"].map(|custom_id| BatchRequest { custom_id, params: &params });
    let batch = server.client().create_batch(&requests).await.unwrap();
    assert_eq!((batch.id.as_str(), batch.processing_status), ("msgbatch_1", BatchStatus::InProgress));
    assert_eq!(batch.request_counts, BatchCounts { processing: 2, ..BatchCounts::default() });
    assert_eq!(batch.request_counts.total(), 2);
    assert_eq!(batch.expires_at - batch.created_at, chrono::TimeDelta::days(1));

    let sent = server.requests().await.remove(0);
    assert!(sent.starts_with("POST /v1/messages/batches HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("x-api-key: sk-test") && sent.contains("anthropic-version: "), "{sent}");
    let expected = format!(
        r#"{{"requests":[{{"custom_id":"a","params":{body}}},{{"custom_id":"b","params":{body}}}]}}"#
    );
    assert!(sent.ends_with(&expected), "{sent}");
}

#[tokio::test]
async fn results_are_read_line_by_line_in_any_order() {
    let server = Server::answering(jsonl(RESULTS)).await;
    let mut results = server.client().batch_results("msgbatch_1").await.unwrap();
    let mut read = Vec::new();
    while let Some(result) = results.next().await.unwrap() {
        read.push((result.custom_id, result.outcome));
    }
    assert!(results.next().await.unwrap().is_none(), "the end stays the end");
    let ids: Vec<&str> = read.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["b", "a", "c", "d", "e", "f"]);
    let mut outcomes = read.into_iter().map(|(_, outcome)| outcome);
    let Some(BatchOutcome::Errored(error)) = outcomes.next() else { panic!("an error was sent") };
    assert_eq!((&error.kind, error.request_id.as_deref()), (&ErrorKind::Overloaded, Some("req_b")));
    let follows = verdict(&Error::Api(error), 1, Duration::ZERO, &RetryPolicy::default(), 0.0);
    assert_eq!(follows, Verdict::Again { after: Duration::ZERO }, "as if it had come with its status");
    let Some(BatchOutcome::Succeeded(reply)) = outcomes.next() else { panic!("a reply was sent") };
    assert!(matches!(&reply.message.content[0], Block::Text { text } if text == "Grüße\0"), "{reply:?}");
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (3, 5));
    assert!(reply.content_json.contains(r#""x":1.50"#), "unknown blocks stay as they came: {reply:?}");
    let again = hive_claude::BatchReply::read(&reply.json).unwrap();
    assert_eq!((again.content_json, again.usage), (reply.content_json, reply.usage));
    assert!(matches!(outcomes.next(), Some(BatchOutcome::Canceled)));
    assert!(matches!(outcomes.next(), Some(BatchOutcome::Expired)));
    for word in ["reply", "postponed"] {
        let Some(BatchOutcome::Unreadable(why)) = outcomes.next() else { panic!("{word}") };
        assert!(why.contains(word), "{why}");
    }
    let sent = server.requests().await.remove(0);
    assert!(sent.starts_with("GET /v1/messages/batches/msgbatch_1/results HTTP/1.1\r\n"), "{sent}");
}

#[tokio::test]
async fn results_that_break_off_or_are_none_say_so() {
    let whole = jsonl(RESULTS);
    let cut = whole[..whole.len() - 20].to_vec();
    let server = Server::answering(cut).await;
    let mut results = server.client().batch_results("msgbatch_1").await.unwrap();
    let mut read = 0;
    let error = loop {
        match results.next().await {
            Ok(Some(_)) => read += 1,
            Ok(None) => panic!("it broke off"),
            Err(error) => break error,
        }
    };
    assert_eq!((read, matches!(error, Error::Cut { .. })), (5, true), "{error:?}");

    let server = Server::answering(jsonl("<html>\n")).await;
    let mut results = server.client().batch_results("msgbatch_1").await.unwrap();
    // What stands behind it is read all the same.
    let unread = results.next().await.unwrap().unwrap();
    assert!(
        unread.custom_id.is_empty() && matches!(unread.outcome, BatchOutcome::Unreadable(_)),
        "{unread:?}"
    );
    assert!(results.next().await.unwrap().is_none());

    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-jsonl\r\n\r\n";
    let line = vec![b'x'; 1024 * 1024];
    let acts = vec![Act::Send(head.into()), Act::Repeat(line, Duration::ZERO)];
    let server = Server::start(vec![acts]).await;
    let mut results = server.client().batch_results("msgbatch_1").await.unwrap();
    let error = results.next().await.unwrap_err();
    assert!(matches!(&error, Error::Protocol { message, .. } if message.contains("bytes")), "{error:?}");
}

#[tokio::test]
async fn every_call_of_batches_has_its_time_limit_and_its_class_of_error() {
    let hold = || vec![Act::Hold];
    let server = Server::start(vec![hold(), hold(), hold(), hold(), hold()]).await;
    let client = client(&server.url, |config| config.idle_timeout = Duration::from_millis(150));
    let params = RawValue::from_string("{}".to_owned()).unwrap();
    let create = client.create_batch(&[BatchRequest { custom_id: "a", params: &params }]).await.unwrap_err();
    let errors = [
        create,
        client.batch("x").await.unwrap_err(),
        client.batches(100, None).await.unwrap_err(),
        client.cancel_batch("x").await.unwrap_err(),
        client.batch_results("x").await.err().unwrap(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Timeout { phase: Phase::Headers, .. }), "{error:?}");
    }
    let body = r#"{"type":"error","error":{"type":"not_found_error","message":"Batch x not found"}}"#;
    let server = Server::answering(answer("404 Not Found", &[], body)).await;
    let Err(Error::Api(error)) = server.client().batch("a/../b?c").await else { panic!("it is not there") };
    assert_eq!((error.status, &error.kind), (404, &ErrorKind::NotFound));
    let sent = server.requests().await.remove(0);
    assert!(sent.starts_with("GET /v1/messages/batches/a%2F..%2Fb%3Fc HTTP/1.1"), "an id is no path: {sent}");
}

#[tokio::test]
async fn batches_are_listed_by_page_and_cancelled() {
    let page =
        format!(r#"{{"data":[{BATCH}],"has_more":true,"first_id":"msgbatch_1","last_id":"msgbatch_1"}}"#);
    let canceling = BATCH.replace("in_progress", "canceling");
    let odd = BATCH.replace("in_progress", "resting");
    let bodies = [page.as_str(), canceling.as_str(), odd.as_str()];
    let acts = bodies.map(|body| vec![Act::Send(answer("200 OK", &["connection: close"], body))]);
    let server = Server::start(acts.into()).await;
    let client = server.client();
    let listed = client.batches(7, Some("msgbatch_0")).await.unwrap();
    assert_eq!(
        (listed.data.len(), listed.has_more, listed.last_id.as_deref()),
        (1, true, Some("msgbatch_1"))
    );
    let canceled = client.cancel_batch("msgbatch_1").await.unwrap();
    assert_eq!(canceled.processing_status, BatchStatus::Canceling);
    assert_eq!(client.batch("msgbatch_1").await.unwrap().processing_status, BatchStatus::Unknown);
    let sent = server.requests().await;
    assert!(sent[0].starts_with("GET /v1/messages/batches?limit=7&after_id=msgbatch_0 "), "{}", sent[0]);
    assert!(sent[1].starts_with("POST /v1/messages/batches/msgbatch_1/cancel "), "{}", sent[1]);
}
