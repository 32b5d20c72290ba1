//! The example with the failing test, played against the double with real tools.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use hive_double::{Double, DoubleConfig, DoubleHandle, Script};
use serde_json::{Value, json};

const TOOLS: [&str; 7] =
    ["list_files", "read_file", "write_file", "edit_file", "search_text", "shell", "finish"];

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/failing-test")
}

fn make_repository(folder: &Path, bug: &str) -> String {
    let script = example().join("make-repo.sh");
    let output = Command::new(script).arg(folder).args(["--bug", bug]).output().expect("make-repo.sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn run_tests(folder: &Path) -> Output {
    let mut python = Command::new("python3");
    let python = python.args(["-m", "unittest"]).current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    python.output().expect("the example needs python3 in PATH, and there is none")
}

async fn playing() -> DoubleHandle {
    let script = Script::load(&example().join("double.yaml")).expect("the example's script can be played");
    Double::start(DoubleConfig { script: Some(script), ..DoubleConfig::default() })
        .await
        .expect("the double starts")
}

/// The tools as the agent answers them: numbered lines, exit codes first, errors in words.
fn answer_tool(folder: &Path, name: &str, input: &Value) -> (String, bool) {
    let path = || folder.join(input["path"].as_str().expect("the tool was given a path"));
    match name {
        "list_files" => {
            let listed = Command::new("git").arg("ls-files").current_dir(folder).output().expect("git runs");
            (String::from_utf8_lossy(&listed.stdout).into_owned(), false)
        }
        "read_file" => {
            let Ok(text) = std::fs::read_to_string(path()) else {
                return ("no such file".to_owned(), true);
            };
            let lines = text.lines().enumerate();
            (lines.map(|(index, line)| format!("{:>5}\t{line}\n", index + 1)).collect(), false)
        }
        "edit_file" => {
            let old = input["old_text"].as_str().expect("an edit has an old text");
            let new = input["new_text"].as_str().expect("an edit has a new text");
            let text = std::fs::read_to_string(path()).expect("the file that is edited can be read");
            if text.matches(old).count() != 1 {
                return ("the old text does not occur exactly once".to_owned(), true);
            }
            std::fs::write(path(), text.replace(old, new)).expect("the file can be written");
            ("edited".to_owned(), false)
        }
        "shell" => {
            assert_eq!(input["command"], "python3 -m unittest");
            let output = run_tests(folder);
            let code = output.status.code().unwrap_or_default();
            let said = [output.stdout, output.stderr].concat();
            (format!("exit code: {code}\n{}", String::from_utf8_lossy(&said)), false)
        }
        other => panic!("the script calls {other}"),
    }
}

/// Plays the agent until it finishes; the messages so far and its claim.
async fn work(double: &DoubleHandle, folder: &Path, messages: &mut Vec<Value>) -> (Value, String) {
    let http =
        reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client is built");
    let tools = TOOLS.map(|name| json!({ "name": name, "input_schema": { "type": "object" } }));
    for _ in 0..12 {
        let body = json!({
            "model": "claude-sonnet-5-5", "max_tokens": 4_000, "tools": tools, "messages": messages,
        });
        let request = http.post(format!("{}/v1/messages", double.url())).body(body.to_string());
        let response = request.header("x-api-key", "key").header("anthropic-version", "2026-10-21").send();
        let response = response.await.expect("an answer comes");
        let status = response.status();
        let answer: Value = response.json().await.expect("the answer is JSON");
        assert_eq!(status, 200, "{answer}");
        messages.push(json!({ "role": "assistant", "content": answer["content"] }));
        let mut results = Vec::new();
        for call in answer["content"].as_array().expect("an answer has content") {
            if call["type"] != "tool_use" {
                continue;
            }
            let name = call["name"].as_str().expect("a tool has a name");
            if name == "finish" {
                let summary = call["input"]["summary"].as_str().expect("a claim has a summary");
                return (call["id"].clone(), summary.to_owned());
            }
            let (text, is_error) = answer_tool(folder, name, &call["input"]);
            results.push(json!({
                "type": "tool_result", "tool_use_id": call["id"], "content": text, "is_error": is_error,
            }));
        }
        messages.push(json!({ "role": "user", "content": results }));
    }
    panic!("the script does not come to an end");
}

fn task() -> Vec<Value> {
    vec![json!({ "role": "user", "content": "Fix the failing test\n\nOne test fails. Mend the code." })]
}

#[tokio::test]
async fn the_script_mends_the_bug_it_knows() {
    let folder = tempfile::tempdir().expect("a folder is made");
    make_repository(folder.path(), "first");
    assert!(!run_tests(folder.path()).status.success(), "the project comes with a failing test");
    let double = playing().await;
    let (_, claim) = work(&double, folder.path(), &mut task()).await;
    assert!(run_tests(folder.path()).status.success(), "the test is mended");
    assert!(claim.contains("All 14 tests pass"), "{claim}");
    let rules: Vec<_> = double.ledger().into_iter().map(|call| call.rule).collect();
    assert_eq!(
        rules,
        [
            "look around",
            "run the tests",
            "read the module and its test",
            "mend the comparison",
            "run the tests again",
            "finish green",
        ]
    );
}

#[tokio::test]
async fn with_the_other_bug_it_claims_what_is_not_so_and_claims_it_again() {
    let folder = tempfile::tempdir().expect("a folder is made");
    make_repository(folder.path(), "other");
    assert!(!run_tests(folder.path()).status.success(), "the other bug makes a test fail");
    let double = playing().await;
    let mut messages = task();
    let (finish, claim) = work(&double, folder.path(), &mut messages).await;
    assert!(!run_tests(folder.path()).status.success(), "nothing is mended");
    assert_eq!(claim, "Fixed the failing test.");

    let red = "The checks failed: tests, exit code 1.";
    let result = json!({ "type": "tool_result", "tool_use_id": finish, "content": red, "is_error": true });
    messages.push(json!({ "role": "user", "content": [result] }));
    let (finish, claim) = work(&double, folder.path(), &mut messages).await;
    assert!(claim.contains("the failing test is fixed"), "{claim}");

    let result = json!({ "type": "tool_result", "tool_use_id": finish, "content": "noted" });
    let text = json!({ "type": "text", "text": red });
    messages.push(json!({ "role": "user", "content": [result, text] }));
    work(&double, folder.path(), &mut messages).await;
    assert!(double.unmatched().is_empty());
}

#[tokio::test]
async fn a_night_that_quotes_the_task_is_not_taken_for_it() {
    let double = playing().await;
    let http =
        reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client is built");
    let quoted = "Fix the failing test: the checks must be run before it ends";
    for (mark, given, list) in [
        ("excerpts", json!({ "id": 1, "text": quoted }), "excerpts"),
        ("facts", json!({ "id": 1, "text": quoted, "since": "2026-01-01T00:00:00Z" }), "kept"),
    ] {
        let body = json!({
            "model": "claude-sonnet-5-5", "max_tokens": 4_000,
            "messages": [{ "role": "user", "content": format!("<{mark}>\n{given}\n</{mark}>") }],
        });
        let request = http.post(format!("{}/v1/messages", double.url())).body(body.to_string());
        let response = request.header("x-api-key", "key").header("anthropic-version", "2026-10-21").send();
        let answer: Value = response.await.expect("an answer comes").json().await.expect("it is JSON");
        assert_eq!(answer["stop_reason"], "end_turn", "{answer}");
        let said = answer["content"][0]["text"].as_str().expect("a night is answered in words");
        let said: Value = serde_json::from_str(said).expect("and in JSON");
        assert_eq!(said[list].as_array().map(Vec::len), Some(1), "{said}");
    }
    let rules: Vec<_> = double.ledger().into_iter().map(|call| call.rule).collect();
    assert_eq!(rules, ["night", "night"]);
    assert!(double.unmatched().is_empty());
}

#[test]
fn the_repository_is_the_same_each_time() {
    for (bug, other) in [("first", "other"), ("other", "first")] {
        let one = tempfile::tempdir().expect("a folder is made");
        let two = tempfile::tempdir().expect("a folder is made");
        let three = tempfile::tempdir().expect("a folder is made");
        assert_eq!(make_repository(one.path(), bug), make_repository(two.path(), bug));
        assert_ne!(
            make_repository(&three.path().join("new"), other),
            make_repository(&two.path().join("new"), bug)
        );
        let branch = Command::new("git").args(["branch", "--show-current"]).current_dir(one.path()).output();
        assert_eq!(branch.expect("git runs").stdout, b"main\n");
    }
}
