//! What happens to agents, tasks, the system and its health reaches who listens, and stands in Postgres.

use std::time::{Duration, Instant};

use hive_domain::{Channel, SystemEventKind};
use hive_queue::{Notice, Subscription, agent_events};
use hive_tests::{Stream, TestHive};
use serde_json::{Value, json};
use sqlx::PgPool;

const ALL: &str = "/api/v1/events/stream?after=0";
/// What an event may take from its commit to who listens.
const SOON: Duration = Duration::from_secs(1);
/// Tries: what stops the whole machine for a while is not what is measured.
const TRIES: usize = 3;

/// The row of an event, as the stream and Redis show it.
async fn row(pool: &PgPool, seq: i64) -> Value {
    let row = sqlx::query_scalar("SELECT to_jsonb(e) - 'id' - 'at' FROM system_events e WHERE seq = $1");
    row.bind(seq).fetch_one(pool).await.unwrap()
}

fn without_time(mut event: Value) -> Value {
    assert!(event.as_object_mut().unwrap().remove("at").is_some_and(|at| at.is_string()));
    event
}

async fn message(subscription: &mut Subscription, of: &str) -> Value {
    loop {
        let notice = tokio::time::timeout(Duration::from_secs(30), subscription.recv()).await.unwrap();
        if let Notice::Message { channel, payload } = notice
            && channel == of
        {
            return serde_json::from_str(&payload).unwrap();
        }
    }
}

/// The next event of this kind.
async fn seen(stream: &mut Stream, kind: &str) -> Value {
    loop {
        let event = stream.next_whole().await.expect("the stream goes on");
        if event["kind"] == kind {
            return event;
        }
    }
}

fn channel_of(kind: SystemEventKind) -> Channel {
    use SystemEventKind::{HealthChecked, HealthDegraded, HealthDown, HealthUp, WorkerLost, WorkerReturned};
    let of_health = [HealthChecked, HealthDegraded, HealthDown, HealthUp, WorkerLost, WorkerReturned];
    if of_health.contains(&kind) { Channel::HealthChecks } else { Channel::SystemEvents }
}

#[tokio::test]
async fn each_kind_reaches_who_listens_within_a_second_and_stands_in_postgres() {
    let hive = TestHive::builder().start().await;
    let mut slowest = Duration::ZERO;
    for kind in SystemEventKind::ALL {
        let (channel, subject) = (channel_of(*kind).as_str(), format!("story {kind}"));
        let path = format!(
            "/api/v1/events/stream?channel={channel}&kind={kind}&subject={}",
            subject.replace(' ', "%20")
        );
        let mut stream = hive.watch_path(0, &path, Some(0)).await.unwrap();
        let mut redis = hive.listen(&[channel]);
        assert_eq!(redis.recv().await, Notice::Gap, "the subscription holds");
        let mut tries = Vec::new();
        for number in 0..TRIES {
            sqlx::query("SELECT tell_system($1, $2, $3, $4)")
                .bind(channel)
                .bind(kind.as_str())
                .bind(&subject)
                .bind(json!({ "try": number }))
                .execute(&hive.pool)
                .await
                .unwrap();
            let committed = Instant::now();
            let streamed = stream.next_whole().await.unwrap();
            let told = loop {
                let told = message(&mut redis, channel).await;
                if told["subject"] == subject.as_str() {
                    break told;
                }
            };
            let took = committed.elapsed();
            assert_eq!(streamed, told, "Redis tells what the stream tells");
            assert_eq!(streamed["data"]["try"], number);
            let seq = streamed["seq"].as_i64().unwrap();
            assert_eq!(without_time(streamed), row(&hive.pool, seq).await);
            tries.push(took);
            if took < SOON {
                break;
            }
        }
        let best = tries.iter().min().unwrap();
        assert!(*best < SOON, "{kind}: {tries:?}");
        slowest = slowest.max(*best);
    }
    println!("slowest of {} kinds: {slowest:?}", SystemEventKind::ALL.len());
}

#[tokio::test]
async fn what_people_and_processes_do_is_told_on_its_channel() {
    let mut hive = TestHive::builder().start().await;
    let mut stream = hive.watch_path(0, ALL, None).await.unwrap();
    for of in ["api@", "worker@", "scheduler@"] {
        let mut from_start =
            hive.watch_path(0, "/api/v1/events/stream?after=0&kind=process.started", None).await.unwrap();
        loop {
            let event = from_start.next_whole().await.unwrap();
            if event["subject"].as_str().unwrap().starts_with(of) {
                break;
            }
        }
    }
    seen(&mut stream, "worker.came").await;
    let (code, _) =
        hive.post("/api/v1/queue/pause", &json!({ "scope": "lane", "name": "low", "mode": "drain" })).await;
    assert_eq!(code, 200);
    let drained = seen(&mut stream, "queue.drained").await;
    assert_eq!(
        (&drained["subject"], &drained["data"]["paused_by"]),
        (&json!("lane:low"), &json!("operator"))
    );
    let (code, _) = hive.post("/api/v1/queue/resume", &json!({ "scope": "lane", "name": "low" })).await;
    assert!(code < 300, "{code}");
    assert_eq!(seen(&mut stream, "queue.resumed").await["subject"], "lane:low");

    let shown = hive.says_json(&["events", "--kind", "queue.drained", "--limit", "1"]).await;
    assert_eq!(shown["items"], json!([drained]));
    assert!(hive.says(&["events", "--subject", "lane:low"]).await.contains("queue.resumed lane:low"));

    // The channels of tasks and agents.
    let agent = hive.get("/api/v1/agents").await["items"][0]["id"].as_str().unwrap().to_owned();
    let mut redis = hive.listen(&["task_updates", &agent_events(&agent)]);
    assert_eq!(redis.recv().await, Notice::Gap);
    let task = hive.post_task(json!({ "title": "Told", "duty": "noop" })).await;
    assert_eq!(message(&mut redis, "task_updates").await["task_id"], task.to_string());
    hive.wait_succeeded(task, 30).await;
    let (code, _) = hive.post("/api/v1/system/sleep", &json!({ "agent_ids": [agent] })).await;
    assert_eq!(code, 202);
    assert_eq!(message(&mut redis, &agent_events(&agent)).await["state"], "falling_asleep");
    for kind in ["agent.falling_asleep", "agent.asleep", "agent.waking", "agent.awake"] {
        assert_eq!(seen(&mut stream, kind).await["subject"], agent.as_str(), "{kind}");
    }

    // A worker that ends in good order, and one that does not.
    let orderly = hive.start_worker().await;
    hive.workers[orderly].ask_to_end();
    seen(&mut stream, "worker.left").await;
    let killed = hive.start_worker().await;
    let came = seen(&mut stream, "worker.came").await;
    hive.workers[killed].kill9();
    let lost = seen(&mut stream, "worker.lost").await;
    assert_eq!((&lost["subject"], &lost["channel"]), (&came["subject"], &json!("health_checks")));
    let degraded = loop {
        let event = seen(&mut stream, "health.degraded").await;
        if event["subject"] == "workers" {
            break event;
        }
    };
    assert_eq!(degraded["data"]["reason"], "1 fell silent in the last ten minutes");
}

#[tokio::test]
async fn without_redis_a_stream_that_breaks_loses_and_doubles_nothing() {
    const WRITERS: i64 = 4;
    const EACH: i64 = 60;
    let mut hive = TestHive::builder().apis(2).own_redis().start().await;
    let mut stream = hive.watch_path(0, ALL, None).await.unwrap();
    let mut seen: Vec<Value> = vec![stream.next_whole().await.unwrap()];
    hive.flush_redis();
    hive.kill_redis();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let pool = hive.pool.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    // Longer and shorter transactions, so that later ones end earlier.
                    let mut tx = pool.begin().await.unwrap();
                    sqlx::query(
                        "SELECT tell_system('system_events', 'queue.paused', 'story', $1), pg_sleep($2)",
                    )
                    .bind(json!({ "writer": writer, "number": number }))
                    .bind(if (writer + number) % 3 == 0 { 0.03 } else { 0.0 })
                    .execute(&mut *tx)
                    .await
                    .unwrap();
                    tx.commit().await.unwrap();
                }
            })
        })
        .collect();
    let of_story = |seen: &[Value]| seen.iter().filter(|event| event["subject"] == "story").count();
    let wanted = usize::try_from(WRITERS * EACH).unwrap();
    let mut turn = 0;
    while of_story(&seen) < wanted {
        for _ in 0..25 {
            if of_story(&seen) == wanted {
                break;
            }
            seen.push(stream.next_whole().await.unwrap());
        }
        turn += 1;
        let last = seen.last().unwrap()["seq"].as_i64();
        stream = hive.watch_path(turn % 2, ALL, last).await.unwrap();
        if turn == 3 {
            hive.start_redis();
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let numbers: Vec<i64> = seen.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(
        numbers,
        (1..=i64::try_from(seen.len()).unwrap()).collect::<Vec<_>>(),
        "each once and in order"
    );
    for event in seen {
        let seq = event["seq"].as_i64().unwrap();
        assert_eq!(without_time(event), row(&hive.pool, seq).await);
    }
    let down = hive.get("/api/v1/events?kind=health.down&subject=redis").await;
    assert!(!down["items"].as_array().unwrap().is_empty(), "that Redis was away is told");
    if turn < 3 {
        hive.start_redis();
    }
}
