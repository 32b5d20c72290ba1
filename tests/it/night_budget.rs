//! A night with a cap on it: ten runs at once, one that goes in circles, one that asks for the longest answers there are.

use std::time::Duration;

use hive_tests::{TestHive, finish, rules, shell, within};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const DOLLAR: i64 = 1_000_000_000;
const TURNS: usize = 8;

/// What a reply of so many tokens is charged with.
fn usage(output_tokens: u64) -> Value {
    json!({ "input_tokens": 500, "output_tokens": output_tokens, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0 })
}

fn script() -> hive_double::Script {
    let mut script = vec![
        // Quicker than the others, so that it is its circle that ends it and not the cap.
        json!({ "name": "circles", "when": { "first_text": "Task: Looper\n" }, "tools": [shell("echo same")],
                "usage": usage(200) }),
        json!({ "name": "long", "when": { "first_text": "Task: Writer\n", "turn": 0 }, "tools": [shell("echo long")],
                "usage": usage(100_000), "delay_ms": 400 }),
    ];
    for turn in 0..TURNS {
        script.push(json!({ "name": format!("turn {turn}"), "when": { "turn": turn },
                            "tools": [shell(&format!("echo {turn}"))], "usage": usage(4_000), "delay_ms": 400 }));
    }
    script.push(json!({ "name": "finish", "tools": [finish("Done.")], "usage": usage(4_000) }));
    rules(json!(script))
}

async fn cap(hive: &TestHive, session: Uuid, usd: f64) {
    let body = json!({ "scope": "session", "name": session, "period": "total", "cap_usd": usd });
    let answer = hive.send(0, Method::PUT, "/api/v1/budgets", Some(&body)).await;
    assert_eq!(answer.status().as_u16(), 204, "{}", answer.text().await.unwrap());
}

/// Ids of those that have ended otherwise than parked, and of those that wait for money that is not there.
async fn standing(hive: &TestHive, ids: &[Uuid]) -> (Vec<Uuid>, Vec<Uuid>) {
    let query = "SELECT t.id, t.status::text, coalesce(t.status_reason::text, ''),
                        coalesce(t.budget_need > b.cap_nano_usd - b.spent_nano_usd - b.reserved_nano_usd, false)
                 FROM tasks t LEFT JOIN budgets b ON b.id = t.budget_id WHERE t.id = ANY ($1)";
    let rows: Vec<(Uuid, String, String, bool)> =
        sqlx::query_as(query).bind(ids).fetch_all(&hive.pool).await.unwrap();
    let (mut ended, mut parked) = (Vec::new(), Vec::new());
    for (id, status, reason, has_no_room) in rows {
        match (status.as_str(), reason.as_str()) {
            ("succeeded" | "failed", _) => ended.push(id),
            ("waiting", "budget") if has_no_room => parked.push(id),
            _ => {}
        }
    }
    (ended, parked)
}

#[tokio::test]
async fn a_night_costs_what_was_allowed_and_a_raise_resumes_precisely_what_waited() {
    let hive = TestHive::builder().script(script()).workers(2).slots(6).start().await;
    // Only the writer may have answers of a hundred thousand tokens.
    let long = json!({ "rules": [{ "role": "docs", "step": "*", "model": "work", "max_tokens": 100_000 }] });
    let (status, added) = hive.post("/api/v1/routing-rules", &long).await;
    assert_eq!(status, 201, "{added}");
    let path = format!("/api/v1/routing-rules/{}/activate", added["version"]);
    assert_eq!(hive.post(&path, &json!({})).await.0, 200);
    let (status, writer) = hive.post("/api/v1/agents", &json!({ "name": "Writer", "type": "docs" })).await;
    assert_eq!(status, 201, "{writer}");
    let (status, session) = hive.post("/api/v1/sessions", &json!({ "name": "Night" })).await;
    assert_eq!(status, 201, "{session}");
    let session: Uuid = session["id"].as_str().unwrap().parse().unwrap();
    cap(&hive, session, 2.0).await;

    let repo = hive.repo("night", &[("README", "At night.\n")]);
    let mut ids = Vec::new();
    for title in
        ["Looper", "Writer"].into_iter().map(str::to_owned).chain((0..8).map(|nth| format!("Run {nth}")))
    {
        let mut body = json!({ "title": title, "repository": repo.json(), "session_id": session });
        match title.as_str() {
            "Looper" => body["priority"] = json!(1),
            "Writer" => body["agent_id"] = writer["id"].clone(),
            _ => {}
        }
        ids.push(hive.post_task(body).await);
    }
    within(Duration::from_secs(120), "all have ended or have no room", async || {
        let (ended, parked) = standing(&hive, &ids).await;
        (ended.len() + parked.len() == ids.len()).then_some(())
    })
    .await;
    let (ended, parked) = standing(&hive, &ids).await;
    let spent = |ids: &[Uuid]| ids.iter().map(|id| hive.charged(*id).cost_nano_usd).sum::<i64>();
    let first_night = spent(&ids);
    assert!(first_night <= 2 * DOLLAR, "{first_night} of {}", 2 * DOLLAR);
    assert!(!parked.is_empty(), "two dollars are not enough for all of them");

    // Whoever pays is told: by a number that an alarm watches, and by each task.
    within(Duration::from_secs(30), "the alarm's number", async || {
        let metrics = hive.page(hive.schedulers[0].url(), "/metrics").await;
        metrics
            .lines()
            .any(|line| line.starts_with("hive_budgets{state=\"reached\"}") && line.ends_with(" 1"))
            .then_some(())
    })
    .await;
    let mut before = Vec::new();
    for id in &parked {
        before.push((hive.step_count(*id).await, hive.calls(*id).len()));
        let why = hive.get(&format!("/api/v1/tasks/{id}/why")).await;
        assert_eq!(why["cause"], "budget", "{why:#}");
    }

    cap(&hive, session, 3.0).await;
    within(Duration::from_secs(120), "what waited goes on until the next dollar is gone", async || {
        let (again, waiting) = standing(&hive, &ids).await;
        (again.len() + waiting.len() == ids.len()).then_some(())
    })
    .await;
    let second_night = spent(&ids);
    assert!(second_night <= 3 * DOLLAR, "{second_night} of {}", 3 * DOLLAR);
    assert!(second_night > first_night, "the raise was of use");
    for id in &parked {
        let kinds = hive.event_kinds(*id).await;
        assert!(kinds.iter().any(|kind| kind == "budget.reached"), "{kinds:?}");
    }
    for id in &ended {
        assert!(!hive.event_kinds(*id).await.iter().any(|kind| kind == "budget.raised"), "{id} did not wait");
    }

    cap(&hive, session, 20.0).await;
    let looper = hive.wait_end(ids[0], 90).await;
    assert_eq!(looper["status_reason"], "loop_detected", "{looper:#}");
    assert!(hive.calls(ids[0]).len() <= 5, "its circle ended it, and no cap");
    for (id, (steps, calls)) in parked.iter().zip(before).filter(|(id, _)| **id != ids[0]) {
        let task = hive.wait_succeeded(*id, 90).await;
        assert_eq!(task["attempt"], 1, "no attempt was burnt: {task:#}");
        assert!(
            hive.step_count(*id).await >= steps && hive.calls(*id).len() >= calls,
            "what was there is kept"
        );
        assert_eq!(hive.calls(*id).len(), TURNS + 1, "no turn was asked for twice");
        assert_eq!(hive.booked(*id).await, hive.charged(*id));
        hive.assert_whole(*id).await;
    }
}
