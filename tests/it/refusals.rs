//! A process with a missing or bad setting does not start: one line names the setting, and no secret is in it.

use std::{collections::BTreeMap, fs};

use hive_tests::ends_at_once;

const SECRET: &str = "planted-secret-7f31";

#[test]
fn each_process_names_what_it_cannot_use_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (empty, lines) = (file("empty", ""), file("lines", &format!("{SECRET}\nmore\n")));
    let data = directory.path().to_str().unwrap().to_owned();
    let stores = [
        ("DATABASE_URL", format!("postgres://h:{SECRET}@127.0.0.1:9/h")),
        ("REDIS_URL", format!("redis://:{SECRET}@127.0.0.1:9/0")),
    ];
    let api = [
        ("HIVE_LISTEN", "127.0.0.1:0".to_owned()),
        ("HIVE_TOKEN", SECRET.to_owned()),
        ("HIVE_DATA", data.clone()),
    ];
    let worker = [
        ("HIVE_WORKER_LISTEN", "127.0.0.1:0".to_owned()),
        ("ANTHROPIC_API_KEY", SECRET.to_owned()),
        ("HIVE_DATA", data),
    ];
    let scheduler = [("HIVE_SCHEDULER_LISTEN", "127.0.0.1:0".to_owned())];
    let sound = |kind: &str| -> BTreeMap<String, String> {
        let own = match kind {
            "api" => &api[..],
            "worker" => &worker,
            _ => &scheduler,
        };
        stores.iter().chain(own).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let missing = None;
    for (kind, name, value, named) in [
        ("api", "DATABASE_URL", missing, "DATABASE_URL"),
        ("api", "DATABASE_URL", Some("mysql://planted-secret-7f31@h"), "DATABASE_URL"),
        ("api", "REDIS_URL", missing, "REDIS_URL"),
        ("api", "REDIS_URL", Some("http://planted-secret-7f31@h"), "REDIS_URL"),
        ("api", "HIVE_TOKEN", missing, "HIVE_TOKEN"),
        ("api", "HIVE_TOKEN", Some("short"), "HIVE_TOKEN"),
        ("api", "HIVE_TOKEN_FILE", Some(&*empty), "HIVE_TOKEN"),
        ("api", "HIVE_LISTEN", Some("nowhere"), "HIVE_LISTEN"),
        ("api", "HIVE_LOG", Some("=,="), "HIVE_LOG"),
        ("worker", "DATABASE_URL", missing, "DATABASE_URL"),
        ("worker", "DATABASE_URL", Some("planted-secret-7f31"), "DATABASE_URL"),
        ("worker", "REDIS_URL", Some("planted-secret-7f31"), "REDIS_URL"),
        ("worker", "ANTHROPIC_API_KEY", missing, "ANTHROPIC_API_KEY"),
        ("worker", "ANTHROPIC_API_KEY", Some(""), "ANTHROPIC_API_KEY"),
        ("worker", "ANTHROPIC_API_KEY", Some("no-key-is-set"), "ANTHROPIC_API_KEY"),
        ("worker", "ANTHROPIC_API_KEY_FILE", Some(&*lines), "ANTHROPIC_API_KEY"),
        ("worker", "ANTHROPIC_BASE_URL", Some("ftp://h"), "ANTHROPIC_BASE_URL"),
        ("worker", "ANTHROPIC_BASE_URL", Some("nonsense"), "ANTHROPIC_BASE_URL"),
        ("worker", "HIVE_DATA", missing, "HIVE_DATA"),
        ("worker", "HIVE_SLOTS", Some("0"), "HIVE_SLOTS"),
        ("worker", "HIVE_SANDBOX", Some("perhaps"), "HIVE_SANDBOX"),
        ("worker", "HIVE_MODELS", Some("work"), "HIVE_MODELS"),
        ("worker", "HIVE_REPO_ROOTS", Some("srv"), "HIVE_REPO_ROOTS"),
        ("scheduler", "DATABASE_URL", missing, "DATABASE_URL"),
        ("scheduler", "DATABASE_URL", Some("planted-secret-7f31"), "DATABASE_URL"),
        ("scheduler", "REDIS_URL", Some("planted-secret-7f31"), "REDIS_URL"),
        ("scheduler", "REDIS_URL_FILE", Some("/nowhere"), "REDIS_URL"),
        ("scheduler", "HIVE_REDIS_PREFIX", Some("white space"), "HIVE_REDIS_PREFIX"),
        ("scheduler", "HIVE_SCHEDULER_LISTEN", Some("192.0.2.1:1"), "HIVE_SCHEDULER_LISTEN"),
    ] {
        let mut env = sound(kind);
        match value {
            Some(value) => env.insert(name.to_owned(), value.to_owned()),
            None => env.remove(name),
        };
        if let Some(plain) = name.strip_suffix("_FILE") {
            env.remove(plain);
        }
        let (status, said) = ends_at_once(kind, &env);
        let what = format!("{kind} with {name}={value:?} said {said:?}");
        assert_eq!(status.code(), Some(1), "{what}");
        // What was said before, such as where the health page is, is not an error.
        let errors: Vec<&str> = said.lines().filter(|line| !line.contains(r#""level":"INFO""#)).collect();
        assert!(matches!(errors[..], [line] if line.contains(named)), "{what}");
        assert!(!said.contains(SECRET), "{what}");
    }
}
