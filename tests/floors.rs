//! Floors and doors: a crate depends only on floors below it, and each foreign system has one door.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

const FLOORS: [(&str, u8); 21] = [
    ("hive-domain", 0),
    ("hive-settings", 1),
    ("hive-telemetry", 1),
    ("hive-store", 1),
    ("hive-queue", 1),
    ("hive-claude", 1),
    ("hive-embed", 1),
    ("hive-sandbox", 1),
    ("hive-workspace", 1),
    ("hive-local", 1),
    ("hive-memory", 2),
    ("hive-double", 2),
    ("hive-checkpoint", 2),
    ("hive-agent", 3),
    ("hive-api", 4),
    ("hive-worker", 4),
    ("hive-scheduler", 4),
    ("hive", 5),
    ("hive-tests", 5),
    ("hive-bench", 5),
    ("hive-chaos", 5),
];

/// A foreign crate, and who may see it outside of tests.
const DOORS: [(&str, &[&str]); 7] = [
    ("sqlx", &["hive-store", "hive-local", "hive-tests", "hive-bench", "hive-chaos"]),
    ("apalis", &["hive-queue"]),
    ("apalis-redis", &["hive-queue"]),
    ("redis", &["hive-queue", "hive-local", "hive-tests", "hive-bench", "hive-chaos"]),
    ("axum", &["hive-api", "hive-telemetry", "hive-double"]),
    ("rten", &["hive-embed"]),
    ("landlock", &["hive-sandbox"]),
];

/// What anybody's tests may use of higher or equal floors.
const FOR_TESTS: [&str; 2] = ["hive-local", "hive-double"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn a_crate_depends_only_on_floors_below_it() {
    let floors: BTreeMap<&str, u8> = FLOORS.into_iter().collect();
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let Some(floor) = floors.get(name) else {
            wrong.push(format!("{name} has no floor; give it one here"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            let for_tests = dependency["kind"] == "dev" && FOR_TESTS.contains(&used);
            if let Some(below) = floors.get(used)
                && below >= floor
                && !for_tests
            {
                wrong.push(format!("{name} (floor {floor}) depends on {used} (floor {below})"));
            }
            if ["hive-api", "hive-scheduler"].contains(&name) && used == "hive-agent" {
                wrong.push(format!("{name} must not know agents"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_foreign_system_has_one_door() {
    let doors: BTreeMap<&str, &[&str]> = DOORS.into_iter().collect();
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            if dependency["kind"] != "dev"
                && let Some(allowed) = doors.get(used)
                && !allowed.contains(&name)
            {
                wrong.push(format!("{name} sees {used}, which only {} may", allowed.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn processes_are_spawned_and_the_kernel_is_called_behind_their_doors() {
    let spawners = ["crates/sandbox", "crates/workspace", "crates/local", "hive", "tests", "bench", "chaos"];
    let unsafe_in = ["crates/sandbox", "crates/local"];
    let mut wrong = Vec::new();
    for file in sources() {
        let path = file.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let below = |doors: &[&str]| doors.iter().any(|door| path.starts_with(&format!("{door}/")));
        let is_test = path.contains("/tests/") || path.ends_with("tests.rs");
        if text.contains("Command::new(") && !below(&spawners) && !is_test {
            wrong.push(format!("{path} spawns a process"));
        }
        if text.contains(concat!("unsafe", " {")) && !below(&unsafe_in) {
            wrong.push(format!("{path} holds unsafe code"));
        }
        if path.ends_with("/mod.rs") {
            wrong.push(format!("{path}: name the module's file after the module"));
        }
        let lines = text.lines().count();
        if path.ends_with("src/main.rs") && lines >= 40 {
            wrong.push(format!("{path} has {lines} lines; a main is under 40"));
        }
        if lines > 450 {
            wrong.push(format!("{path} has {lines} lines; what is its second topic?"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> =
        ["crates", "api", "worker", "scheduler", "hive", "tests", "bench", "chaos"]
            .map(|name| root().join(name))
            .into();
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}
