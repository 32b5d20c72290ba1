//! `hive eval memory`, as a person calls it: no server, no stores, no network.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

const TURNS: &str = r#"{"id":"1","session":"s","at":"2026-01-01T10:00:00Z","speaker":"a","scope":"o/p","text":"The printer was moved to the second floor."}
{"id":"2","session":"s","at":"2026-01-02T10:00:00Z","speaker":"b","scope":"o/p","text":"Good morning.","junk":true}
{"id":"3","session":"s","at":"2026-01-03T10:00:00Z","speaker":"a","scope":"o/p","text":"From today on the printer is on the fifth floor."}
{"id":"4","session":"t","at":"2026-01-01T10:00:00Z","speaker":"c","scope":"o/q","text":"The printer on the ground floor stays."}
{"id":"5","session":"u","at":"2026-01-01T10:00:00Z","speaker":"d","scope":"o/p/d","text":"My own printer is under the table."}
"#;
const QUESTIONS: &str = r#"{"id":"now","text":"On which floor is the printer?","scope":"o/p/e","class":"update","evidence":["3"],"stale":["1"]}
{"id":"then","text":"On which floor is the printer?","scope":"o/p/e","class":"as_of","as_of":"2026-01-02T12:00:00Z","evidence":["1"]}
{"id":"own","text":"Where is my own printer?","scope":"o/p/d","class":"scope","evidence":["5"]}
"#;

fn eval(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hive")).args(["eval", "memory"]).args(arguments).output().unwrap()
}

/// The last line of a run that ends well.
fn measured(arguments: &[&str]) -> Value {
    let output = eval(&[&["--json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(printed.lines().last().unwrap()).unwrap()
}

fn dataset(turns: &str, questions: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("turns.jsonl"), turns).unwrap();
    fs::write(directory.path().join("questions.jsonl"), questions).unwrap();
    directory
}

fn path(directory: &tempfile::TempDir) -> &str {
    directory.path().to_str().unwrap()
}

#[test]
fn a_directory_of_conversations_is_measured() {
    let directory = dataset(TURNS, QUESTIONS);
    let found = measured(&["--dataset", path(&directory), "--split", "all"]);
    assert_eq!(
        (&found["turns"], &found["questions"], &found["split"]),
        (&json!(5), &json!(3), &json!("all"))
    );
    for retriever in ["engine", "bm25", "vector"] {
        // Of five turns an asker hears three at most, so all evidence is among the first five.
        for figure in ["recall_at_5", "recall_at_10", "evidence_4k"] {
            assert_eq!(found[figure][retriever], 1.0, "{figure} of {retriever}: {found}");
        }
        assert_eq!(found["classes"]["as_of"]["mrr"][retriever], 1.0, "nothing else was said then: {found}");
        assert_eq!(found["classes"]["as_of"]["stale_rate"][retriever], Value::Null);
        assert!(found["stale_rate"][retriever].is_number() && found["junk_rate"][retriever].is_number());
        assert!(found["latency_p95_ms"][retriever].as_f64().unwrap() >= 0.0);
    }

    let table = eval(&["--dataset", path(&directory), "--split", "all"]);
    let table = String::from_utf8(table.stdout).unwrap();
    let heading = table.lines().next().unwrap();
    assert!(heading.contains("recall@5") && heading.contains("evidence 4k"), "{table}");
    // Over all, for each split that has a question, and for each of the three classes.
    let parts = 1 + found["splits"].as_object().unwrap().len() + 3;
    for name in ["words alone", "vectors alone", "engine"] {
        assert_eq!(table.lines().filter(|line| line.contains(name)).count(), parts, "{table}");
    }
}

#[test]
fn all_that_can_be_asked_of_a_set_of_ones_own_is_asked_and_the_rest_counted() {
    let open = r#"{"id":"open","text":"Who owns the printer?","scope":"o/p/e","class":"open","evidence":[]}"#;
    let directory = dataset(TURNS, &format!("{QUESTIONS}{open}\n"));
    let found = measured(&["--dataset", path(&directory)]);
    assert_eq!(
        (&found["questions"], &found["of_questions"], &found["without_evidence"], &found["split"]),
        (&json!(3), &json!(4), &json!(1), &json!("all"))
    );
    let table = eval(&["--dataset", path(&directory)]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.ends_with("3 of 4 questions were asked (all)\n1 name no evidence and were skipped\n"),
        "{table}"
    );
    for (split, asked) in [("tune", 2), ("held-out", 1)] {
        let found = measured(&["--dataset", path(&directory), "--split", split]);
        assert_eq!((&found["questions"], &found["of_questions"]), (&json!(asked), &json!(4)), "{split}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_its_place() {
    let missing = eval(&["--dataset", "/nonexistent"]);
    assert_eq!(missing.status.code(), Some(2));
    let wrong = dataset(TURNS, &QUESTIONS.replace("\"class\"", "\"kind\""));
    let refused = eval(&["--dataset", path(&wrong)]);
    let problem = String::from_utf8(refused.stderr).unwrap();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    assert!(problem.contains("questions.jsonl, line 1: unknown field `kind`"), "{problem}");
    let one = QUESTIONS.lines().next().unwrap();
    let one = dataset(TURNS, one);
    let splits =
        ["tune", "held-out"].map(|split| eval(&["--dataset", path(&one), "--split", split]).status.code());
    assert!(splits.contains(&Some(2)) && splits.contains(&Some(0)), "one of them is empty: {splits:?}");
}

#[test]
fn the_format_is_in_the_help() {
    let help = String::from_utf8(eval(&["--help"]).stdout).unwrap();
    for word in ["turns.jsonl", "questions.jsonl", "evidence", "as_of", "held-out", "SHA-256"] {
        assert!(help.contains(word), "{word} is not in {help}");
    }
}

/// On the half that nothing was tuned on: words alone and vectors alone leave something to be found, and the engine, which
/// joins them, finds it.
#[test]
fn the_engine_finds_what_words_and_vectors_alone_do_not() {
    let found = measured(&[]);
    assert!(found["questions"].as_u64().unwrap() >= 300 && found["split"] == "held-out", "{found}");
    for alone in ["bm25", "vector"] {
        let share = found["evidence_4k"][alone].as_f64().unwrap();
        assert!((0.70..0.90).contains(&share), "{alone}: {}", found["evidence_4k"]);
    }
    for (figure, least) in [("evidence_4k", 0.92), ("recall_at_5", 0.90)] {
        let of = |retriever: &str| found[figure][retriever].as_f64().unwrap();
        assert!(of("engine") >= least, "{figure}: {}", found[figure]);
        assert!(of("engine") > of("bm25").max(of("vector")), "{figure}: {}", found[figure]);
    }
}

/// Nobody changes the set by hand: what is in the repository is what the material makes, byte for byte.
#[test]
fn the_shipped_set_is_what_its_material_makes() {
    let maker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/memory/eval/make_set.py");
    let output = Command::new("python3").arg("-B").arg(maker).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
