//! A thousand messages while processes of every kind are killed: none is lost, and no agent sees one twice.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use hive_store::{Store, verify::Scope};
use hive_tests::{TestHive, rules, spoken, within};
use serde_json::{Value, json};
use uuid::Uuid;

const MESSAGES: usize = 1_000;
/// Conversations, each with a sender of its own that writes one message after the other.
const CONVERSATIONS: usize = 20;
/// Processes that are killed at least, while messages are sent and read.
const KILLS: usize = 12;

/// What every sender knows.
#[derive(Clone)]
struct Post {
    http: reqwest::Client,
    token: &'static str,
    /// Of the api processes that live.
    doors: Arc<Mutex<Vec<String>>>,
}

impl Post {
    /// Sends until it is accepted, to whoever answers.
    async fn send(&self, body: &Value, key: &str, dice: &mut Dice) -> Value {
        loop {
            let door = {
                let doors = self.doors.lock().unwrap();
                doors[dice.below(doors.len())].clone()
            };
            let request = self.http.post(format!("{door}/api/v1/messages/send")).bearer_auth(self.token);
            let sent =
                request.header("idempotency-key", key).json(body).timeout(Duration::from_secs(20)).send();
            if let Ok(answer) = sent.await {
                let status = answer.status();
                // A door that is killed may break off in its answer.
                if let Ok(sent) = answer.json::<Value>().await {
                    match status.as_u16() {
                        201 => return sent,
                        503 => {}
                        409 if sent["code"] == "inbox_full" => {}
                        _ => panic!("{status}: {sent:#}"),
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Chance that is the same in each run.
struct Dice(u64);

impl Dice {
    fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most
    }
}

fn marker(conversation: usize, index: usize) -> String {
    format!("mark-{conversation}-{index};")
}

#[tokio::test]
async fn a_thousand_messages_arrive_once_while_everything_is_killed() {
    let script = rules(json!([
        { "name": "read", "when": { "first_text": "Message from" }, "tools": [{ "name": "finish", "input": { "summary": "Read." } }] },
    ]));
    let mut hive = TestHive::builder().script(script).apis(2).workers(2).schedulers(2).start().await;
    let agents: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM agents ORDER BY name").fetch_all(&hive.pool).await.unwrap();
    let doors = hive.apis.iter().map(|api| api.url().to_owned()).collect();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = Post { http, token: hive.token(), doors: Arc::new(Mutex::new(doors)) };
    let mut senders = tokio::task::JoinSet::new();
    for conversation in 0..CONVERSATIONS {
        let (post, to) = (post.clone(), agents[conversation % agents.len()]);
        senders.spawn(async move {
            let mut dice = Dice::new(conversation);
            let (mut accepted, mut thread) = (Vec::new(), Value::Null);
            for index in 0..MESSAGES / CONVERSATIONS {
                let body = json!({ "to_agent_id": to, "content": marker(conversation, index), "conversation_id": thread });
                let sent = post.send(&body, &format!("{conversation}-{index}"), &mut dice).await;
                thread = sent["conversation_id"].clone();
                accepted.push((sent["number"].as_i64().unwrap(), marker(conversation, index)));
                tokio::time::sleep(Duration::from_millis(dice.below(400) as u64)).await;
            }
            accepted
        });
    }
    let mut dice = Dice::new(7_777);
    let mut living = Living { apis: vec![0, 1], workers: vec![0, 1] };
    let mut kills: BTreeMap<&str, usize> = BTreeMap::new();
    let senders = tokio::spawn(senders.join_all());
    while !senders.is_finished() || kills.values().sum::<usize>() < KILLS {
        tokio::time::sleep(Duration::from_millis(700 + dice.below(1_300) as u64)).await;
        *kills.entry(strike(&mut hive, &mut living, &post, &mut dice).await).or_default() += 1;
    }
    let accepted = senders.await.unwrap();
    println!("killed: {kills:?}");
    // Tasks that were there when two workers died are left to a worker of its own.
    hive.set_worker_env("HIVE_ISOLATED", "true");
    hive.start_worker().await;

    let open = "SELECT count(*) FROM message_deliveries WHERE state <> 'acknowledged'";
    let left = async || {
        let open: i64 = sqlx::query_scalar(open).fetch_one(&hive.pool).await.unwrap();
        (open == 0).then_some(())
    };
    within(Duration::from_secs(240), "everything is read", left).await;
    let busy = "SELECT count(*) FROM tasks WHERE status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')";
    let ended = async || {
        let busy: i64 = sqlx::query_scalar(busy).fetch_one(&hive.pool).await.unwrap();
        (busy == 0).then_some(())
    };
    within(Duration::from_secs(120), "all tasks end", ended).await;
    look(&hive, &accepted).await;
}

/// The processes that live, by their places.
struct Living {
    apis: Vec<usize>,
    workers: Vec<usize>,
}

/// Kills a process of some kind and starts another.
async fn strike(hive: &mut TestHive, living: &mut Living, post: &Post, dice: &mut Dice) -> &'static str {
    if dice.below(3) == 0 {
        let index = hive.start_api().await;
        let victim = living.apis.remove(dice.below(living.apis.len()));
        living.apis.push(index);
        // Only then taken from the list: senders meet a door that is gone.
        hive.apis[victim].kill9();
        let doors = living.apis.iter().map(|index| hive.apis[*index].url().to_owned());
        *post.doors.lock().unwrap() = doors.collect();
        "api"
    } else {
        let victim = living.workers.remove(dice.below(living.workers.len()));
        hive.workers[victim].kill9();
        hive.launch_worker();
        living.workers.push(hive.workers.len() - 1);
        "worker"
    }
}

async fn look(hive: &TestHive, accepted: &[Vec<(i64, String)>]) {
    // Accepted once, in the order in which each sender wrote.
    let stored: Vec<(String, i64)> =
        sqlx::query_as("SELECT content, number FROM conversations ORDER BY thread_id, number")
            .fetch_all(&hive.pool)
            .await
            .unwrap();
    assert_eq!(stored.len(), MESSAGES, "none lost, none twice");
    let numbers: HashMap<&str, i64> =
        stored.iter().map(|(content, number)| (content.as_str(), *number)).collect();
    for conversation in accepted {
        for (place, (number, content)) in (1..).zip(conversation) {
            assert_eq!((*number, numbers[content.as_str()]), (place, place), "{content}");
        }
    }
    // In one journal entry each, whatever died.
    let seen: Vec<(String, Uuid, i32, i64)> = sqlx::query_as(
        "SELECT body ->> 'text', task_id, seq, (body ->> 'number')::bigint FROM steps WHERE kind = 'agent_message'
         ORDER BY task_id, seq",
    )
    .fetch_all(&hive.pool)
    .await
    .unwrap();
    let texts: HashSet<&str> = seen.iter().map(|(text, ..)| text.as_str()).collect();
    assert_eq!((seen.len(), texts.len()), (MESSAGES, MESSAGES), "0 lost, 0 seen twice");
    let mut last: HashMap<(Uuid, &str), i64> = HashMap::new();
    for (text, task, _, number) in &seen {
        let conversation = text.rsplit_once('-').unwrap().0;
        let before = last.insert((*task, conversation), *number);
        assert!(before.is_none_or(|before| before < *number), "{text} in task {task} follows {before:?}");
    }
    // And the model: each message in the requests of one task, once in each of them.
    let mut readers: HashMap<String, String> = HashMap::new();
    let mark = regex::Regex::new(r"mark-\d+-\d+;").unwrap();
    for request in hive.double.requests() {
        let (text, mut in_it) = (spoken(&request), HashSet::new());
        for found in mark.find_iter(&text) {
            assert!(
                in_it.insert(found.as_str().to_owned()),
                "{} stands in one request twice",
                found.as_str()
            );
            let user = request.user_id.clone().unwrap();
            let reader = readers.entry(found.as_str().to_owned()).or_insert_with(|| user.clone());
            assert_eq!(*reader, user, "{} was seen by two tasks", found.as_str());
        }
    }
    assert_eq!(readers.len(), MESSAGES, "every message was read by a model");
    let store = Store::connect_lazy(&hive_store::Config::new(hive.store_urls()[0].clone())).unwrap();
    let mut checked = store.verify(Scope::All).await.unwrap();
    checked.extend(store.verify_messages().await.unwrap());
    for check in checked {
        assert_eq!(check.found, 0, "{}: {:#?}", check.name, check.violations);
    }
    store.close().await;
}
