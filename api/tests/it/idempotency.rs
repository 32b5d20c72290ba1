//! A request that is sent again has no second effect and gets the first one's answer.

use hive_domain::{
    TaskStatus,
    journal::{Entry, Note, NoteCause},
};
use hive_local::{RedisData, testing::PrivateRedis};
use hive_store::{Claimant, NewStep};
use reqwest::Method;
use serde_json::{Value, json};

use crate::hive::{Answer, Api, Hive, TOKEN};

const TASKS: &str = "/api/v1/tasks";

fn noop(title: &str) -> Value {
    json!({ "title": title, "duty": "noop" })
}

async fn rows(hive: &Hive) -> usize {
    hive.tasks().await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_over_two_processes_make_one_task() {
    let hive = Hive::start().await;
    let apis = [hive.api().await, hive.api().await];
    let mut requests = tokio::task::JoinSet::new();
    for n in 0..50 {
        let (client, url) = (apis[n % 2].client.clone(), format!("{}{TASKS}", apis[n % 2].url));
        requests.spawn(async move {
            // A database that is slow to answer is no reason to fail: that is what the key is for.
            loop {
                let request =
                    client.post(&url).bearer_auth(TOKEN).header("idempotency-key", "once").json(&noop("T"));
                let answer = Answer::of(request).await;
                if answer.status != 503 {
                    return answer;
                }
            }
        });
    }
    let answers = requests.join_all().await;
    let stored = hive.tasks().await;
    assert_eq!(stored.len(), 1);
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.text), (201, &answers[0].text));
        assert_eq!(answer.header("location"), format!("/api/v1/tasks/{}", stored[0].id));
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let replayed = answers.iter().filter(|answer| answer.headers.contains_key("idempotency-replayed"));
    assert_eq!(replayed.count(), 49);
    assert_eq!(hive.queue.depth().await.unwrap().iter().sum::<u64>(), 1, "one ticket");
}

#[tokio::test]
async fn the_answer_outlives_the_process_and_redis() {
    let mut redis = tokio::task::spawn_blocking(|| PrivateRedis::start().unwrap()).await.unwrap();
    let hive = Hive::over(redis.url()).await;
    let api = hive.api().await;
    let first = api.post_keyed(TASKS, "k", noop("T")).await;
    assert_eq!(first.status, 201, "{first:?}");
    api.stop().await.unwrap();
    let redis = tokio::task::spawn_blocking(move || {
        redis.kill();
        redis.start(RedisData::Wipe).unwrap();
        redis
    })
    .await
    .unwrap();
    // What became of the task since does not change what was answered.
    let id = first.body["id"].as_str().unwrap().parse().unwrap();
    hive.store.cancel(id, "test").await.unwrap();
    let api = hive.api().await;
    let again = api.post_keyed(TASKS, "k", noop("T")).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(rows(&hive).await, 1);
    drop(redis);
}

#[tokio::test]
async fn the_same_key_for_something_else_is_refused() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    assert_eq!(api.post_keyed(TASKS, "k", noop("T")).await.status, 201);
    api.post_keyed(TASKS, "k", noop("Other")).await.problem(422, "idempotency_key_reused");
    let id = hive.tasks().await[0].id;
    let elsewhere = api.post_keyed(&format!("{TASKS}/bulk"), "k", json!({ "tasks": [noop("T")] })).await;
    elsewhere.problem(422, "idempotency_key_reused");
    let cancel = format!("{TASKS}/{id}/cancel");
    let answer = Answer::of(api.request(Method::POST, &cancel).header("idempotency-key", "k")).await;
    answer.problem(422, "idempotency_key_reused");
    assert_eq!(rows(&hive).await, 1);
    assert_eq!(hive.store.task(id).await.unwrap().status, TaskStatus::Ready);
}

#[tokio::test]
async fn what_was_refused_is_not_remembered() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let ahead = uuid::Uuid::now_v7();
    let body = json!({ "title": "T", "duty": "noop", "dependencies": [ahead] });
    for _ in 0..2 {
        let refused = api.post_keyed(TASKS, "k", body.clone()).await;
        refused.problem(422, "validation_failed");
        assert_eq!(refused.places(), ["/dependencies"]);
    }
    let bad = api.post_keyed(TASKS, "k", json!({ "title": "" })).await;
    bad.problem(422, "validation_failed");
    assert_eq!(api.post_keyed(TASKS, "k", noop("T")).await.status, 201, "the key is still free");
    assert_eq!(rows(&hive).await, 1);
}

#[tokio::test]
async fn a_key_is_a_short_visible_text() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let longest = "k".repeat(255);
    assert_eq!(api.post_keyed(TASKS, &longest, noop("T")).await.status, 201);
    let too_long = "k".repeat(256);
    for key in ["", " ", "two words", "t\u{e4}glich", too_long.as_str()] {
        let answer = api.post_keyed(TASKS, key, noop("T")).await;
        answer.problem(400, "invalid_idempotency_key");
    }
    let request =
        api.request(Method::POST, TASKS).header("idempotency-key", "a").header("idempotency-key", "b");
    Answer::of(request.json(&noop("T"))).await.problem(400, "invalid_idempotency_key");
    assert_eq!(rows(&hive).await, 1);
}

/// Each way to change tasks: the second time changes nothing and answers the same.
#[tokio::test]
async fn every_change_of_tasks_can_be_sent_again() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    let (one, other) = (api.task(noop("One")).await, api.task(noop("Other")).await);
    let bulk = json!({ "tasks": [noop("A"), noop("B")] });
    let twice = async |key: &str, method: Method, path: String, body: Value| {
        let send = async |api: &Api| {
            let request = api.request(method.clone(), &path).header("idempotency-key", key);
            Answer::of(if body.is_null() { request } else { request.json(&body) }).await
        };
        let first = send(&api).await;
        let before = everything(&hive).await;
        let second = send(&hive.api().await).await;
        assert!(first.status.is_success(), "{first:?}");
        assert_eq!((first.status, &first.text), (second.status, &second.text), "{path}");
        assert_eq!(everything(&hive).await, before, "{path} had a second effect");
        first
    };
    twice("1", Method::POST, format!("{TASKS}/bulk"), bulk).await;
    twice("2", Method::POST, format!("{TASKS}/{one}/dependencies"), json!({ "depends_on": [other] })).await;
    twice("3", Method::PATCH, format!("{TASKS}/{other}"), json!({ "priority": 2 })).await;
    twice("4", Method::POST, format!("{TASKS}/{other}/cancel"), Value::Null).await;
    let again = twice("5", Method::POST, format!("{TASKS}/{other}/retry"), Value::Null).await;
    assert_eq!(again.body["redriven_from"], json!(other));
    let filter = json!({ "status": ["ready"] });
    let action = json!({ "action": "cancel", "filter": filter });
    let accepted = twice("6", Method::POST, format!("{TASKS}/actions"), action).await;
    assert_eq!(accepted.status, 202);
}

/// All tasks and events, as far as a second effect would show.
async fn everything(hive: &Hive) -> Vec<(hive_domain::TaskId, i64, TaskStatus)> {
    hive.tasks().await.into_iter().map(|task| (task.id, task.event_seq, task.status)).collect()
}

#[tokio::test]
async fn a_fork_and_a_message_that_are_sent_again_are_made_once() {
    let hive = Hive::start().await;
    let api = hive.api().await;
    hive.agent("backend", "Ada").await;
    let id = api.task(json!({ "title": "T" })).await;
    let mut lease = hive.store.claim(id, 0, &Claimant::ordinary("w")).await.unwrap().unwrap();
    let note = Entry::Note(Note { cause: NoteCause::Empty, text: "one".to_owned() });
    hive.store.append(&mut lease, &NewStep::plain(&note)).await.unwrap();
    let fork = format!("{TASKS}/{id}/fork");
    let messages = format!("{TASKS}/{id}/messages");
    for (path, key, body, other) in [
        (&fork, "f", json!({ "from_step": 1 }), json!({ "from_step": 1, "title": "Other" })),
        (&messages, "m", json!({ "text": "Stop." }), json!({ "text": "Go." })),
    ] {
        let first = api.post_keyed(path, key, body.clone()).await;
        assert_eq!(first.status, 201, "{first:?}");
        let again = api.post_keyed(path, key, body).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert_eq!(again.header("idempotency-replayed"), "true");
        api.post_keyed(path, key, other).await.problem(422, "idempotency_key_reused");
    }
    assert_eq!(rows(&hive).await, 2, "the task and its fork");
    assert_eq!(hive.store.messages(id, 0, 10).await.unwrap().len(), 1);
}
