//! The list of metrics in docs/OPERATIONS.md is what the code counts and describes, with the same words.
//! `UPDATE_DOCS=1` writes it anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

const BEGIN: &str =
    "<!-- metrics: written by UPDATE_DOCS=1 cargo test -p hive-tests --test metrics_listed -->\n";
const END: &str = "<!-- end of metrics -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The text of everything that runs, tests left out.
fn sources() -> String {
    let mut text = String::new();
    let mut waiting: Vec<PathBuf> =
        ["crates", "api", "worker", "scheduler"].map(|name| root().join(name)).into();
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "tests" {
                waiting.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let source = fs::read_to_string(&path).unwrap();
                // Strings that go on in the next line are one string.
                text.push_str(&source.replace("\\\n", "\u{0}"));
            }
        }
    }
    Regex::new("\u{0}\\s*").unwrap().replace_all(&text, "").into_owned()
}

/// Name to kind and meaning.
fn described(sources: &str) -> BTreeMap<String, (String, String)> {
    let pattern =
        r#"(?:Description::|describe_)(counter|gauge|histogram)!?\(\s*"([^"]+)",\s*"([^"]+)",?\s*\)"#;
    let found = Regex::new(pattern).unwrap();
    found
        .captures_iter(sources)
        .map(|found| (found[2].to_owned(), (found[1].to_owned(), found[3].to_owned())))
        .collect()
}

fn counted(sources: &str) -> BTreeMap<String, String> {
    let found = Regex::new(r#"metrics::(counter|gauge|histogram)!\(\s*"([^"]+)""#).unwrap();
    found.captures_iter(sources).map(|found| (found[2].to_owned(), found[1].to_owned())).collect()
}

fn table(described: &BTreeMap<String, (String, String)>) -> String {
    let rows = described.iter().map(|(name, (kind, meaning))| format!("| `{name}` | {kind} | {meaning} |\n"));
    format!("| metric | kind | meaning |\n|---|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn what_is_counted_is_described_and_what_is_described_is_counted() {
    let sources = sources();
    let (described, counted) = (described(&sources), counted(&sources));
    let names = |list: BTreeSet<&String>| list.into_iter().cloned().collect::<Vec<_>>();
    let without = names(counted.keys().filter(|name| !described.contains_key(*name)).collect());
    assert!(without.is_empty(), "counted and described nowhere: {without:?}");
    let unused = names(described.keys().filter(|name| !counted.contains_key(*name)).collect());
    assert!(unused.is_empty(), "described and counted nowhere: {unused:?}");
    for (name, kind) in &counted {
        assert_eq!(&described[name].0, kind, "{name}");
        let unit = ["_total", "_seconds", "_percent", "_bytes", "_timestamp", "_info"]
            .iter()
            .any(|unit| name.ends_with(unit));
        assert_eq!(
            kind == "counter",
            name.ends_with("_total"),
            "{name}: counters, and only they, end in _total"
        );
        assert!(
            kind != "histogram" || unit || name.ends_with("_size"),
            "{name}: a histogram ends in its unit"
        );
    }
}

#[test]
fn the_list_in_the_documentation_is_the_one_of_the_code() {
    let page = root().join("docs/OPERATIONS.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the list has a beginning");
    let (listed, after) = rest.split_once(END).expect("the list has an end");
    let wanted = table(&described(&sources()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(page, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert_eq!(listed, wanted, "run the command in the comment above the list");
    }
}
