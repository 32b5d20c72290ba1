//! What a process is told, and what it says about it.

use std::{collections::BTreeMap, ffi::OsString, fs};

use super::*;

#[derive(Debug, Parser)]
struct Settings {
    #[arg(long, env = "TEST_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    #[arg(long, env = "TEST_KEY", hide_env_values = true)]
    key: Option<String>,
    #[arg(long, env = "TEST_LISTEN", default_value = "127.0.0.1:0")]
    listen: std::net::SocketAddr,
}

fn settings(arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let arguments = std::iter::once("test").chain(arguments.iter().copied()).map(OsString::from);
    read_from(arguments, |name| variables.get(name).map(OsString::from))
}

#[test]
fn a_secret_is_read_from_the_file_that_its_variable_names() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("url");
    for (written, read) in [("postgres://h/d\n", "postgres://h/d"), ("a b\r\n", "a b"), (" x", " x")] {
        fs::write(&file, written).unwrap();
        let found = settings(&[], &[("TEST_DATABASE_URL_FILE", file.to_str().unwrap())]).unwrap();
        assert_eq!((found.database_url.as_str(), found.key), (read, None));
    }
    let by_hand = settings(&["--database-url=mine"], &[("TEST_DATABASE_URL_FILE", file.to_str().unwrap())]);
    assert_eq!(by_hand.unwrap().database_url, "mine");
}

#[test]
fn what_cannot_be_used_is_named_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for (name, text) in [("empty", "\n"), ("lines", "secret one\nsecret two\n"), ("good", "secret\n")] {
        fs::write(path(name), text).unwrap();
    }
    let (absent, empty, lines, good) = (path("absent"), path("empty"), path("lines"), path("good"));
    let in_file = |file| vec![("TEST_DATABASE_URL_FILE", file)];
    for (arguments, variables, start) in [
        (vec![], in_file(&*absent), "TEST_DATABASE_URL_FILE"),
        (vec![], in_file(&empty), "TEST_DATABASE_URL_FILE"),
        (vec![], in_file(&lines), "TEST_DATABASE_URL_FILE"),
        (vec![], in_file("/"), "TEST_DATABASE_URL_FILE"),
        (vec![], vec![("TEST_KEY", "a"), ("TEST_KEY_FILE", &good)], "TEST_KEY and TEST_KEY_FILE"),
        (vec![], vec![], "TEST_DATABASE_URL: "),
        (vec!["--database-url=x", "--listen=nowhere"], vec![], "TEST_LISTEN: "),
    ] {
        let line = format!("{:#}", settings(&arguments, &variables).unwrap_err());
        assert!(line.starts_with(start) && !line.contains('\n') && !line.contains("secret"), "{line}");
    }
}

#[test]
fn an_empty_name_of_a_file_counts_as_none() {
    let found = settings(&["--database-url=x"], &[("TEST_KEY_FILE", "")]).unwrap();
    assert_eq!(found.key, None);
}
