//! A whole process: what reaches stderr, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use hive_telemetry::{LogConfig, LogFormat};

/// Set in the children: this file run again, as a process of its own.
const ROLE: &str = "HIVE_TEST_ROLE";
const SECRET: &str = "pl\"anted";
/// Lines that fill the pipe several times and still fit into the writer's buffer.
const BURST: usize = 3_000;

/// Not a test of its own: what the children do.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let config = LogConfig { filter: "info".to_owned(), format: None };
    let secrets = [SECRET.to_owned(), "postgres://hive:dbp4ss@db/hive".to_owned()];
    let guard = hive_telemetry::init("child", &config, &secrets).unwrap();
    if role == "log" {
        tracing::info!("Read {SECRET} and dbp4ss");
        tracing::debug!("Not asked for");
        std::thread::spawn(|| panic!("Lost {SECRET}\nhere")).join().unwrap_err();
        assert!(hive_telemetry::init("child", &config, &[]).is_err(), "a second set-up is refused");
        drop(guard);
        let error = anyhow::anyhow!("refused {SECRET:?}").context("connect");
        assert_eq!(
            format!("{:?}", hive_telemetry::exit(Err(error))),
            format!("{:?}", std::process::ExitCode::FAILURE)
        );
        return;
    }
    if role == "burst" {
        for n in 0..BURST {
            tracing::info!(n, "One of many");
        }
        // Nobody reads stderr before this: the pipe is full and the rest waits.
        println!("logged");
        drop(guard);
        std::process::exit(0);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let stop = hive_telemetry::stop_on_signal();
        tracing::info!("Waits");
        stop.cancelled().await;
        if role == "stubborn" {
            std::future::pending::<()>().await;
        }
    });
    tracing::info!("Ended in its own time");
}

fn start(role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(ROLE, role)
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn ended(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the process did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn everything_on_stderr_is_one_clean_line_each() {
    let mut child = start("log");
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(ended(&mut child).success(), "{text}");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(
        messages,
        ["Read [redacted] and [redacted]", "A panic: this is a defect", "connect: refused \"[redacted]\""]
    );
    assert_eq!(lines[1]["panic.message"], "Lost [redacted]\nhere");
    assert!(lines[1]["panic.location"].as_str().unwrap().contains("process.rs:"), "{}", lines[1]);
    assert!(lines.iter().all(|line| line["process"] == "child"), "{text}");
}

#[test]
fn the_guard_writes_out_what_waits() {
    let mut child = start("burst");
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(stdout.any(|line| line.unwrap().ends_with("logged")));
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().count();
    assert!(ended(&mut child).success());
    assert_eq!(lines, BURST);
}

/// Waits for the line that ends in `message`, then sends SIGTERM.
fn terminate_after(child: &Child, stderr: &mut impl BufRead, message: &str) {
    let mut line = String::new();
    while !line.contains(message) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "ended before it said {message}");
    }
    let status = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_first_signal_asks_and_the_second_ends() {
    for (role, code) in [("polite", 0), ("stubborn", 130)] {
        let mut child = start(role);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        terminate_after(&child, &mut stderr, "Waits");
        if role == "stubborn" {
            terminate_after(&child, &mut stderr, "Stopping on SIGTERM");
        }
        let status = ended(&mut child);
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(status.code(), Some(code), "{rest}");
        let last = if code == 0 { "Ended in its own time" } else { "a second signal, SIGTERM" };
        assert!(rest.lines().last().unwrap().contains(last), "{rest}");
    }
}

#[test]
fn a_filter_that_cannot_be_read_is_named() {
    let config = LogConfig { filter: "hive=loud".to_owned(), format: Some(LogFormat::Json) };
    let error = hive_telemetry::init("test", &config, &[]).unwrap_err();
    assert!(format!("{error:#}").starts_with("HIVE_LOG: \"hive=loud\" is not a filter"), "{error:#}");
}
