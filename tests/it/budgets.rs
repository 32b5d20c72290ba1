//! Money as a lock, with real workers and true prices.

use std::time::Duration;

use hive_tests::{TestHive, finish, rules, shell, within};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Nano-USD of a dollar.
const NANO: f64 = 1e9;

async fn set(hive: &TestHive, scope: &str, name: Option<Uuid>, cap_usd: f64) {
    let body = json!({ "scope": scope, "name": name, "period": "total", "cap_usd": cap_usd });
    let answer = hive.send(0, Method::PUT, "/api/v1/budgets", Some(&body)).await;
    assert_eq!(answer.status().as_u16(), 204, "{}", answer.text().await.unwrap());
}

/// The budget of a scope: cap, spent and reserved in nano-USD.
async fn stands(hive: &TestHive, scope: &str, name: Option<Uuid>) -> (i64, i64, i64) {
    let listed = hive.get("/api/v1/budgets").await;
    let name = json!(name);
    let found = listed["items"].as_array().unwrap().iter().find(|b| b["scope"] == scope && b["name"] == name);
    let found = found.unwrap_or_else(|| panic!("{listed:#}"));
    #[expect(clippy::cast_possible_truncation, reason = "a few dollars")]
    let nano = |field: &str| (found[field].as_f64().unwrap() * NANO).round() as i64;
    (nano("cap_usd"), nano("spent_usd"), nano("reserved_usd"))
}

/// Some turns that print something, and the end.
fn turns(count: usize) -> Vec<Value> {
    let mut rules: Vec<Value> = (0..count)
        .map(|turn| json!({ "name": format!("turn {turn}"), "when": { "turn": turn }, "tools": [shell(&format!("echo {turn}"))] }))
        .collect();
    rules.push(json!({ "name": "finish", "tools": [finish("Done.")] }));
    rules
}

fn dearest_call(hive: &TestHive, ids: &[Uuid]) -> i64 {
    let of_task = |id: &Uuid| {
        let calls = hive.calls(*id).len().max(1);
        hive.charged(*id).cost_nano_usd / i64::try_from(calls).unwrap() * 4
    };
    ids.iter().map(of_task).max().unwrap()
}

async fn waiting(hive: &TestHive, ids: &[Uuid]) -> usize {
    let query =
        "SELECT count(*) FROM tasks WHERE id = ANY ($1) AND status = 'waiting' AND status_reason = 'budget'";
    let count: i64 = sqlx::query_scalar(query).bind(ids).fetch_one(&hive.pool).await.unwrap();
    usize::try_from(count).unwrap()
}

/// How many have ended, or wait and have no room: one that has is about to go on.
async fn settled(hive: &TestHive, ids: &[Uuid]) -> usize {
    let query = "SELECT count(*) FROM tasks t LEFT JOIN budgets b ON b.id = t.budget_id
                 WHERE t.id = ANY ($1) AND (t.status = 'succeeded'
                   OR t.status = 'waiting' AND t.status_reason = 'budget'
                      AND t.budget_need > b.cap_nano_usd - b.spent_nano_usd - b.reserved_nano_usd)";
    let count: i64 = sqlx::query_scalar(query).bind(ids).fetch_one(&hive.pool).await.unwrap();
    usize::try_from(count).unwrap()
}

#[tokio::test]
async fn ten_runs_never_spend_more_than_their_budget_and_go_on_where_they_stopped_when_it_is_raised() {
    let hive = TestHive::builder()
        .script(rules(json!(turns(6))))
        .latency(Duration::from_millis(30))
        .workers(2)
        .slots(5)
        .worker_env("HIVE_MAX_OUTPUT_TOKENS", "1000")
        .start()
        .await;
    // What one task costs is measured first: the budget is for about five of ten.
    let repo = hive.repo("money", &[("README", "Ten at once.\n")]);
    let probe = hive.post_task(json!({ "title": "Probe", "repository": repo.json() })).await;
    hive.wait_succeeded(probe, 60).await;
    let one = hive.charged(probe).cost_nano_usd;
    #[expect(clippy::cast_precision_loss, reason = "a few dollars")]
    let cap = (6 * one) as f64 / NANO;
    set(&hive, "org", None, cap).await;
    let mut ids = Vec::new();
    for nth in 0..10 {
        ids.push(hive.post_task(json!({ "title": format!("Run {nth}"), "repository": repo.json() })).await);
    }
    within(Duration::from_secs(90), "all have ended or wait", async || {
        (settled(&hive, &ids).await == 10).then_some(())
    })
    .await;
    let parked = waiting(&hive, &ids).await;
    assert!(parked > 0, "the budget is not for all of them");
    let (cap, spent, reserved) = stands(&hive, "org", None).await;
    let charged: i64 = ids.iter().chain([&probe]).map(|id| hive.charged(*id).cost_nano_usd).sum();
    assert_eq!((spent, reserved), (charged, 0), "what is spent is what the double charged");
    assert!(charged <= cap + dearest_call(&hive, &ids), "{charged} of {cap}");
    assert!(charged <= cap, "what was reserved was enough for each call: {charged} of {cap}");

    let (mut held, mut before) = (Vec::new(), Vec::new());
    for id in &ids {
        let task = hive.task(*id).await;
        if task["status"] == "waiting" {
            let why = hive.get(&format!("/api/v1/tasks/{id}/why")).await;
            assert_eq!(why["cause"], "budget", "{why:#}");
            assert!(why["explanation"].as_str().unwrap().contains("organisation"), "{why:#}");
            before.push(hive.step_count(*id).await);
            held.push(*id);
        }
    }
    assert!(before.iter().any(|steps| *steps > 0), "some were stopped on their way: {before:?}");
    assert!(hive.says(&["budget", "list"]).await.contains("org"));
    hive.says(&["budget", "set", "100"]).await;
    for (id, steps) in held.iter().zip(before) {
        let task = hive.wait_succeeded(*id, 60).await;
        assert_eq!(task["attempt"], 1, "no attempt was burnt: {task:#}");
        assert!(hive.step_count(*id).await >= steps);
        hive.assert_whole(*id).await;
        assert_eq!(hive.booked(*id).await, hive.charged(*id));
        assert_eq!(hive.calls(*id).len(), 7, "no turn was asked for twice");
        let kinds = hive.event_kinds(*id).await;
        for kind in ["budget.reached", "budget.raised"] {
            assert!(kinds.iter().any(|known| known == kind), "{kinds:?}");
        }
    }
}

#[tokio::test]
async fn a_raise_resumes_the_tasks_of_its_budget_and_a_child_spends_of_its_parent() {
    let hive = TestHive::builder().script(rules(json!(turns(2)))).start().await;
    let mut parents = Vec::new();
    for _ in 0..2 {
        let limits = json!({ "max_cost_usd": 0.5 });
        let parent = hive.post_task(json!({ "title": "Parent", "limits": limits })).await;
        hive.wait_succeeded(parent, 60).await;
        let child = hive.post_task(json!({ "title": "Child", "parent_id": parent })).await;
        hive.wait_succeeded(child, 60).await;
        let (cap, spent, reserved) = stands(&hive, "task", Some(parent)).await;
        let charged = hive.charged(parent).cost_nano_usd + hive.charged(child).cost_nano_usd;
        assert_eq!((cap, spent, reserved), (500_000_000, charged, 0));
        set(&hive, "task", Some(parent), 0.0).await;
        parents.push((parent, hive.post_task(json!({ "title": "Late", "parent_id": parent })).await));
    }
    for (_, child) in &parents {
        hive.wait_for(*child, 60, "waits for money", |task| task["status_reason"] == "budget").await;
    }
    let [(first, late), (_, other)] = parents[..] else { panic!() };
    set(&hive, "task", Some(first), 1.0).await;
    hive.wait_succeeded(late, 60).await;
    assert_eq!(hive.task(other).await["status_reason"], "budget");
    assert!(hive.calls(other).is_empty());
}

#[tokio::test]
async fn answers_that_break_off_spend_of_the_budget_what_they_are_charged() {
    let script = rules(json!([{
        "name": "long", "say": "All of it is charged. ".repeat(1_800), "fault": { "cut_in_event": 9 },
    }]));
    let hive = TestHive::builder()
        .script(script)
        .worker_env("HIVE_CLAUDE_RETRY_SECONDS", "0.01")
        .worker_env("HIVE_CLAUDE_PARK_SECONDS", "0.2")
        .worker_env("HIVE_BREAKER_FAILURES", "10000")
        .worker_env("HIVE_REPEATS_PERCENT", "10000")
        .start()
        .await;
    set(&hive, "org", None, 2.0).await;
    let mut ids = Vec::new();
    for nth in 0..4 {
        let task = json!({ "title": format!("Torn {nth}"), "model": "claude-opus-4-5" });
        ids.push(hive.post_task(task).await);
    }
    within(Duration::from_secs(90), "the money is spent", async || {
        (settled(&hive, &ids).await == 4).then_some(())
    })
    .await;
    let (cap, spent, reserved) = stands(&hive, "org", None).await;
    let calls: Vec<_> = ids.iter().flat_map(|id| hive.calls(*id)).collect();
    assert!(calls.len() >= 4 && calls.iter().all(|call| call.cut), "{calls:#?}");
    assert!(calls.iter().any(|call| call.usage.output_tokens > 5_000), "much of it was sent: {calls:#?}");
    let charged: i64 = ids.iter().map(|id| hive.charged(*id).cost_nano_usd).sum();
    assert!(charged <= cap + dearest_call(&hive, &ids), "{charged} of {cap}");
    assert!(charged <= spent && spent <= cap, "charged {charged}, booked {spent} of {cap}");
    assert_eq!(reserved, 0);
    for id in &ids {
        hive.assert_charges_covered(*id).await;
    }
}

#[tokio::test]
async fn neither_a_retry_nor_a_fork_gets_round_the_cap_of_a_task() {
    let hive = TestHive::builder().script(rules(json!(turns(2)))).start().await;
    let done = hive.post_task(json!({ "title": "Done" })).await;
    hive.wait_succeeded(done, 60).await;
    set(&hive, "task", Some(done), 1e-6).await;
    // All wait for its budget before the others are there.
    set(&hive, "org", None, 1e-6).await;
    let first = hive.post_task(json!({ "title": "First" })).await;
    set(&hive, "task", Some(first), 1e-6).await;
    hive.wait_for(first, 60, "waits for money", |task| task["status_reason"] == "budget").await;
    let (status, answer) = hive.post(&format!("/api/v1/tasks/{first}/cancel"), &json!({})).await;
    assert!(status < 300, "{answer:#}");
    hive.wait_end(first, 60).await;
    set(&hive, "org", None, 100.0).await;
    let (status, again) = hive.post(&format!("/api/v1/tasks/{first}/retry"), &json!({})).await;
    assert_eq!(status, 201, "{again:#}");
    let (status, forked) = hive.post(&format!("/api/v1/tasks/{done}/fork"), &json!({ "from_step": 2 })).await;
    assert_eq!(status, 201, "{forked:#}");
    for (made, of) in [(&again, first), (&forked, done)] {
        let id: Uuid = made["id"].as_str().unwrap().parse().unwrap();
        hive.wait_for(id, 60, "waits for money", |task| task["status_reason"] == "budget").await;
        let why = hive.get(&format!("/api/v1/tasks/{id}/why")).await;
        assert!(why["explanation"].as_str().unwrap().contains(&of.to_string()), "{why:#}");
        assert!(hive.calls(id).is_empty(), "nothing was spent");
        set(&hive, "task", Some(of), 10.0).await;
        hive.wait_succeeded(id, 60).await;
        let charged = hive.charged(of).cost_nano_usd + hive.charged(id).cost_nano_usd;
        assert_eq!(stands(&hive, "task", Some(of)).await, (10_000_000_000, charged, 0));
    }
}

#[tokio::test]
async fn a_cap_that_would_become_none_is_refused() {
    let hive = TestHive::builder().workers(0).start().await;
    for cap in [1e-12, 4.9e-10, -0.1, 1_000_000.1] {
        let body = json!({ "scope": "org", "period": "total", "cap_usd": cap });
        let answer = hive.send(0, Method::PUT, "/api/v1/budgets", Some(&body)).await;
        assert_eq!(answer.status().as_u16(), 422, "{cap}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["errors"][0]["pointer"], "/cap_usd", "{problem:#}");
    }
    assert_eq!(hive.get("/api/v1/budgets").await["items"], json!([]), "nothing is left behind");
    for (cap, kept) in [(0.0, 0), (1e-9, 1)] {
        set(&hive, "org", None, cap).await;
        assert_eq!(stands(&hive, "org", None).await, (kept, 0, 0));
    }
}

#[tokio::test]
async fn a_worker_that_is_killed_in_a_call_leaves_no_reservation_behind() {
    let mut hive = TestHive::builder()
        .script(rules(json!(turns(1))))
        .latency(Duration::from_millis(1_500))
        .start()
        .await;
    set(&hive, "org", None, 10.0).await;
    let id = hive.post_task(json!({ "title": "Killed" })).await;
    within(Duration::from_secs(30), "a call is reserved", async || {
        (stands(&hive, "org", None).await.2 > 0).then_some(())
    })
    .await;
    let reserved = stands(&hive, "org", None).await.2;
    hive.workers[0].kill9();
    within(Duration::from_secs(60), "the reservation is settled", async || {
        let (_, spent, left) = stands(&hive, "org", None).await;
        (left == 0 && spent == reserved).then_some(())
    })
    .await;
    hive.start_worker().await;
    hive.wait_succeeded(id, 60).await;
    let (_, spent, left) = stands(&hive, "org", None).await;
    assert_eq!(left, 0);
    let known = hive.booked(id).await.cost_nano_usd;
    assert_eq!(spent, known + reserved, "what nobody heard of counts as it was reserved");
    assert!(hive.charged(id).cost_nano_usd <= spent);
    let usage = hive.get("/api/v1/usage").await;
    assert_eq!(usage["total"]["unknown_calls"], 1, "{usage:#}");
    assert_eq!(usage["total"]["unknown_nano_usd"], reserved, "{usage:#}");
}

#[tokio::test]
async fn calls_that_nobody_hears_of_end_at_the_limit_of_their_task() {
    let script =
        rules(json!([{ "name": "gone", "tools": [finish("Never heard.")], "fault": "cut_before_headers" }]));
    let mut hive = TestHive::builder()
        .script(script)
        .worker_env("HIVE_CLAUDE_RETRY_SECONDS", "0.01")
        .worker_env("HIVE_CLAUDE_PARK_SECONDS", "0.2")
        .worker_env("HIVE_BREAKER_FAILURES", "10000")
        .worker_env("HIVE_REPEATS_PERCENT", "10000")
        .start()
        .await;
    let id = hive.post_task(json!({ "title": "Gone", "limits": { "max_cost_usd": 5.0 } })).await;
    let unheard = "SELECT count(*) FROM llm_calls WHERE task_id = $1 AND state = 'unknown'";
    within(Duration::from_secs(30), "some calls broke off", async || {
        (hive.count(unheard, id).await >= 2).then_some(())
    })
    .await;
    // What was not heard before a death counts after it as well.
    hive.workers[0].kill9();
    hive.start_worker().await;
    let task = hive.wait_end(id, 90).await;
    assert_eq!(
        (&task["status"], &task["status_reason"]),
        (&json!("failed"), &json!("cost_limit")),
        "{task:#}"
    );
    let detail = task["status_detail"].as_str().unwrap();
    assert!(detail.contains("broke off before their charge was heard"), "{detail}");
    let assumed: i64 = sqlx::query_scalar(
        "SELECT sum(reserved_nano_usd)::bigint FROM llm_calls WHERE task_id = $1 AND state IN ('unknown', 'intent')",
    )
    .bind(id)
    .fetch_one(&hive.pool)
    .await
    .unwrap();
    let (one, most) = (
        assumed as f64 / hive.count("SELECT count(*) FROM llm_calls WHERE task_id = $1", id).await as f64,
        5.0 * NANO,
    );
    assert!(assumed as f64 >= most && assumed as f64 <= most + 2.0 * one, "{assumed}, {one} each");
}
