//! Requests that can wait go out in batches for half the price: each is answered and booked once, whatever is killed.

use std::time::Duration;

use hive_claude::{BatchReply, Block, Request, RequestMessage};
use hive_domain::{BatchRequestState, BudgetPeriod, BudgetScope, NanoUsd};
use hive_store::{BatchAnswer, BudgetKey, NewBatchRequest, Store};
use hive_tests::{Detour, Keeps, TestHive, answer, finish, rules, within};
use serde_json::{Value, json};
use uuid::Uuid;

const MODEL: &str = "claude-haiku-5-5";
/// The machine is shared.
const SOON: Duration = Duration::from_secs(90);
const DAY: Duration = Duration::from_secs(86_400);

/// A hive without workers yet, whose batches go out at once and are looked at often.
async fn hive() -> TestHive {
    let script = rules(json!([
        answer("Awake", 0, json!([finish("Done.")])),
        { "name": "said", "say": "said {{last_text}}" },
    ]));
    TestHive::builder()
        .script(script)
        .workers(0)
        .worker_env("HIVE_BATCH_AFTER_SECONDS", "0.2")
        .worker_env("HIVE_BATCH_POLL_SECONDS", "0.2")
        .start()
        .await
}

fn store(hive: &TestHive) -> Store {
    Store::connect_lazy(&hive_store::Config::new(hive.store_urls()[0].clone())).unwrap()
}

fn body(text: &str) -> String {
    let mut request = Request::new(MODEL, 200);
    request.messages.push(RequestMessage::user(serde_json::value::to_raw_value(text).unwrap()));
    request.batch_body().unwrap()
}

/// Queues so many requests, of no task.
async fn queue(store: &Store, count: usize) -> Vec<Uuid> {
    let request = |nth| NewBatchRequest {
        id: Uuid::now_v7(),
        purpose: "a story".to_owned(),
        model: MODEL.to_owned(),
        body: body(&format!("text {nth}")),
        project: None,
        task: None,
        agent: None,
        session: None,
    };
    let requests: Vec<_> = (0..count).map(request).collect();
    assert_eq!(store.queue_batch_requests(&requests).await.unwrap(), count as u64);
    requests.into_iter().map(|request| request.id).collect()
}

/// All of them, once each stands in this state.
async fn all(store: &Store, ids: &[Uuid], state: BatchRequestState) -> Vec<BatchAnswer> {
    within(SOON, &format!("all are {state}"), async || {
        let answers = store.batch_answers(ids).await.unwrap();
        let here = answers.iter().filter(|answer| answer.state == state).count();
        (here == ids.len()).then_some(answers)
    })
    .await
}

/// The states of the batches, the oldest first, once none of them is open.
async fn ended(store: &Store) -> Vec<String> {
    within(SOON, "no batch is open", async || {
        let batches = store.batches(None, 100).await.unwrap();
        let states: Vec<_> = batches.iter().rev().map(|batch| batch.state.to_string()).collect();
        batches.iter().all(|batch| batch.ended_at.is_some()).then_some(states)
    })
    .await
}

/// How many batches the double was asked to create, by us.
fn creations(hive: &TestHive) -> usize {
    let paths = hive.double.requests().into_iter().filter(|kept| kept.path == "/v1/messages/batches");
    paths.filter(|kept| !kept.body.to_string().contains("somebody else")).count()
}

/// How long batches take from now on.
async fn batches_take(hive: &TestHive, time: Duration) {
    let url = format!("{}/_double/batches", hive.double.url());
    let body = format!("{{ seconds: {} }}", time.as_secs());
    let set = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    assert!(set.status().is_success(), "{set:?}");
}

/// What the double charged in batches, at half the price.
fn charged(hive: &TestHive) -> (usize, i64) {
    let ledger = hive.double.ledger();
    let ours = ledger.iter().filter(|call| call.batch.is_some());
    let cost = |call: &hive_double::Call| {
        assert_eq!(call.price_percent, 50);
        let usage = hive_claude::Usage {
            input_tokens: call.usage.input_tokens,
            output_tokens: call.usage.output_tokens,
            cache_read_input_tokens: call.usage.cache_read_input_tokens,
            cache_creation_input_tokens: call.usage.cache_creation_input_tokens,
            ..hive_claude::Usage::default()
        };
        let whole = hive_claude::cost(&call.model, &usage).unwrap().0;
        whole / 2 + whole % 2
    };
    (ours.clone().count(), ours.map(cost).sum())
}

/// The ledger here is that of the double: all of it when no task called.
async fn assert_booked(hive: &TestHive, store: &Store, answers: &[BatchAnswer]) {
    let (calls, cost) = charged(hive);
    assert_eq!(calls, answers.len(), "each was asked once");
    assert_eq!(answers.iter().map(|answer| answer.usage.cost.0).sum::<i64>(), cost);
    let total = hive.get("/api/v1/usage").await["total"].clone();
    assert_eq!((&total["cost_nano_usd"], &total["unknown_calls"]), (&json!(cost), &json!(0)), "{total:#}");
    assert_whole(store).await;
}

async fn assert_whole(store: &Store) {
    for check in store.verify_budgets().await.unwrap() {
        assert_eq!(check.found, 0, "{}: {:?}", check.name, check.violations);
    }
}

#[tokio::test]
async fn a_batch_is_booked_once_at_half_price_and_holds_up_no_task() {
    let mut hive = hive().await;
    let store = store(&hive);
    let org = BudgetKey { scope: BudgetScope::Org, target: Uuid::nil(), period: BudgetPeriod::Total };
    store.set_budget(org, NanoUsd::from_usd(5.0).unwrap(), "ada").await.unwrap();
    batches_take(&hive, Duration::from_secs(3_600)).await;
    let ids = queue(&store, 40).await;
    hive.start_worker().await;
    all(&store, &ids, BatchRequestState::Sent).await;
    within(SOON, "the batch is created", async || {
        (store.batches(None, 1).await.unwrap()[0].provider_id.is_some()).then_some(())
    })
    .await;
    let reserved = store.budgets(None, 10).await.unwrap()[0].budget.reserved;
    assert!(reserved > NanoUsd(0), "what it may cost is reserved");

    let task = hive.post_task(json!({ "title": "Awake" })).await;
    hive.wait_succeeded(task, 60).await;
    let open = hive.get("/api/v1/batches").await;
    assert_eq!(
        (&open["items"][0]["state"], &open["waiting"]["sent"]),
        (&json!("created"), &json!(40)),
        "the task ended beside the open batch: {open:#}"
    );
    within(SOON, "the scheduler counts them", async || {
        let metrics = hive.page(hive.schedulers[0].url(), "/metrics").await;
        metrics.lines().any(|line| line == "hive_batch_requests{standing=\"sent\"} 40").then_some(())
    })
    .await;

    hive.double.advance(Duration::from_secs(3_600));
    let answers = all(&store, &ids, BatchRequestState::Succeeded).await;
    assert_eq!(ended(&store).await, ["ended"]);
    for (nth, answer) in answers.iter().enumerate() {
        let reply = BatchReply::read(answer.result.as_ref().unwrap()).unwrap();
        let said = format!("said text {nth}");
        assert!(matches!(&reply.message.content[..], [Block::Text { text }] if *text == said), "{reply:?}");
    }
    let (calls, cost) = charged(&hive);
    assert_eq!((calls, creations(&hive)), (40, 1));
    assert_eq!(answers.iter().map(|answer| answer.usage.cost.0).sum::<i64>(), cost);
    let of_task = hive.charged(task).cost_nano_usd;
    let usage = hive.get("/api/v1/usage?group_by=model").await;
    assert_eq!(usage["total"]["cost_nano_usd"], json!(cost + of_task), "{usage:#}");
    let haiku = usage["items"].as_array().unwrap().iter().find(|sum| sum["key"] == MODEL).unwrap();
    assert_eq!((&haiku["calls"], &haiku["cost_nano_usd"]), (&json!(40), &json!(cost)), "{usage:#}");
    let budget = store.budgets(None, 10).await.unwrap()[0].budget.clone();
    assert_eq!((budget.spent, budget.reserved), (NanoUsd(cost + of_task), NanoUsd(0)));
    assert_whole(&store).await;
    let said = hive.says(&["batch", "list"]).await;
    let dollars = format!("{}.{:09}", cost / 1_000_000_000, cost % 1_000_000_000);
    assert!(said.contains("0 requests wait for a batch") && said.contains(&dollars), "{said}");
    assert_eq!(hive.says_json(&["batch", "list"]).await["items"][0]["answered"], 40);
}

#[tokio::test]
async fn a_worker_killed_before_the_creation_leaves_its_requests_to_the_next() {
    let mut hive = hive().await;
    let store = store(&hive);
    let detour = Detour::before_double(&hive, Keeps::Request).await;
    hive.set_worker_env("ANTHROPIC_BASE_URL", &detour.url());
    let ids = queue(&store, 5).await;
    hive.start_worker().await;
    within(SOON, "the creation is on its way", async || (detour.kept() == 1).then_some(())).await;
    hive.workers[0].kill9();
    all(&store, &ids, BatchRequestState::Sent).await;
    assert_eq!(creations(&hive), 0);

    // A key elsewhere is another key, and sees other batches: the next worker goes the same way.
    detour.open();
    hive.start_worker().await;
    let answers = all(&store, &ids, BatchRequestState::Succeeded).await;
    assert_eq!(ended(&store).await, ["unsent", "ended"]);
    assert!(answers.iter().all(|answer| answer.tries == 1), "what was not sent is no try");
    assert_eq!(creations(&hive), 1);
    // The tries that were not sent stand in the ledger as failed, and cost nothing.
    assert_booked(&hive, &store, &answers).await;
}

#[tokio::test]
async fn what_another_key_may_see_is_not_sent_again() {
    let mut hive = hive().await;
    let store = store(&hive);
    let detour = Detour::before_double(&hive, Keeps::Request).await;
    let direct = hive.double.url();
    hive.set_worker_env("ANTHROPIC_BASE_URL", &detour.url());
    let ids = queue(&store, 2).await;
    hive.start_worker().await;
    within(SOON, "the creation is on its way", async || (detour.kept() == 1).then_some(())).await;
    hive.workers[0].kill9();
    hive.set_worker_env("ANTHROPIC_BASE_URL", &direct);
    // Past the time after which a batch of its own key would be given up.
    let age = "UPDATE batches SET created_at = created_at - interval '1 hour'";
    sqlx::query(age).execute(&hive.pool).await.unwrap();
    hive.start_worker().await;
    let detail = within(SOON, "it says what it cannot decide", async || {
        hive.get("/api/v1/batches").await["items"][0]["detail"].as_str().map(str::to_owned)
    })
    .await;
    assert!(detail.contains("another key"), "{detail}");
    let age = "UPDATE batches SET created_at = created_at - interval '25 hours', next_poll_at = now()";
    sqlx::query(age).execute(&hive.pool).await.unwrap();
    let answers = all(&store, &ids, BatchRequestState::Succeeded).await;
    assert_eq!((ended(&store).await, creations(&hive)), (vec!["lost".to_owned(), "ended".to_owned()], 1));
    assert!(
        answers.iter().all(|answer| answer.tries == 2 && answer.unknown_cost > NanoUsd(0)),
        "{answers:?}"
    );
    assert_whole(&store).await;
}

#[tokio::test]
async fn a_batch_whose_worker_was_killed_behind_the_creation_is_found_and_not_sent_twice() {
    let mut hive = hive().await;
    let store = store(&hive);
    let detour = Detour::before_double(&hive, Keeps::Answer).await;
    let direct = hive.double.url();
    hive.set_worker_env("ANTHROPIC_BASE_URL", &detour.url());
    let ids = queue(&store, 5).await;
    hive.start_worker().await;
    within(SOON, "the batch is created, and nobody knows", async || (detour.kept() == 1).then_some(())).await;
    hive.workers[0].kill9();
    assert_eq!(
        (creations(&hive), store.batches(None, 9).await.unwrap()[0].provider_id.as_deref()),
        (1, None)
    );

    hive.set_worker_env("ANTHROPIC_BASE_URL", &direct);
    hive.start_worker().await;
    let answers = all(&store, &ids, BatchRequestState::Succeeded).await;
    assert_eq!(ended(&store).await, ["ended"]);
    assert_eq!(creations(&hive), 1, "it was not sent twice");
    assert_booked(&hive, &store, &answers).await;
}

#[tokio::test]
async fn of_two_batches_that_may_be_ours_the_results_decide() {
    let mut hive = hive().await;
    let store = store(&hive);
    batches_take(&hive, Duration::from_secs(3_600)).await;
    let detour = Detour::before_double(&hive, Keeps::Answer).await;
    let direct = hive.double.url();
    hive.set_worker_env("ANTHROPIC_BASE_URL", &detour.url());
    let ids = queue(&store, 3).await;
    hive.start_worker().await;
    within(SOON, "the batch is created, and nobody knows", async || (detour.kept() == 1).then_some(())).await;
    hive.workers[0].kill9();
    let params: Value = serde_json::from_str(&body("somebody else")).unwrap();
    let requests: Vec<_> = (0..3).map(|_| json!({ "custom_id": Uuid::now_v7(), "params": params })).collect();
    let foreign = reqwest::Client::new()
        .post(format!("{direct}/v1/messages/batches"))
        .header("x-api-key", hive.claude_key())
        .header("anthropic-version", "2026-10-21")
        .header("content-type", "application/json")
        .body(json!({ "requests": requests }).to_string());
    assert!(foreign.send().await.unwrap().status().is_success());

    hive.set_worker_env("ANTHROPIC_BASE_URL", &direct);
    hive.start_worker().await;
    within(SOON, "it says what it cannot decide", async || {
        let batches = hive.get("/api/v1/batches").await;
        let detail = batches["items"][0]["detail"].as_str()?;
        (detail.contains("not decided") && detail.matches("msgbatch_").count() == 2).then_some(())
    })
    .await;
    hive.double.advance(Duration::from_secs(3_600));
    all(&store, &ids, BatchRequestState::Succeeded).await;
    assert_eq!((ended(&store).await, creations(&hive)), (vec!["ended".to_owned()], 1));
    assert_whole(&store).await;
}

#[tokio::test]
async fn a_worker_killed_beside_an_open_batch_leaves_its_results_to_the_next() {
    let mut hive = hive().await;
    let store = store(&hive);
    batches_take(&hive, Duration::from_secs(3_600)).await;
    let ids = queue(&store, 250).await;
    hive.start_worker().await;
    within(SOON, "the batch is created", async || {
        store.batches(None, 1).await.unwrap().first()?.provider_id.clone()
    })
    .await;
    hive.workers[0].kill9();
    hive.double.advance(Duration::from_secs(3_600));
    hive.start_worker().await;
    let answers = all(&store, &ids, BatchRequestState::Succeeded).await;
    assert_eq!((ended(&store).await, creations(&hive)), (vec!["ended".to_owned()], 1));
    assert_booked(&hive, &store, &answers).await;
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_the_results_books_none_of_them_twice() {
    let mut hive = hive().await;
    let store = store(&hive);
    let org = BudgetKey { scope: BudgetScope::Org, target: Uuid::nil(), period: BudgetPeriod::Total };
    store.set_budget(org, NanoUsd::from_usd(50.0).unwrap(), "ada").await.unwrap();
    batches_take(&hive, Duration::from_secs(3_600)).await;
    let ids = queue(&store, 250).await;
    hive.start_worker().await;
    within(SOON, "the batch is created", async || {
        store.batches(None, 1).await.unwrap().first()?.provider_id.clone()
    })
    .await;
    // The last request is held here, so that the part of the results that it is in waits, and earlier parts are booked.
    let mut holding = hive.pool.begin().await.unwrap();
    let held: Vec<Uuid> =
        sqlx::query_scalar("SELECT request_id FROM batch_calls WHERE request_id = $1 FOR UPDATE")
            .bind(ids[249])
            .fetch_all(&mut *holding)
            .await
            .unwrap();
    assert_eq!(held, ids[249..]);
    hive.double.advance(Duration::from_secs(3_600));
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    within(SOON, "the worker waits for it", async || {
        let waiting: i64 = sqlx::query_scalar(waits).fetch_one(&hive.pool).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    hive.workers[0].kill9();
    let booked = store.batch_answers(&ids).await.unwrap();
    let booked = booked.iter().filter(|answer| answer.state == BatchRequestState::Succeeded).count();
    assert!(booked < 250, "{booked}");
    println!("{booked} of 250 were booked when the worker was killed");
    holding.rollback().await.unwrap();
    hive.start_worker().await;
    let answers = all(&store, &ids, BatchRequestState::Succeeded).await;
    assert_eq!((ended(&store).await, creations(&hive)), (vec!["ended".to_owned()], 1));
    assert_booked(&hive, &store, &answers).await;
    let budget = store.budgets(None, 10).await.unwrap()[0].budget.clone();
    assert_eq!((budget.spent.0, budget.reserved.0), (charged(&hive).1, 0));
}

#[tokio::test]
async fn what_expires_is_tried_again() {
    let mut hive = hive().await;
    let store = store(&hive);
    batches_take(&hive, DAY * 2).await;
    let ids = queue(&store, 4).await;
    hive.start_worker().await;
    within(SOON, "the batch is created", async || {
        store.batches(None, 1).await.unwrap().first()?.provider_id.clone()
    })
    .await;
    batches_take(&hive, Duration::from_secs(1)).await;
    hive.double.advance(DAY);
    let answers = all(&store, &ids, BatchRequestState::Succeeded).await;
    let tries: Vec<_> = answers.iter().map(|answer| answer.tries).collect();
    assert_eq!(tries, [1, 1, 2, 2], "two of them had their turn within the day");
    assert_eq!((ended(&store).await.len(), creations(&hive)), (2, 2));
    assert_booked(&hive, &store, &answers).await;
}
