//! The program itself: its settings, its start and its end.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::hive::{Hive, TOKEN, eventually};

/// The program with only these settings.
fn program(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hive-api"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(settings.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn a_setting_that_cannot_be_used_ends_the_program_with_one_line() {
    let good = [
        ("DATABASE_URL", "postgres://a:hidden@h/d"),
        ("REDIS_URL", "redis://:hidden@h"),
        ("HIVE_TOKEN", TOKEN),
    ];
    let without = |name: &str| good.into_iter().filter(|(other, _)| *other != name).collect::<Vec<_>>();
    let with = |name: &'static str, value: &'static str| [&without(name)[..], &[(name, value)]].concat();
    for (settings, name) in [
        (without("DATABASE_URL"), "DATABASE_URL"),
        (without("REDIS_URL"), "REDIS_URL"),
        (without("HIVE_TOKEN"), "HIVE_TOKEN"),
        (with("HIVE_TOKEN", "hidden"), "HIVE_TOKEN"),
        (with("REDIS_URL", "hidden"), "REDIS_URL"),
        (with("HIVE_LISTEN", "7700"), "HIVE_LISTEN"),
        (with("HIVE_LISTEN", "192.0.2.1:1"), "HIVE_LISTEN"),
        (with("HIVE_REPO_ROOTS", "relative"), "HIVE_REPO_ROOTS"),
        (with("HIVE_DATA", "/dev/null/x"), "HIVE_DATA"),
        (with("HIVE_LOG", "!!"), "HIVE_LOG"),
    ] {
        let output = program(&settings).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{settings:?}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(name) && !text.contains("hidden"), "{text}");
    }
}

#[tokio::test]
async fn the_program_serves_until_it_is_asked_to_stop() {
    let hive = Hive::start().await;
    let config = &hive.config;
    let mut child = program(&[
        ("DATABASE_URL", &config.database_url),
        ("REDIS_URL", &config.redis_url),
        ("HIVE_TOKEN", TOKEN),
        ("HIVE_LISTEN", "127.0.0.1:0"),
        ("HIVE_DATA", config.data.to_str().unwrap()),
    ])
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.find(|line| line.as_ref().unwrap().contains("Serving http://")).unwrap().unwrap();
    let url = line.split("Serving ").nth(1).unwrap().split('"').next().unwrap();
    let live = reqwest::get(format!("{url}/health/live")).await.unwrap();
    assert_eq!(live.status(), 200);
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let status = eventually("it ends", async || child.try_wait().unwrap()).await;
    assert!(status.success(), "{status}");
}
