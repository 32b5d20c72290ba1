//! The event stream: each event once and in order, whatever breaks on the way.

use hive_store::Claimant;
use std::{
    collections::VecDeque,
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use hive_domain::{Outcome, StatusReason, TaskId, journal::TaskResult};
use hive_local::{RedisData, testing::PrivateRedis};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::hive::{Answer, Api, Hive, PATIENCE, eventually};

/// A reader of server-sent events, as a browser does it.
struct Reader {
    response: Response,
    rest: String,
    events: VecDeque<Sent>,
    retry: Option<u64>,
}

#[derive(Debug, PartialEq)]
struct Sent {
    id: i64,
    event: String,
    data: Value,
}

impl Reader {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, rest: String::new(), events: VecDeque::new(), retry: None }
    }

    /// The next event, or `None` when the server closed the stream.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("an event or the end");
            self.rest.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
            while let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                self.take(&block);
            }
        }
    }

    fn take(&mut self, block: &str) {
        let field = |name: &str| {
            block
                .lines()
                .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim_start().to_owned()))
        };
        if let Some(retry) = field("retry") {
            self.retry = Some(retry.parse().unwrap());
        }
        if let Some(data) = field("data") {
            self.events.push_back(Sent {
                id: field("id").unwrap().parse().unwrap(),
                event: field("event").unwrap(),
                data: serde_json::from_str(&data).unwrap(),
            });
        }
    }

    async fn kinds(&mut self, count: usize) -> Vec<String> {
        let mut kinds = Vec::new();
        for _ in 0..count {
            kinds.push(self.next().await.expect("one more event").event);
        }
        kinds
    }
}

fn watch(api: &Api, task: TaskId) -> RequestBuilder {
    api.request(Method::GET, &format!("/api/v1/tasks/{task}/events"))
}

async fn finish(hive: &Hive, task: TaskId) {
    let epoch = hive.store.task(task).await.unwrap().epoch;
    let lease = hive.store.claim(task, epoch, &Claimant::ordinary("w")).await.unwrap().unwrap();
    hive.store.settle(&lease, &Outcome::Done(TaskResult::default())).await.unwrap();
}

#[tokio::test]
async fn a_stream_tells_everything_and_ends_with_the_task() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let task = api.task(json!({ "title": "T", "duty": "noop" })).await;
    let mut reader = Reader::open(watch(&api, task)).await;
    let created = reader.next().await.unwrap();
    assert!((1_000..=3_000).contains(&reader.retry.unwrap()));
    let stored = &hive.store.events_after(task, 0, 1).await.unwrap()[0];
    let expected = Sent {
        id: 1,
        event: "task.created".to_owned(),
        data: json!({ "seq": 1, "kind": "task.created", "at": stored.at, "data": { "title": "T", "priority": 5 } }),
    };
    assert_eq!(created, expected);
    finish(&hive, task).await;
    assert_eq!(reader.kinds(2).await, ["task.started", "task.succeeded"]);
    assert_eq!(reader.next().await, None, "the stream ends");

    let mut late = Reader::open(watch(&api, task)).await;
    assert_eq!(late.kinds(3).await, ["task.created", "task.started", "task.succeeded"]);
    assert_eq!(late.next().await, None);
}

#[tokio::test]
async fn a_stream_that_does_not_follow_ends_behind_what_is_there() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let task = api.task(json!({ "title": "T", "duty": "noop" })).await;
    hive.store.claim(task, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    let look = |query: &'static [(&str, &str)]| watch(&api, task).query(query);
    let mut reader = Reader::open(look(&[("follow", "false")])).await;
    assert_eq!(reader.kinds(2).await, ["task.created", "task.started"]);
    assert_eq!(reader.next().await, None, "the task runs on");
    let rest = look(&[("follow", "false"), ("after", "2")]).send().await.unwrap();
    assert_eq!(rest.status(), 204);
    Answer::of(look(&[("follow", "perhaps")])).await.problem(400, "invalid_query");
}

#[tokio::test]
async fn a_broken_stream_goes_on_at_another_process_without_a_gap() {
    let hive = Hive::start().await;
    let (one, two) = (hive.api().await, hive.api().await);
    let task = one.task(json!({ "title": "T", "duty": "noop" })).await;
    let mut reader = Reader::open(watch(&one, task)).await;
    assert_eq!(reader.next().await.unwrap().id, 1);
    drop(reader);
    hive.store.claim(task, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();

    let mut reader = Reader::open(watch(&two, task).header("last-event-id", "1")).await;
    assert_eq!(reader.next().await.unwrap().id, 2);
    let asked = Instant::now();
    Answer::of(one.request(Method::POST, &format!("/api/v1/tasks/{task}/cancel"))).await;
    let last = reader.next().await.unwrap();
    assert_eq!((last.id, last.event.as_str()), (3, "task.cancelled"));
    assert!(asked.elapsed() < PATIENCE);
    assert_eq!(reader.next().await, None);

    let after = watch(&two, task).query(&[("after", "2")]);
    assert_eq!(Reader::open(after).await.next().await.unwrap().id, 3);
    for seen in ["3", "999"] {
        let answer = Answer::of(watch(&two, task).header("last-event-id", seen)).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (204, ""), "nothing more will come");
    }
}

#[tokio::test]
async fn a_change_at_another_process_arrives_by_its_hint() {
    let hive = Hive::start().await;
    let (one, two) = (hive.api().await, hive.api().await);
    eventually("Redis is known to answer", async || {
        (one.get("/health/ready").await.body["status"] == "ready").then_some(())
    })
    .await;
    let task = one.task(json!({ "title": "T", "duty": "noop" })).await;
    let mut reader = Reader::open(watch(&one, task)).await;
    reader.next().await.unwrap();
    let asked = Instant::now();
    Answer::of(two.request(Method::POST, &format!("/api/v1/tasks/{task}/cancel"))).await;
    assert_eq!(reader.next().await.unwrap().event, "task.cancelled");
    // Without the hint the reader looks by itself after 5 s.
    assert!(asked.elapsed() < Duration::from_secs(4), "it took {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_task_that_was_reopened_has_events_after_its_end() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let (url, _) = hive.repository();
    let checks = json!([{ "command": "true" }]);
    let task = api.task(json!({ "title": "T", "repository": { "url": url }, "acceptance": checks })).await;
    let lease = hive.store.claim(task, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    let fail =
        Outcome::Fail { reason: StatusReason::TurnLimit, detail: String::new(), partial: Box::default() };
    hive.store.settle(&lease, &fail).await.unwrap();
    Answer::of(api.request(Method::POST, &format!("/api/v1/tasks/{task}/complete"))).await;
    let mut reader = Reader::open(watch(&api, task)).await;
    let kinds = reader.kinds(4).await;
    assert_eq!(kinds, ["task.created", "task.started", "task.failed", "task.completion_requested"]);
    finish(&hive, task).await;
    assert_eq!(reader.kinds(2).await, ["task.started", "task.succeeded"]);
    assert_eq!(reader.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_redis_is_away_or_was_emptied() {
    let mut redis = PrivateRedis::start().unwrap();
    let hive = Hive::over(redis.url()).await;
    let api = hive.api().await;
    let task = api.task(json!({ "title": "T", "duty": "noop" })).await;
    let mut reader = Reader::open(watch(&api, task)).await;
    assert_eq!(reader.next().await.unwrap().id, 1);

    flush_all(redis.url());
    let lease = hive.store.claim(task, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    assert_eq!(reader.next().await.unwrap().event, "task.started");

    redis.kill();
    let wait =
        Outcome::Wait { after: Duration::ZERO, reason: StatusReason::RateLimited, detail: String::new() };
    hive.store.settle(&lease, &wait).await.unwrap();
    assert_eq!(reader.next().await.unwrap().event, "task.waiting");
    let accepted = api.post("/api/v1/tasks", json!({ "title": "Without Redis", "duty": "noop" })).await;
    assert_eq!(accepted.status, 201, "a task is accepted while Redis is away");

    redis.start(RedisData::Wipe).unwrap();
    let cancelled = Answer::of(api.request(Method::POST, &format!("/api/v1/tasks/{task}/cancel"))).await;
    assert_eq!(cancelled.status, 200);
    let last = reader.next().await.unwrap();
    assert_eq!((last.id, last.event.as_str()), (4, "task.cancelled"));
    assert_eq!(reader.next().await, None);
}

/// Says FLUSHALL to the Redis at `url`, which is `redis+unix://<socket>?pass=<password>`.
fn flush_all(url: &str) {
    let (socket, password) = url.strip_prefix("redis+unix://").unwrap().split_once("?pass=").unwrap();
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("AUTH {password}\r\nFLUSHALL\r\nQUIT\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "+OK\r\n+OK\r\n+OK\r\n");
}

#[tokio::test]
async fn a_stopping_process_ends_its_streams() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let task = api.task(json!({ "title": "T", "duty": "noop" })).await;
    let mut reader = Reader::open(watch(&api, task)).await;
    reader.next().await.unwrap();
    let asked = Instant::now();
    api.stop().await.unwrap();
    assert_eq!(reader.next().await, None);
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
}
