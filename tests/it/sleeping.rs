//! Agents sleep: whatever makes them, nothing is lost meanwhile, and each wakes.

use std::time::Duration;

use hive_tests::{TestHive, answer, finish, rules, shell, spoken, within};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// A hive whose cycles begin and are left alone: each story says itself when the work on a memory ends.
async fn hold_cycles(hive: &TestHive) {
    sqlx::query("ALTER TABLE sleep_cycles ALTER COLUMN look_at SET DEFAULT now() + interval '1 day'")
        .execute(&hive.pool)
        .await
        .unwrap();
}

/// The cycle of an agent ends, and its memory has one entry more.
async fn end_cycle(hive: &TestHive, agent: Uuid, learned: &str) {
    let entry = "WITH cycle AS (
                     UPDATE sleep_cycles SET state = 'completed', finished_at = now()
                     WHERE agent_id = $1 AND finished_at IS NULL
                     RETURNING version_id, project_id, agent_id
                 ), version AS (
                     UPDATE memory_versions v SET state = 'active', state_at = now() FROM cycle WHERE v.id = cycle.version_id
                 )
                 INSERT INTO contexts (id, lineage, scope, project_id, agent_id, kind, trust, author, valid_from, content, born_version)
                 SELECT $2, $2, 'agent', project_id, agent_id, 'fact', 'agent', 'a night', now(), $3, version_id FROM cycle";
    let ended =
        sqlx::query(entry).bind(agent).bind(Uuid::now_v7()).bind(learned).execute(&hive.pool).await.unwrap();
    assert_eq!(ended.rows_affected(), 1, "a cycle was at work");
}

async fn agent(hive: &TestHive, kind: &str) -> Uuid {
    let query = "SELECT id FROM agents WHERE type = $1";
    sqlx::query_scalar(query).bind(kind).fetch_one(&hive.pool).await.unwrap()
}

async fn accepted(hive: &TestHive, path: &str, body: Value) -> Value {
    let (status, answer) = hive.post(path, &body).await;
    assert_eq!(status, 202, "{path}: {answer:#}");
    answer
}

/// The last night of an agent.
async fn night(hive: &TestHive, agent: Uuid) -> Value {
    hive.get(&format!("/api/v1/agents/{agent}/sleeps")).await["items"][0].clone()
}

async fn wait_night(hive: &TestHive, agent: Uuid, state: &str) -> Value {
    within(Duration::from_secs(60), &format!("agent {agent} is {state}"), async || {
        let night = night(hive, agent).await;
        (night["state"] == state).then_some(night)
    })
    .await
}

async fn set(hive: &TestHive, agent: Uuid, settings: Value) {
    let path = format!("/api/v1/agents/{agent}/sleep-settings");
    let answer = hive.send(0, Method::PUT, &path, Some(&settings)).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

fn two_turns(title: &str) -> [Value; 2] {
    [answer(title, 0, json!([shell("echo 1 > one")])), answer(title, 1, json!([finish("Done.")]))]
}

#[tokio::test]
async fn each_trigger_begins_a_cycle_that_names_it_and_no_second_one() {
    let [one, two] = two_turns("Pressing");
    let [three, four] = two_turns("Idle");
    let hive = TestHive::builder().script(rules(json!([one, two, three, four]))).schedulers(2).start().await;
    hold_cycles(&hive).await;
    let kinds = ["qa", "devops", "backend", "frontend"];
    let (manual, cron) = (agent(&hive, kinds[0]).await, agent(&hive, kinds[1]).await);
    let (idle, pressure) = (agent(&hive, kinds[2]).await, agent(&hive, kinds[3]).await);

    // A person, who asks twice at the same moment while two schedulers look, and a third time with the same key.
    let wish = json!({ "agent_type": "qa" });
    let (first, second) = tokio::join!(
        accepted(&hive, "/api/v1/system/sleep", wish.clone()),
        accepted(&hive, "/api/v1/system/sleep", wish)
    );
    let begun = |put: &Value| put["begun"].as_array().unwrap().len();
    let already = |put: &Value| put["already"].as_array().unwrap().len();
    assert_eq!((begun(&first) + begun(&second), already(&first) + already(&second)), (1, 1));

    let schedule = json!({ "name": "nightly", "cron": "* * * * * *", "sleep": { "agent_ids": [cron] } });
    let (status, made) = hive.post("/api/v1/schedules", &schedule).await;
    assert_eq!((status, &made["sleep"]["agent_ids"][0]), (201, &json!(cron)), "{made:#}");

    set(&hive, idle, json!({ "idle_seconds": 1 })).await;
    set(&hive, pressure, json!({ "pressure_steps": 3 })).await;
    for (title, kind) in [("Idle", "backend"), ("Pressing", "frontend")] {
        let repo = hive.repo(kind, &[("README", "Sleep.\n")]);
        hive.post_task(json!({ "title": title, "agent_type": kind, "repository": repo.json() })).await;
    }
    for (agent, trigger) in [(manual, "manual"), (cron, "cron"), (idle, "idle"), (pressure, "pressure")] {
        let night = wait_night(&hive, agent, "asleep").await;
        assert_eq!(night["trigger"], trigger, "{night:#}");
        let cycle: Uuid = night["cycle_id"].as_str().unwrap().parse().unwrap();
        // Each has a bound of money though nobody named one.
        let query = "SELECT trigger::text FROM sleep_cycles
                     WHERE id = $1 AND agent_id = $2 AND budget_nano_usd = 1000000000";
        let of_cycle: String =
            sqlx::query_scalar(query).bind(cycle).bind(agent).fetch_one(&hive.pool).await.unwrap();
        assert_eq!(of_cycle, trigger);
        let states: Vec<_> =
            night["events"].as_array().unwrap().iter().map(|event| &event["state"]).collect();
        assert_eq!(states, ["falling_asleep", "asleep"], "{night:#}");
    }
    let slots = "SELECT count(*) FROM cron_slots WHERE outcome = 'fired'";
    within(Duration::from_secs(30), "the schedule fires again", async || {
        (sqlx::query_scalar::<_, i64>(slots).fetch_one(&hive.pool).await.unwrap() > 2).then_some(())
    })
    .await;
    let cycles: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sleep_cycles").fetch_one(&hive.pool).await.unwrap();
    assert_eq!(cycles, 4, "who sleeps begins no second one");
    let listed = hive.says(&["agent", "list"]).await;
    assert_eq!(listed.matches(" asleep ").count(), 4, "{listed}");
    within(Duration::from_secs(30), "they are counted", async || {
        let metrics = hive.page(hive.schedulers[0].url(), "/metrics").await;
        metrics.contains("hive_agents_asleep{state=\"asleep\"} 4").then_some(())
    })
    .await;
    assert!(hive.says_json(&["verify"]).await["violations"] == 0);
}

#[tokio::test]
async fn what_comes_in_the_night_is_done_in_the_morning_also_when_everything_was_killed() {
    let script = rules(json!([
        answer("Long", 0, json!([shell("echo 1 > one; sleep 2")])),
        answer("Long", 1, json!([shell("echo 2 > two")])),
        answer("Long", 2, json!([finish("Both are there.")])),
        // The message comes into the run that is there when it is sent on, if only at its end.
        answer("Long", 3, json!([finish("Both are there, and the port is looked at.")])),
        answer("Later", 0, json!([finish("Done.")])),
        answer("Later", 1, json!([finish("Done, and the port is looked at.")])),
        answer("Message from operator", 0, json!([finish("Read.")])),
    ]));
    let mut hive = TestHive::builder().script(script).slots(1).start().await;
    hold_cycles(&hive).await;
    let qa = agent(&hive, "qa").await;
    let repo = hive.repo("long", &[("README", "Long.\n")]);
    let long = json!({ "title": "Long", "agent_type": "qa", "repository": repo.json() });
    let long = hive.post_task(long).await;
    hive.wait_asked(long, 40, 1).await;
    let told = hive.says(&["sleep", "--type", "qa"]).await;
    assert!(told.contains("falls asleep"), "{told}");
    let parked = hive.wait_status(long, 40, "ready").await;
    assert_eq!(parked["status_reason"], "asleep", "{parked:#}");
    let steps = hive.step_count(long).await;
    assert!(steps >= 1, "the step that ran was finished");
    wait_night(&hive, qa, "asleep").await;

    let later = hive.post_task(json!({ "title": "Later", "agent_type": "qa" })).await;
    let (status, sent) = hive
        .post("/api/v1/messages/send", &json!({ "to_agent_id": qa, "content": "Look at the port." }))
        .await;
    assert_eq!((status, &sent["receivers"][0]["state"]), (201, &json!("pending")), "{sent:#}");
    for id in [long, later] {
        let why = hive.get(&format!("/api/v1/tasks/{id}/why")).await;
        assert_eq!(why["cause"], "asleep", "{why:#}");
        assert!(!why["until"].is_null(), "{why:#}");
    }
    let why = hive.says(&["task", "why", &later.to_string()]).await;
    assert!(why.contains("asleep") && why.contains("sleeps (manual)"), "{why}");

    let asked = hive.double.requests().len();
    hive.workers[0].kill9();
    hive.schedulers[0].kill9();
    hive.start_worker().await;
    hive.launch_scheduler().await;
    let passes = "SELECT count(*) FROM workers WHERE seen_at > started_at + interval '4 s'";
    within(Duration::from_secs(60), "the new processes have looked around", async || {
        (sqlx::query_scalar::<_, i64>(passes).fetch_one(&hive.pool).await.unwrap() > 0).then_some(())
    })
    .await;
    assert_eq!(
        (night(&hive, qa).await["state"].clone(), hive.double.requests().len()),
        (json!("asleep"), asked)
    );
    assert_eq!(hive.step_count(long).await, steps);

    end_cycle(&hive, qa, "The port of the shop is 7700.").await;
    let night_over = wait_night(&hive, qa, "awake").await;
    assert_eq!(night_over["wake_reason"], "cycle_ended", "{night_over:#}");
    for id in [long, later] {
        hive.wait_succeeded(id, 60).await;
        hive.assert_whole(id).await;
    }
    within(Duration::from_secs(60), "the message is read", async || {
        let page = hive.get(&format!("/api/v1/messages/{qa}?state=all")).await;
        (page["items"][0]["state"] == "acknowledged").then_some(())
    })
    .await;

    // The first request of the morning holds what happened, behind all that was said before, and no other task's does.
    let requests = hive.double.requests();
    let morning = &requests[asked..];
    let told: Vec<Uuid> = morning
        .iter()
        .filter(|request| spoken(request).contains("You slept from"))
        .map(|request| request.user_id.clone().unwrap().parse().unwrap())
        .collect();
    assert!(spoken(&morning[0]).contains("You slept from"), "{}", morning[0].body);
    for words in
        ["as a person asked", "The port of the shop is 7700.", "Unread messages: 1.", "operator", "Later"]
    {
        assert!(spoken(&morning[0]).contains(words), "{words}: {}", morning[0].body);
    }
    let who = told[0];
    assert!(told.iter().all(|task| *task == who), "one task is told: {told:?}");
    let entries = "SELECT count(*) FROM steps WHERE kind = 'briefing' AND task_id = $1";
    assert_eq!(hive.count(entries, who).await, 1, "{:?}", hive.step_kinds(who).await);
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM steps WHERE kind = 'briefing'")
        .fetch_one(&hive.pool)
        .await
        .unwrap();
    assert_eq!(all, 1);
    let of_it: Vec<_> = requests.iter().filter(|request| request.user_id == Some(who.to_string())).collect();
    for pair in of_it.windows(2) {
        assert!(spoken(pair[1]).starts_with(&spoken(pair[0])), "what was said before stays as it was");
    }
    let night = night(&hive, qa).await;
    assert_eq!(night["briefed_task_id"], json!(who), "{night:#}");
    let verified = hive.says_json(&["verify", "--all"]).await;
    assert_eq!(verified["violations"], 0, "{verified:#}");
}

#[tokio::test]
async fn work_that_cannot_wait_wakes_early_and_so_does_the_latest_time() {
    let script = rules(json!([
        answer("Urgent", 0, json!([finish("Done.")])),
        answer("Calm", 0, json!([finish("Done.")])),
    ]));
    let hive = TestHive::builder().script(script).schedulers(2).start().await;
    hold_cycles(&hive).await;
    let (qa, backend) = (agent(&hive, "qa").await, agent(&hive, "backend").await);
    set(&hive, backend, json!({ "fall_seconds": 0, "sleep_seconds": 3 })).await;
    accepted(&hive, "/api/v1/system/sleep", json!({ "agent_ids": [qa, backend] })).await;
    wait_night(&hive, qa, "asleep").await;
    let calm = hive.post_task(json!({ "title": "Calm", "agent_type": "backend" })).await;
    let urgent = hive.post_task(json!({ "title": "Urgent", "agent_type": "qa", "priority": 1 })).await;
    hive.wait_succeeded(urgent, 60).await;
    assert_eq!(night(&hive, qa).await["wake_reason"], "urgent");
    assert_eq!(hive.step_kinds(urgent).await, ["briefing", "reply", "tool_results"]);
    // The cycle of the other one hangs, and it wakes all the same.
    hive.wait_succeeded(calm, 60).await;
    assert_eq!(night(&hive, backend).await["wake_reason"], "wake_by");
    let open = "SELECT count(*) FROM sleep_cycles WHERE finished_at IS NULL";
    assert_eq!(sqlx::query_scalar::<_, i64>(open).fetch_one(&hive.pool).await.unwrap(), 2);

    // A person wakes whom they want, and who asks for nobody is told so.
    let put = accepted(&hive, "/api/v1/system/sleep", json!({ "agent_ids": [qa] })).await;
    assert_eq!(put["begun"][0]["agent_id"], json!(qa));
    let woken = hive.says_json(&["wake", &qa.to_string()]).await;
    assert_eq!(woken["waking"][0]["agent_id"], json!(qa), "{woken:#}");
    let over = wait_night(&hive, qa, "awake").await;
    assert_eq!(over["wake_reason"], "requested");
    for (body, pointer) in [
        (json!({}), "/agent_ids"),
        (json!({ "all": true, "role": "x" }), "/agent_ids"),
        (json!({ "agent_ids": [Uuid::now_v7()] }), "/agent_ids"),
        (json!({ "agent_type": "nobody" }), "/agent_type"),
        (json!({ "agents": [] }), "/agents"),
    ] {
        let (status, problem) = hive.post("/api/v1/system/sleep", &body).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)), "{body}: {problem:#}");
    }
    let nights: i64 = sqlx::query_scalar("SELECT count(*) FROM sleeps").fetch_one(&hive.pool).await.unwrap();
    assert_eq!(nights, 3, "what was refused left nothing behind");
}

#[tokio::test]
async fn the_end_of_the_work_on_a_memory_wakes() {
    let script = rules(json!([answer("Morning", 0, json!([finish("Done.")]))]));
    let hive = TestHive::builder().script(script).start().await;
    let qa = agent(&hive, "qa").await;
    accepted(&hive, "/api/v1/system/sleep", json!({ "role": role(&hive, qa).await })).await;
    let night = wait_night(&hive, qa, "awake").await;
    assert_eq!(night["wake_reason"], "cycle_ended", "{night:#}");
    let state = "SELECT state::text FROM sleep_cycles WHERE id = $1";
    let cycle: Uuid = night["cycle_id"].as_str().unwrap().parse().unwrap();
    let state: String = sqlx::query_scalar(state).bind(cycle).fetch_one(&hive.pool).await.unwrap();
    assert_eq!(state, "completed", "workers did it");
    let id = hive.post_task(json!({ "title": "Morning", "agent_type": "qa" })).await;
    hive.wait_succeeded(id, 60).await;
    assert_eq!(hive.step_kinds(id).await, ["briefing", "reply", "tool_results"]);
    let again = hive.post_task(json!({ "title": "Morning", "agent_type": "qa" })).await;
    hive.wait_succeeded(again, 60).await;
    assert_eq!(hive.step_kinds(again).await, ["reply", "tool_results"], "it is told once");
    // What the night saved, as far as one task tells.
    let saving = hive.get(&format!("/api/v1/agents/{qa}/sleeps")).await["items"][0]["saving"].clone();
    assert_eq!((&saving["before"]["tasks"], &saving["after"]["tasks"]), (&json!(0), &json!(2)), "{saving:#}");
    assert!(saving["after"]["tokens_per_task"].as_f64().unwrap() > 0.0, "{saving:#}");
}

async fn role(hive: &TestHive, agent: Uuid) -> Value {
    hive.get(&format!("/api/v1/agents/{agent}")).await["role"].clone()
}
