//! Each tool on real files and in the real sandbox: what it does, and what it tells the model when it cannot.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use hive_agent::tools::{self, Bench, ToolError};
use hive_domain::ToolName;
use hive_sandbox::{Config, Sandbox};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

struct Workbench {
    directory: TempDir,
    sandbox: Sandbox,
}

impl Workbench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        for name in ["tree", "scratch"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let config = Config { scratch: directory.path().join("scratch"), ..Config::default() };
        let sandbox =
            Sandbox::probe(config).await.expect("cargo build --workspace --bins makes the launcher");
        Self { directory, sandbox }
    }

    fn tree(&self) -> std::path::PathBuf {
        self.directory.path().join("tree")
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.tree().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    async fn call(&self, tool: &str, input: Value) -> Result<String, String> {
        let (tree, cancel) = (self.tree(), CancellationToken::new());
        let bench = Bench { tree: &tree, sandbox: &self.sandbox, until: None, cancel: &cancel };
        let input = RawValue::from_string(input.to_string()).unwrap();
        match tools::call(tool.parse().unwrap(), &input, bench).await {
            Ok(text) => Ok(text),
            Err(ToolError::Tell(text)) => Err(text),
            Err(ToolError::Abort(error)) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn files_are_listed_read_written_edited_and_searched() {
    let bench = Workbench::new().await;
    bench.put("src/a.py", "one\ntwo\nthree\n");
    assert_eq!(bench.call("list_files", json!({})).await.unwrap(), "src/\nsrc/a.py");
    assert_eq!(
        bench.call("read_file", json!({"path": "src/a.py"})).await.unwrap(),
        "    1\tone\n    2\ttwo\n    3\tthree\n"
    );
    let part = bench.call("read_file", json!({"path": "src/a.py", "offset": 2, "limit": 1})).await.unwrap();
    assert_eq!(part, "    2\ttwo\n[lines 2 to 2 of 3; go on with offset 3]");
    bench.call("edit_file", json!({"path": "src/a.py", "old_text": "two", "new_text": "2"})).await.unwrap();
    bench.call("write_file", json!({"path": "docs/new/b.md", "content": "two\n"})).await.unwrap();
    assert_eq!(fs::read_to_string(bench.tree().join("src/a.py")).unwrap(), "one\n2\nthree\n");
    assert_eq!(
        bench.call("search_text", json!({"pattern": "^t"})).await.unwrap(),
        "src/a.py:3: three\ndocs/new/b.md:1: two"
    );
    assert_eq!(
        bench.call("search_text", json!({"pattern": "t", "glob": "*.md"})).await.unwrap(),
        "docs/new/b.md:1: two"
    );
    assert_eq!(bench.call("finish", json!({"summary": " Done. "})).await.unwrap(), "Done.");
}

#[tokio::test]
async fn what_cannot_be_done_is_told_and_changes_nothing() {
    let bench = Workbench::new().await;
    bench.put("a.txt", "x x\n");
    std::os::unix::fs::symlink("/etc", bench.tree().join("link")).unwrap();
    for (tool, input, told) in [
        ("read_file", json!({"path": "../secret"}), "../secret"),
        ("read_file", json!({"path": "/etc/passwd"}), "/etc/passwd"),
        ("read_file", json!({"path": "link/hostname"}), "link/hostname"),
        ("write_file", json!({"path": "link/x", "content": ""}), "link/x"),
        ("write_file", json!({"path": "../x", "content": ""}), "../x"),
        ("list_files", json!({"path": ".."}), ".."),
        ("edit_file", json!({"path": "a.txt", "old_text": "x", "new_text": "y"}), "2 times"),
        ("edit_file", json!({"path": "a.txt", "old_text": "z", "new_text": "y"}), "does not occur"),
        ("edit_file", json!({"path": "a.txt", "old_text": "", "new_text": "y"}), "old_text"),
        ("read_file", json!({"path": "a.txt", "offset": 9}), "1 lines"),
        ("read_file", json!({"file": "a.txt"}), "file"),
        ("search_text", json!({"pattern": "("}), "pattern"),
        ("search_text", json!({"pattern": "x", "glob": "["}), "glob"),
        ("shell", json!({"command": " "}), "command"),
        ("finish", json!({"summary": ""}), "summary"),
    ] {
        let error = bench.call(tool, input.clone()).await.expect_err(&format!("{tool} {input}"));
        assert!(error.contains(told), "{tool} {input}: {error}");
    }
    assert_eq!(fs::read_to_string(bench.tree().join("a.txt")).unwrap(), "x x\n");
    assert!(!Path::new("/etc/x").exists() && !bench.directory.path().join("x").exists());
}

#[tokio::test]
async fn a_command_shows_its_exit_code_and_both_streams_and_ends_at_its_limit() {
    let bench = Workbench::new().await;
    let text =
        bench.call("shell", json!({"command": "echo out; echo err >&2; touch made; exit 3"})).await.unwrap();
    assert_eq!(text, "exit code: 3\n--- stdout ---\nout\n--- stderr ---\nerr\n");
    assert!(bench.tree().join("made").exists());
    let error = bench.call("shell", json!({"command": "sleep 60", "timeout_seconds": 1})).await.unwrap_err();
    assert!(error.contains("limit of wall time"), "{error}");
}

#[test]
fn every_schema_is_closed_and_described() {
    for tool in ToolName::ALL {
        let definition = tools::definition(*tool).unwrap();
        let schema: Value = serde_json::from_str(definition.input_schema.unwrap().get()).unwrap();
        assert_eq!(schema["type"], "object", "{tool}");
        assert_eq!(schema["additionalProperties"], false, "{tool}");
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{tool}.{name}");
        }
    }
}

#[test]
fn a_wait_has_bounds_and_one_time() {
    let now = "2026-05-01T09:00:00Z".parse().unwrap();
    let wake = |input: Value| {
        let input = RawValue::from_string(input.to_string()).unwrap();
        tools::wake_at(&input, now).map(|time| time.to_rfc3339()).map_err(|error| error.to_string())
    };
    assert_eq!(wake(json!({ "seconds": 90 })).unwrap(), "2026-05-01T09:01:30+00:00");
    assert_eq!(wake(json!({ "seconds": 604_800 })).unwrap(), "2026-05-08T09:00:00+00:00");
    assert_eq!(wake(json!({ "until": "2026-05-01T12:00:00+02:00" })).unwrap(), "2026-05-01T10:00:00+00:00");
    for (input, told) in [
        (json!({}), "either"),
        (json!({ "seconds": 5, "until": "2026-05-01T10:00:00Z" }), "either"),
        (json!({ "seconds": 0 }), "1 to 604800"),
        (json!({ "seconds": 604_801 }), "1 to 604800"),
        (json!({ "seconds": -1 }), "1 to 604800"),
        (json!({ "until": "2026-05-01T09:00:00Z" }), "passed"),
        (json!({ "until": "2026-05-08T09:00:01Z" }), "a week"),
        (json!({ "until": "tomorrow" }), "a time such as"),
        (json!({ "minutes": 5 }), "minutes"),
    ] {
        let error = wake(input.clone()).expect_err(&input.to_string());
        assert!(error.contains(told), "{input}: {error}");
    }
}

#[test]
fn a_notification_has_a_text_within_bounds() {
    let said = |input: Value| {
        let input = RawValue::from_string(input.to_string()).unwrap();
        tools::notification(&input).map_err(|error| error.to_string())
    };
    assert_eq!(said(json!({ "text": " Red. " })).unwrap(), "Red.");
    assert_eq!(said(json!({ "text": "ü".repeat(2_000) })).unwrap().chars().count(), 2_000);
    for (input, told) in [
        (json!({ "text": " " }), "empty"),
        (json!({ "text": "x".repeat(2_001) }), "2000"),
        (json!({ "to": "ada", "text": "x" }), "to"),
    ] {
        assert!(said(input.clone()).expect_err(&input.to_string()).contains(told), "{input}");
    }
}
