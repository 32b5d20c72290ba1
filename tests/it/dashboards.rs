//! Every panel of every dashboard brings data from the real processes, and every rule can be evaluated.

use std::{cell::Cell, collections::BTreeSet, fs, path::Path, time::Duration};

use hive_tests::{Prometheus, Repo, TestHive, answer, finish, rules, say, shell, within, write};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// What Grafana puts in for the width of a point, of the shown range, and of a rate. Wide enough for what happened once
/// at the beginning of the story.
const WINDOW: &str = "5m";
/// Passes of duties and scrapes come each second or three, and the last round may not be scraped yet.
const DATA_WITHIN: Duration = Duration::from_secs(20);

struct Query {
    panel: String,
    expression: String,
}

fn queries() -> Vec<Query> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../grafana/dashboards");
    let mut queries = Vec::new();
    for file in fs::read_dir(directory).unwrap() {
        let dashboard: Value = serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let mut expression = target["expr"].as_str().unwrap().to_owned();
                for variable in ["$__rate_interval", "$__range", "$__interval"] {
                    expression = expression.replace(variable, WINDOW);
                }
                assert!(!expression.contains('$'), "a variable is not known here: {expression}");
                let panel = format!("{} / {}", dashboard["title"], panel["title"]);
                queries.push(Query { panel, expression });
            }
        }
    }
    assert!(queries.len() > 50, "the dashboards were not found");
    queries
}

/// Tasks of each kind: success with a tool, a command that its time ended, red checks, a provider that is overloaded,
/// limited and broken, a repository that vanished, a worker that died.
fn script() -> hive_double::Script {
    let overloaded = json!({ "name": "o", "when": { "first_text": "Works" }, "times": 1, "fault": 529 });
    let limited = json!({ "name": "l", "when": { "first_text": "Parks" }, "fault": { "status": 429, "retry_after": 60 } });
    let hangs = json!({ "name": "h", "when": { "first_text": "Kills" }, "times": 1, "delay_ms": 25_000 });
    let slow = json!({ "name": "shell", "input": { "command": "sleep 30", "timeout_seconds": 1 } });
    rules(json!([
        overloaded,
        limited,
        hangs,
        answer("Works", 0, json!([write("made", "made\n"), shell("cat made"), slow, shell("false")])),
        answer(
            "Works",
            1,
            json!([{ "name": "edit_file", "input": { "path": "absent", "old": "a", "new": "b" } }])
        ),
        answer("Works", 2, json!([finish("Made.")])),
        answer("Fails", 0, json!([finish("Done.")])),
        answer("Fails", 1, json!([finish("Done.")])),
        answer("Fails", 2, json!([finish("Done.")])),
        say("Kills", 0, "Survived."),
        say("Vanishes", 0, "Never asked."),
    ]))
}

/// A worker dies with a task. Returns when another one is there.
async fn lose_a_worker(hive: &mut TestHive) -> Uuid {
    let kills = hive.post_task(json!({ "title": "Kills" })).await;
    hive.wait_status(kills, 30, "running").await;
    hive.workers[0].kill9();
    hive.start_worker().await;
    kills
}

/// A task whose repository is gone when it begins, and which may be tried so often.
async fn lose_a_repository(hive: &TestHive, tries: u32) -> Uuid {
    let repo = hive.repo(&format!("vanishes-{tries}"), &[("README", "Nothing yet.\n")]);
    let mut task = json!({ "title": "Vanishes", "repository": repo.json(), "max_attempts": tries });
    task["run_at"] = json!("2090-01-01T00:00:00Z");
    let id = hive.post_task(task.clone()).await;
    fs::rename(&repo.path, hive.path(&format!("gone-{tries}"))).unwrap();
    let refused = hive.send(0, Method::POST, "/api/v1/tasks", Some(&task)).await;
    assert_eq!(refused.status().as_u16() / 100, 4, "there is no such repository now");
    let due = "UPDATE tasks SET run_at = now() WHERE id = $1";
    sqlx::query(due).bind(id).execute(&hive.pool).await.unwrap();
    id
}

/// One task that succeeds, one that its checks refuse, one that does nothing, a message that arrives, a search, a night and
/// a checkpoint.
async fn round(hive: &TestHive, repo: &Repo) {
    let check = |command: &str| json!([{ "command": command }]);
    let work = json!({ "title": "Works", "repository": repo.json(), "acceptance": check("test -f made") });
    let fail = json!({ "title": "Fails", "repository": repo.json(), "acceptance": check("test -f absent") });
    // What a run that begins searches.
    let known = json!({ "content": "A file that is made is named made." });
    assert_eq!(hive.post("/api/v1/context/store", &known).await.0, 201);
    let ids = [hive.post_task(work).await, hive.post_task(fail).await];
    let noop = hive.post_task(json!({ "title": "Nothing", "duty": "noop" })).await;
    let qa: Uuid =
        sqlx::query_scalar("SELECT id FROM agents WHERE type = 'qa'").fetch_one(&hive.pool).await.unwrap();
    let letter = json!({ "to_agent_id": qa, "content": "Nothing to do.", "wake": false });
    let (_, sent) = hive.post("/api/v1/messages/send", &letter).await;
    let ack = json!({ "message_ids": [sent["id"]] });
    assert_eq!(hive.post(&format!("/api/v1/messages/{qa}/ack"), &ack).await.0, 200);
    assert_eq!(hive.post("/api/v1/context/search", &json!({ "query": "nothing" })).await.0, 200);
    let wish = json!({ "agent_ids": [qa] });
    assert_eq!(hive.post("/api/v1/system/sleep", &wish).await.0, 202);
    let (status, asked) = hive.post("/api/v1/system/checkpoint", &json!({})).await;
    assert_eq!(status, 202, "{asked:#}");
    within(Duration::from_secs(60), "the night and the checkpoint are done", async || {
        let open = "SELECT (SELECT count(*) FROM sleeps WHERE state <> 'awake')
                         + (SELECT count(*) FROM system_checkpoints WHERE status NOT IN ('done', 'failed'))";
        let open: i64 = sqlx::query_scalar(open).fetch_one(&hive.pool).await.unwrap();
        (open == 0).then_some(())
    })
    .await;
    hive.wait_succeeded(ids[0], 90).await;
    assert_eq!(hive.wait_end(ids[1], 90).await["status_reason"], "verification_failed");
    hive.wait_succeeded(noop, 30).await;
}

#[tokio::test]
async fn every_panel_brings_data_and_every_metric_is_documented() {
    let Some(program) = Prometheus::find() else {
        eprintln!("skipped: prometheus is not on PATH (apt-get install prometheus)");
        return;
    };
    let mut hive = TestHive::builder().script(script()).schedulers(2).start().await;
    let kills = lose_a_worker(&mut hive).await;
    let prometheus = Prometheus::start(&program, &hive).await;
    let repo = hive.repo("works", &[("README", "Nothing yet.\n")]);
    let vanished = lose_a_repository(&hive, 100).await;
    let dead = lose_a_repository(&hive, 1).await;
    // What the provider says about one model holds all that ask it.
    let parked = hive.post_task(json!({ "title": "Parks", "model": "claude-haiku-5-5" })).await;
    assert_eq!(hive.wait_status(parked, 30, "waiting").await["status_reason"], "rate_limited");
    assert_eq!(hive.wait_status(vanished, 30, "waiting").await["status_reason"], "retry");
    round(&hive, &repo).await;
    // A rise is seen only between two samples of one process: everything happens once more when all were read.
    prometheus.reads_all().await;
    round(&hive, &repo).await;
    assert_eq!(hive.wait_end(dead, 60).await["status"], "dead");
    hive.wait_succeeded(kills, 60).await;

    let queries = queries();
    let mut empty = Vec::new();
    for Query { panel, expression } in &queries {
        let found = ask(&prometheus, expression).await;
        if let Err(why) = found {
            empty.push(format!("{panel}: {why}: {expression}"));
        }
    }
    assert!(
        empty.is_empty(),
        "{} of {} queries bring nothing:\n{}",
        empty.len(),
        queries.len(),
        empty.join("\n")
    );

    figures_are_true(&prometheus, &hive).await;

    let stands = |rules: &[Value], name: &str| {
        let rule = rules.iter().find(|rule| rule["name"] == name).unwrap();
        rule["state"].as_str().unwrap().to_owned()
    };
    // The dead worker's run was a ghost for a moment, which its rule may have seen and takes back by itself.
    let seen = "all rules were evaluated, one sees the dead task, and the ghost is gone";
    let rules = within(Duration::from_secs(30), seen, async || {
        let rules = prometheus.rules().await.ok()?;
        let known = rules.iter().all(|rule| rule["health"] != "unknown");
        let dead = known && stands(&rules, "DeadLetters") != "inactive";
        (dead && stands(&rules, "GhostRuns") == "inactive").then_some(rules)
    })
    .await;
    assert!(rules.len() >= 15, "the rules were not loaded");
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    for quiet in ["SchedulerAbsent", "WorkerAbsent", "ApiAbsent", "DutyDoesNotSucceed", "StoreAway"] {
        assert_eq!(stands(&rules, quiet), "inactive", "{quiet}");
    }

    let known = documented();
    for program in hive.apis.iter().chain(&hive.schedulers).chain(&hive.workers) {
        if hive.workers[0].name == program.name {
            continue;
        }
        let page = hive.page(program.url(), "/metrics").await;
        let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        for family in families {
            assert!(
                known.contains(family),
                "{} shows {family}, which docs/OPERATIONS.md does not list",
                program.name
            );
        }
    }
    for id in [parked, vanished] {
        hive.cancel(id).await;
    }
}

/// What was counted is what happened.
async fn figures_are_true(prometheus: &Prometheus, hive: &TestHive) {
    let number =
        async |query: &str| -> f64 { sqlx::query_scalar(query).fetch_one(&hive.pool).await.unwrap() };
    let tasks = number("SELECT count(*)::double precision FROM tasks").await;
    let cost = number("SELECT sum(cost_nano_usd)::double precision FROM tasks").await;
    let tokens = number("SELECT sum(output_tokens)::double precision FROM tasks").await;
    let steps = number("SELECT count(*)::double precision FROM steps").await;
    assert!(cost > 0.0 && tokens > 0.0 && steps > 0.0);
    for (expression, wanted) in [
        ("sum(hive_tasks_created_total)", tasks),
        ("sum(hive_llm_cost_nano_usd_total)", cost),
        ("sum(hive_llm_tokens_total{kind=\"output\"})", tokens),
        ("sum(hive_steps_total)", steps),
        ("sum(hive_step_seconds_count)", steps),
        ("sum(hive_tasks_settled_total{status=\"succeeded\"})", 5.0),
        ("sum(hive_tasks_settled_total{reason=\"verification_failed\"})", 2.0),
        ("sum(hive_tasks_settled_total{reason=\"rate_limited\"})", 1.0),
        ("sum(hive_llm_calls_total{outcome=\"overloaded\"})", 1.0),
        ("sum(hive_sandbox_kills_total{limit=\"wall_time\"})", 2.0),
        ("sum(hive_tool_seconds_count{tool=\"edit_file\",outcome=\"error\"})", 2.0),
        ("sum(hive_tasks_orphaned_total)", 1.0),
        ("max(hive_dead_letters)", 1.0),
        ("max(hive_waiting{reason=\"rate_limited\"})", 1.0),
        ("max(hive_tasks{status=\"running\"})", 0.0),
        ("max(hive_running_without_lease)", 0.0),
        ("sum(hive_worker_slots)", 4.0),
        ("sum(hive_worker_running)", 0.0),
    ] {
        let seen = Cell::new(None);
        let limit = std::time::Instant::now() + DATA_WITHIN;
        while std::time::Instant::now() < limit {
            let samples = prometheus.query(expression).await.unwrap();
            seen.set(samples.first().map(|(_, value)| *value));
            if seen.get() == Some(wanted) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        assert_eq!(seen.get(), Some(wanted), "{expression}");
    }
}

/// Asks until there is at least one number: passes and scrapes come each second.
async fn ask(prometheus: &Prometheus, expression: &str) -> Result<(), String> {
    let start = std::time::Instant::now();
    loop {
        let samples = prometheus.query(expression).await?;
        if samples.iter().any(|(_, value)| value.is_finite()) {
            return Ok(());
        }
        if start.elapsed() > DATA_WITHIN {
            return Err(format!("{} series, none with a number", samples.len()));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The first column of the list of metrics.
fn documented() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md");
    let text = fs::read_to_string(page).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    names.map(str::to_owned).collect()
}
