//! A conversation that grows too long goes on in a new segment, and nothing that matters is lost at its edge.

use std::time::Duration;

use hive_double::KeptRequest;
use hive_tests::{TestHive, finish, rules, shell, spoken, within, write};
use serde_json::{Value, json};
use uuid::Uuid;

/// Tokens of the window in these stories.
const WINDOW: usize = 20_000;
/// What the question for a summary holds, and what a segment begins with.
const ASKED: &str = "is about to be put aside";
const BEGUN: &str = "filled your window and was put aside";

/// A turn that counts, with an output of some size.
fn count() -> Value {
    shell(
        "n=$(($(cat n 2>/dev/null || echo 0) + 1)); echo $n > n; echo count $n; \
         head -c 2600 /dev/zero | tr '\\0' x | fold -w 100",
    )
}

/// The rule for the request behind this count, in the middle of a segment or at its beginning.
fn at(count: usize, mut rule: Value) -> [Value; 2] {
    let mut again = rule.clone();
    rule["name"] = json!(format!("at {count}"));
    rule["when"] = json!({ "last_result": format!("count {count}\n"), "not": { "last_text": ASKED } });
    again["name"] = json!(format!("at {count}, anew"));
    again["when"] = json!({ "last_text": format!("(?s){BEGUN}.*The last turn.*count {count}\n") });
    [rule, again]
}

fn summary() -> Value {
    let said = json!({ "state": "Counting goes on.", "decisions": ["Count by ones."],
                       "open_work": ["Write the docs."], "failed_approaches": ["Counting by twos skips."] });
    json!({ "name": "summary", "when": { "last_text": ASKED }, "say": said.to_string() })
}

/// The same rule for the first time that a task meets it.
fn once(name: &str, mut rule: Value) -> Value {
    rule["name"] = json!(name);
    rule["times_per_user"] = json!(1);
    rule
}

fn script(mut special: Vec<Value>, last: usize) -> hive_double::Script {
    special.push(summary());
    special.extend(at(last, json!({ "tools": [finish("Counted.")] })));
    special.push(json!({ "name": "more", "tools": [count()] }));
    rules(json!(special))
}

async fn start(script: hive_double::Script, window: usize) -> TestHive {
    let builder = TestHive::builder().script(script);
    builder.worker_env("HIVE_WINDOWS", &format!("default={window}")).start().await
}

async fn post(hive: &TestHive) -> Uuid {
    let repo = hive.repo("count", &[("README", "Count.\n")]);
    let limits = json!({ "max_turns": 200, "max_cost_usd": null, "max_seconds": null });
    hive.post_task(json!({ "title": "Count", "repository": repo.json(), "limits": limits })).await
}

fn requests(hive: &TestHive, id: Uuid) -> Vec<KeptRequest> {
    let mut ours = hive.double.requests();
    ours.retain(|request| request.user_id == Some(id.to_string()));
    ours
}

fn last_text(request: &KeptRequest) -> String {
    let messages = request.body["messages"].as_array().unwrap();
    messages.last().unwrap()["content"].to_string()
}

/// The first request of each segment but the first.
fn firsts(hive: &TestHive, id: Uuid) -> Vec<KeptRequest> {
    let mut ours = requests(hive, id);
    ours.retain(|request| {
        request.body["messages"].as_array().unwrap().len() == 2
            && last_text(request).contains(BEGUN)
            && !last_text(request).contains(ASKED)
    });
    ours
}

async fn segments(hive: &TestHive, id: Uuid) -> Vec<Value> {
    let steps = hive.steps(id).await.into_iter();
    steps.filter(|step| step["kind"] == "compacted").map(|step| step["content"].clone()).collect()
}

async fn assert_whole(hive: &TestHive, id: Uuid) {
    assert_eq!(hive.booked(id).await, hive.charged(id), "summaries are paid for like any call");
    hive.assert_whole(id).await;
    let report = hive.command(&["--json", "verify", "--all", "--ticket-grace", "300"]).await;
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["whole"], true, "{report:#}");
}

#[tokio::test]
async fn sixty_turns_under_a_small_window_lose_no_rule_and_no_failure() {
    const TURNS: usize = 60;
    let mut special = at(3, json!({ "tools": [shell("echo broken-approach >&2; exit 3")] })).to_vec();
    special[0]["times_per_user"] = json!(1);
    special.extend(at(5, json!({ "tools": [write("notes.md", "Notes.\n")] })));
    let hive = start(script(special, TURNS), WINDOW).await;
    let id = post(&hive).await;
    let rule = "Never touch the README:\n  it is holy.";
    hive.tell(id, rule, "enqueue").await;
    hive.wait_succeeded(id, 240).await;

    let segments = segments(&hive, id).await;
    assert!(segments.len() >= 3, "{} segments were begun", segments.len());
    for (index, segment) in segments.iter().enumerate() {
        let (before, after) =
            (segment["tokens_before"].as_u64().unwrap(), segment["tokens_after"].as_u64().unwrap());
        assert_eq!((&segment["segment"], &segment["trigger"]), (&json!(index + 2), &json!("full")));
        assert!(before >= WINDOW as u64 * 80 / 100 && after * 5 <= before * 4, "{before} and {after} tokens");
        assert_eq!(segment["summary"]["open_work"], json!(["Write the docs."]));
    }
    let firsts = firsts(&hive, id);
    assert_eq!(firsts.len(), segments.len());
    for first in &firsts {
        let told = first.body["messages"][1]["content"][0]["text"].as_str().unwrap();
        for kept in [
            rule,
            "broken-approach",
            "exit code: 3",
            "- notes.md",
            "Write the docs.",
            "Count by ones.",
            "Counting by twos skips.",
        ] {
            assert!(told.contains(kept), "{kept:?} is missing in:\n{told}");
        }
        assert!(
            first.body["messages"][0].to_string().contains("Task: Count"),
            "the task's own words stand first"
        );
    }
    let prompt = |usage: hive_double::Usage| {
        usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    };
    for call in hive.calls(id) {
        assert!(prompt(call.usage) < WINDOW as u64, "{call:?}");
    }
    // The question for a summary stands behind the conversation, which the cache serves.
    let asked: Vec<_> = hive.calls(id).into_iter().filter(|call| call.rule == "summary").collect();
    assert_eq!(asked.len(), segments.len());
    for call in asked {
        let usage = call.usage;
        assert!(usage.cache_read_input_tokens * 100 > prompt(usage) * 80, "{usage:?}");
    }
    // What is never sent again can still be read.
    let steps = hive.steps(id).await;
    let results = steps.iter().filter(|step| step["kind"] == "tool_results");
    let results: Vec<&str> =
        results.map(|step| step["content"]["results"][0]["content"].as_str().unwrap()).collect();
    for number in 1..=TURNS {
        assert!(results.iter().any(|text| text.contains(&format!("count {number}\n"))), "count {number}");
    }
    let format = "SELECT journal_format::bigint FROM tasks WHERE id = $1";
    assert_eq!(hive.count(format, id).await, 3, "builds that know no segments leave it alone");
    assert_whole(&hive, id).await;
}

#[tokio::test]
async fn a_kill_on_either_side_of_an_edge_says_the_same_again() {
    let mut asking = summary();
    asking["delay_ms"] = json!(120_000);
    let beginning = json!({ "when": { "last_text": format!("{BEGUN}(?s:.*)## The last turn") },
                            "tools": [count()], "delay_ms": 120_000 });
    let special = vec![once("slow summary", asking), once("slow beginning", beginning)];
    let mut hive = start(script(special, 25), WINDOW).await;
    let id = post(&hive).await;
    let spoken_of = |hive: &TestHive, text: &str, but: &str| -> Vec<String> {
        let ours = requests(hive, id).into_iter();
        ours.filter(|request| last_text(request).contains(text) && !last_text(request).contains(but))
            .map(|request| request.body.to_string())
            .collect()
    };
    for (index, (text, but)) in [(ASKED, "\u{0}"), (BEGUN, ASKED)].into_iter().enumerate() {
        within(Duration::from_secs(120), "the request that hangs", async || {
            (!spoken_of(&hive, text, but).is_empty()).then_some(())
        })
        .await;
        hive.workers[index].kill9();
        hive.start_worker().await;
    }
    hive.wait_succeeded(id, 120).await;
    let first = |all: Vec<String>| (all[0].clone(), all[1].clone());
    let (summary, again) = first(spoken_of(&hive, ASKED, "\u{0}"));
    assert_eq!(summary, again, "the question for the summary is asked again, byte for byte");
    let (beginning, again) = first(spoken_of(&hive, BEGUN, ASKED));
    assert_eq!(beginning, again, "a segment is read back as it was begun");
    let segments = segments(&hive, id).await.len();
    assert_eq!(spoken_of(&hive, ASKED, "\u{0}").len(), segments + 1, "one summary was asked for twice");
    assert_whole(&hive, id).await;
}

#[tokio::test]
async fn a_summary_of_no_use_changes_nothing_and_is_asked_for_once_more() {
    let bad = |name: &str, answer: Value| {
        let mut rule = answer;
        rule["when"] = json!({ "last_text": ASKED });
        once(name, rule)
    };
    let special = vec![
        bad("prose", json!({ "say": "I would rather go on." })),
        bad("cut", json!({ "say": "{\"state\": \"half", "stop_reason": "max_tokens" })),
        bad("good", json!({ "say": summary()["say"] })),
        bad("declined", json!({ "say": "I will not.", "stop_reason": "refusal" })),
    ];
    let hive = start(script(special, 60), WINDOW).await;
    let id = post(&hive).await;
    hive.wait_succeeded(id, 240).await;
    let summaries: Vec<bool> =
        segments(&hive, id).await.iter().map(|segment| segment["summary"].is_object()).collect();
    assert_eq!(summaries[..3], [false, true, true], "twice of no use, then good, then declined and good");
    let told = |index: usize| firsts(&hive, id)[index].body["messages"][1].to_string();
    assert!(!told(0).contains("Write the docs.") && told(0).contains("The last turn"), "{}", told(0));
    assert!(told(1).contains("Write the docs."));
    let failed = "SELECT count(*) FROM llm_calls WHERE task_id = $1 AND state = 'failed' \
                  AND error LIKE 'the summary cannot be used: %' AND output_tokens > 0";
    assert_eq!(hive.count(failed, id).await, 3, "each of them is paid for and says what was wrong");
    assert_whole(&hive, id).await;
}

#[tokio::test]
async fn a_conversation_that_does_not_fit_is_put_aside_and_goes_on() {
    let full = json!({ "say": "No room.", "stop_reason": "model_context_window_exceeded" });
    let long = json!({ "fault": { "status": 400, "message": "prompt is too long: 1000001 tokens > 1000000 maximum" } });
    let [full, _] = at(12, full);
    let [long, _] = at(24, long);
    let special = vec![once("full", full), once("long", long)];
    let hive = start(script(special, 30), 200_000).await;
    let id = post(&hive).await;
    hive.wait_succeeded(id, 120).await;
    let segments = segments(&hive, id).await;
    let triggers: Vec<&Value> = segments.iter().map(|segment| &segment["trigger"]).collect();
    assert_eq!(triggers, ["overflow", "overflow"]);
    // What did not fit is not sent once more as it was: the question goes out with the ends of what tools printed.
    let asked = requests(&hive, id).into_iter().filter(|request| last_text(request).contains(ASKED));
    for request in asked {
        assert!(request.body.to_string().len() < 34_000, "{} bytes", request.body.to_string().len());
        assert!(spoken(&request).contains("bytes left out]"));
    }
    assert_whole(&hive, id).await;
}

#[tokio::test]
async fn a_conversation_that_fits_nowhere_ends_as_what_it_is() {
    let full = || json!({ "say": "No room.", "stop_reason": "model_context_window_exceeded" });
    let mut special = at(12, full()).to_vec();
    let mut anew = full();
    anew["name"] = json!("anew");
    anew["when"] = json!({ "last_text": format!("{BEGUN}(?s:.*)The last turn"),
                           "not": { "last_text": ASKED } });
    special.push(anew);
    let hive = start(script(special, 30), 200_000).await;
    let id = post(&hive).await;
    let task = hive.wait_end(id, 120).await;
    assert_eq!(
        (&task["status"], &task["status_reason"]),
        (&json!("failed"), &json!("context_window")),
        "{task:#}"
    );
    let begun = segments(&hive, id).await.len();
    assert!((1..=2).contains(&begun), "{begun} segments were begun");
    assert!(hive.calls(id).len() <= 12 + 1 + 2 * begun, "{} calls", hive.calls(id).len());
    assert_whole(&hive, id).await;
}

#[tokio::test]
async fn a_block_that_the_service_signed_stands_first_as_it_came() {
    let builder = TestHive::builder().script(script(Vec::new(), 40));
    let builder = builder.worker_env("HIVE_WINDOWS", &format!("default={WINDOW}"));
    let hive = builder.worker_env("HIVE_SERVER_COMPACTION", "true").start().await;
    let id = post(&hive).await;
    hive.tell(id, "Never touch the README.", "enqueue").await;
    hive.wait_succeeded(id, 240).await;
    let segments = segments(&hive, id).await;
    assert!(segments.len() >= 2, "{} segments were begun", segments.len());
    let asked = requests(&hive, id);
    assert!(!asked.iter().any(|request| last_text(request).contains(ASKED)), "the model is not asked");
    let summaries =
        asked.iter().filter(|request| request.body["compaction"] == json!({ "type": "summarize" }));
    assert_eq!(summaries.count(), segments.len());
    for segment in &segments {
        assert_eq!((&segment["block"]["type"], &segment["summary"]), (&json!("compaction"), &Value::Null));
        let sent =
            asked.iter().filter(|request| request.body["messages"][0]["content"][0] == segment["block"]);
        let sent: Vec<_> = sent.collect();
        assert!(!sent.is_empty() && sent[0].body["messages"].to_string().contains("Never touch the README."));
    }
    assert_whole(&hive, id).await;
}

#[tokio::test]
async fn a_model_that_should_write_the_summary_and_is_out_is_passed_over() {
    let mut out = summary();
    out["name"] = json!("out");
    out["when"] = json!({ "last_text": ASKED, "model": "claude-opus-5-5" });
    out["fault"] = json!(404);
    let hive = start(script(vec![out], 25), WINDOW).await;
    let writer = json!({ "rules": [{ "role": "*", "step": "summary", "model": "claude-opus-5-5" }] });
    let (status, added) = hive.post("/api/v1/routing-rules", &writer).await;
    assert_eq!(status, 201, "{added}");
    let path = format!("/api/v1/routing-rules/{}/activate", added["version"]);
    assert_eq!(hive.post(&path, &json!({})).await.0, 200);
    let id = post(&hive).await;
    hive.wait_succeeded(id, 120).await;
    let asked: Vec<Value> = requests(&hive, id)
        .into_iter()
        .filter(|request| last_text(request).contains(ASKED))
        .map(|request| request.body["model"].clone())
        .collect();
    assert_eq!(asked[..2], [json!("claude-opus-5-5"), json!("claude-sonnet-5-5")], "{asked:?}");
    assert!(segments(&hive, id).await.iter().all(|segment| segment["summary"].is_object()));
    assert_whole(&hive, id).await;
}
