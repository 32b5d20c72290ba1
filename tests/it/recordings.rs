//! A run is recorded on the wire, and a hive that knows nothing of it does the same again, byte for byte.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use hive_double::{Recording, Script};
use hive_tests::{Builder, Repo, TestHive, answer, branch, finish, rules, shell, within, write};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

/// The run in the repository. `make recordings` records it anew.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/mend.jsonl");

/// Says where the files lie and how long it took. Nothing but a shell and its tools, which print the same everywhere.
const CHECK: &str =
    "echo \"checking $PWD/shop.txt\"\necho \"1 check in 0.$(date +%N)s\"\ngrep -qx open shop.txt\n";

/// Looks, says too early that it is done, meets an overloaded service, mends, and is done. Its commands print how long
/// they took and where the files lie.
fn script() -> Script {
    rules(json!([
        { "name": "overloaded", "when": { "turn": 2 }, "times_per_user": 1, "fault": 529 },
        answer("Mend", 0, json!([shell("bash check.sh; pwd; ls")])),
        answer("Mend", 1, json!([finish("All is well.")])),
        answer("Mend", 2, json!([write("shop.txt", "open\n")])),
        answer("Mend", 3, json!([finish("The shop is open.")])),
    ]))
}

fn hive(records: &Path) -> Builder {
    TestHive::builder().worker_env("HIVE_RECORD", records.to_str().unwrap())
}

async fn mender(hive: &TestHive) -> String {
    let agent = json!({ "name": "Mender", "type": "mender", "model": "claude-sonnet-5", "system_prompt": "You mend.",
                        "tools": ["shell", "write_file", "finish"] });
    let (status, agent) = hive.post("/api/v1/agents", &agent).await;
    assert_eq!(status, 201, "{agent:#}");
    agent["id"].as_str().unwrap().to_owned()
}

async fn post(hive: &TestHive, repo: &Repo) -> Uuid {
    let task = json!({ "title": "Mend the shop", "agent_type": "mender", "repository": repo.json(),
                       "acceptance": [{ "name": "tests", "command": "bash check.sh" }] });
    hive.post_task(task).await
}

fn repo(hive: &TestHive) -> Repo {
    hive.repo("shop", &[("shop.txt", "closed\n"), ("check.sh", CHECK)])
}

/// The journal without what is a run's own: who wrote it and when, and how long its checks took.
async fn journal(hive: &TestHive, id: Uuid) -> Vec<Value> {
    let mut steps = hive.steps(id).await;
    for step in &mut steps {
        let content = &step["content"];
        let kept = match step["kind"].as_str().unwrap() {
            "checks" => json!({ "passed": content["passed"], "tree": content["tree"] }),
            "tool_results" => json!(content["results"].as_array().unwrap().len()),
            _ => json!({ "content": content["content"], "usage": content["usage"], "stop": content["stop"],
                         "request_id": content["request_id"] }),
        };
        *step = json!({ "kind": step["kind"], "kept": kept, "changed": step["commit"].is_string() });
    }
    steps
}

/// What a run leaves to be compared.
struct Run {
    id: Uuid,
    journal: Vec<Value>,
    tree: String,
    /// The lines that its worker recorded.
    lines: Vec<Value>,
    text: String,
}

async fn run(hive: &TestHive, records: &Path) -> Run {
    mender(hive).await;
    let repo = repo(hive);
    let id = post(hive, &repo).await;
    hive.wait_succeeded(id, 120).await;
    hive.assert_whole(id).await;
    let text = fs::read_to_string(file(records, id)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Run { id, journal: journal(hive, id).await, tree: repo.tree(&branch(id)), lines, text }
}

fn file(records: &Path, id: Uuid) -> PathBuf {
    records.join(format!("{id}.jsonl"))
}

async fn record() -> (Run, TempDir) {
    let records = TestHive::elsewhere();
    let hive = hive(records.path()).script(script()).start().await;
    let run = run(&hive, records.path()).await;
    let (from, output) = (records.path().to_str().unwrap(), records.path().join("run.jsonl"));
    let collect = ["task", "recording", &run.id.to_string(), "--from", from, "--output"];
    let told = hive.says_json(&[&collect[..], &[output.to_str().unwrap()]].concat()).await;
    assert_eq!((&told["calls"], &told["answers"]), (&json!(5), &json!(4)), "{told:#}");
    assert_eq!(fs::read_to_string(&output).unwrap(), run.text, "the journal proves what is in the file");
    for written in [&output, &file(records.path(), run.id)] {
        assert_eq!(fs::metadata(written).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(!run.text.contains(hive.claude_key()) && !run.text.contains("api-key"), "no credential");
    (run, records)
}

/// Bodies of requests without what `recording/own.rs` of the double lists.
fn request(line: &Value, id: Uuid) -> String {
    let text = line["request"].to_string().replace(&id.to_string(), "{task}");
    let took = regex::Regex::new(r"in \d+\.\d+s").unwrap();
    took.replace_all(&text, "in {time}").into_owned()
}

#[tokio::test]
async fn a_recorded_run_is_done_again_byte_for_byte() {
    let (recorded, directory) = record().await;
    let statuses: Vec<_> = recorded.lines.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 529, 200, 200]);
    let told = recorded.lines[1]["request"].to_string();
    assert!(told.contains("checking ./shop.txt\\n1 check in 0."), "where the tree lies is not told: {told}");
    assert!(recorded.lines[2]["request"].to_string().contains("The checks failed"));

    let records = TestHive::elsewhere();
    let recording = Recording::load(&directory.path().join("run.jsonl")).unwrap();
    let hive = hive(records.path()).recording(recording).start().await;
    let replayed = run(&hive, records.path()).await;
    assert_eq!(hive.double.unplayed(), Vec::<usize>::new());
    assert_eq!(replayed.journal, recorded.journal);
    assert_eq!(replayed.tree, recorded.tree);
    assert_eq!(replayed.lines.len(), recorded.lines.len());
    for (replayed_line, recorded_line) in replayed.lines.iter().zip(&recorded.lines) {
        assert_eq!(request(replayed_line, replayed.id), request(recorded_line, recorded.id));
        for field in ["status", "body"] {
            assert_eq!(replayed_line[field], recorded_line[field]);
        }
    }

    let agents = hive.get("/api/v1/agents").await;
    let mender = agents["items"].as_array().unwrap().iter().find(|agent| agent["type"] == "mender").unwrap();
    let path = format!("/api/v1/agents/{}", mender["id"].as_str().unwrap());
    let changed = json!({ "system_prompt": "You mend with care." });
    assert!(hive.send(0, Method::PUT, &path, Some(&changed)).await.status().is_success());
    let other = hive.repo("other", &[("shop.txt", "closed\n")]);
    let id = post(&hive, &other).await;
    let task = hive.wait_end(id, 60).await;
    assert_eq!(
        (&task["status"], &task["status_reason"]),
        (&json!("failed"), &json!("invalid_request")),
        "{task:#}"
    );
    let detail = task["status_detail"].as_str().unwrap();
    let named = "differs first at /system/0/text: recorded \"You mend.\", sent \"You mend with care.\"";
    assert!(detail.contains(named), "{detail}");
}

/// With `UPDATE_RECORDINGS=1` (`make recordings`) the run is recorded anew first.
#[tokio::test]
async fn the_recording_in_the_repository_still_fits() {
    if std::env::var_os("UPDATE_RECORDINGS").is_some() {
        let (_, directory) = record().await;
        let text = fs::read_to_string(directory.path().join("run.jsonl")).unwrap();
        fs::write(KEPT, text).unwrap();
    }
    let records = TestHive::elsewhere();
    let hive = hive(records.path()).recording(Recording::load(Path::new(KEPT)).unwrap()).start().await;
    let run = run(&hive, records.path()).await;
    assert_eq!(hive.double.unplayed(), Vec::<usize>::new(), "make recordings records it anew");
    assert_eq!(run.lines.len(), 5);
}

#[tokio::test]
async fn a_worker_that_is_killed_leaves_a_recording_that_can_be_played() {
    let records = TestHive::elsewhere();
    let mut slow = answer("Mend", 3, json!([finish("The shop is open.")]));
    slow["name"] = json!("slow");
    slow["delay_ms"] = json!(120_000);
    slow["times_per_user"] = json!(1);
    let script = rules(json!([
        answer("Mend", 0, json!([shell("ls")])),
        answer("Mend", 1, json!([shell("cat shop.txt")])),
        answer("Mend", 2, json!([write("shop.txt", "open\n")])),
        slow,
        answer("Mend", 3, json!([finish("The shop is open.")])),
    ]));
    let mut hive = hive(records.path()).script(script).start().await;
    mender(&hive).await;
    let repo = repo(&hive);
    let id = post(&hive, &repo).await;
    hive.wait_asked(id, 60, 4).await;
    hive.workers[0].kill9();
    // As a worker leaves it that is killed while it writes.
    let path = file(records.path(), id);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{}", &whole[..200])).unwrap();
    let half = Recording::load(&path).unwrap_err().to_string();
    assert!(half.contains("line 4, the last one, is half"), "{half}");
    hive.start_worker().await;
    hive.wait_succeeded(id, 120).await;

    let from = records.path().to_str().unwrap();
    let printed = hive.says(&["task", "recording", &id.to_string(), "--from", from]).await;
    assert_eq!(printed.lines().count(), 4, "the call that was cut was not answered");
    assert!(printed.starts_with(&whole));
    assert!(Recording::parse(&printed).is_ok());

    // As a worker leaves it that is killed between the recording and the journal: the run went on with another answer.
    let lines: Vec<&str> = printed.split_inclusive('\n').collect();
    let mut lost: Value = serde_json::from_str(lines[1]).unwrap();
    lost["headers"]["request-id"] = json!("req_lost");
    lost["body"] = json!(lost["body"].as_str().unwrap().replace("cat shop.txt", "rm shop.txt"));
    fs::write(&path, [lines[0], &format!("{lost}\n"), lines[1], lines[2], lines[3]].concat()).unwrap();
    let again = hive.says(&["task", "recording", &id.to_string(), "--from", from]).await;
    assert_eq!(again, printed);

    // Without the call of a step the journal says what is missing.
    fs::write(&path, [lines[0], lines[2], lines[3]].concat()).unwrap();
    let complaint = hive.complains(1, &["task", "recording", &id.to_string(), "--from", from]).await;
    assert!(complaint.contains("it lacks the calls of step 3"), "{complaint}");
}

#[tokio::test]
async fn a_full_disk_ends_the_recording_and_not_the_task() {
    let records = TestHive::elsewhere();
    let script = rules(json!([
        answer("Talk", 0, json!([{ "name": "wait", "input": {} }])),
        answer("Talk", 1, json!([finish("Talked.")])),
    ]));
    let mut hive = hive(records.path())
        .worker_env("HIVE_RECORD_TASKS", "labelled")
        .script(script)
        .workers(0)
        .start()
        .await;
    let labelled = json!({ "title": "Talk", "labels": { "record": "true" } });
    let (full, good) = (hive.post_task(labelled.clone()).await, hive.post_task(labelled).await);
    let silent = hive.post_task(json!({ "title": "Talk" })).await;
    symlink("/dev/full", file(records.path(), full)).unwrap();
    hive.start_worker().await;
    for id in [full, good, silent] {
        hive.wait_succeeded(id, 60).await;
    }
    let count = fs::read_to_string(file(records.path(), good)).unwrap().lines().count();
    assert_eq!(count, 2);
    assert!(!file(records.path(), silent).exists(), "it has no label");
    let from = records.path().to_str().unwrap();
    let complaint = hive.complains(1, &["task", "recording", &full.to_string(), "--from", from]).await;
    assert!(complaint.contains("is incomplete"), "{complaint}");
    let complaint = hive.complains(1, &["task", "recording", &silent.to_string(), "--from", from]).await;
    assert!(complaint.contains("is recorded in"), "{complaint}");
    let failed = "hive_recorded_calls_total{outcome=\"failed\"} 1";
    within(Duration::from_secs(20), failed, async || {
        let metrics = hive.page(hive.workers[0].url(), "/metrics").await;
        metrics.lines().any(|line| line == failed).then_some(())
    })
    .await;
    assert!(hive.workers[0].log_text().contains("is not recorded any further"));
}
