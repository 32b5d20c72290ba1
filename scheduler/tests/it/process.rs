//! The binary, from its start to SIGTERM.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use hive_domain::TaskStatus;

use crate::stage::{PATIENCE, Stage, becomes, enqueue, ready_without_ticket, tickets};

/// A scheduler process; killed when the test ends before it does.
pub struct Process {
    child: Child,
    stderr: BufReader<ChildStderr>,
    log: String,
}

impl Process {
    pub fn start(arguments: &[String]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hive-scheduler"))
            .args(arguments)
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, log: String::new() }
    }

    /// Reads the log until a line contains this.
    pub fn says(&mut self, message: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it ended: {}", self.log);
            self.log.push_str(&line);
            if line.contains(message) {
                return line;
            }
        }
    }

    /// Where /health and /metrics are.
    pub fn address(&mut self) -> String {
        let line = self.says("Serving /health");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        line["message"].as_str().unwrap().rsplit_once("http://").unwrap().1.to_owned()
    }

    /// `kill -9`.
    pub fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// STOP, CONT.
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.stderr.read_to_string(&mut self.log).unwrap();
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {}", self.log);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends SIGTERM; the process must end by itself, in 2 s, with code 0.
    pub fn stops(&mut self) {
        let start = Instant::now();
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{}", self.log);
        assert!(start.elapsed() < Duration::from_secs(2), "it took {:?}: {}", start.elapsed(), self.log);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// Polls a page until it contains this.
pub fn shows(address: &str, path: &str, text: &str) -> String {
    let start = Instant::now();
    loop {
        let page = get(address, path);
        if page.contains(text) {
            return page;
        }
        assert!(start.elapsed() < PATIENCE, "{path} does not show {text}:\n{page}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_says_so_and_ends_on_sigterm() {
    let stage = Stage::set().await;
    let doors = stage.doors();
    let mut process = Process::start(&stage.arguments());
    let address = process.address();
    process.says("The scheduler is at work");

    let task = enqueue(&doors.store, 5, Some(Duration::from_secs(1))).await;
    let start = Instant::now();
    becomes(&doors.store, task.id, TaskStatus::Ready).await;
    // One pass a second, a tenth later at most, and what a loaded machine adds.
    assert!(
        start.elapsed() < Duration::from_millis(3_500),
        "due after 1 s, ready after {:?}",
        start.elapsed()
    );
    while tickets(&doors).await == 0 {
        assert!(start.elapsed() < PATIENCE, "ready and not announced");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    shows(&address, "/health/ready", r#"{"status":"ready","reasons":[]}"#);
    shows(&address, "/metrics", "hive_tasks_released_total 1");
    let metrics = shows(&address, "/metrics", r#"last_success_timestamp{duty="janitor"}"#);
    shows(&address, "/metrics", r#"hive_tasks{status="ready"} 1"#);
    shows(&address, "/metrics", r#"hive_queue_depth{lane="normal"} 1"#);
    for line in [
        "hive_tasks_orphaned_total 0",
        "hive_tickets_reannounced_total 1",
        r#"hive_scheduler_duty_last_success_timestamp{duty="reconcile"}"#,
        r#"hive_scheduler_duty_seconds_bucket{duty="reconcile",le="+Inf"}"#,
        r#"hive_component_up{component="postgres"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is missing:\n{metrics}");
    }
    process.stops();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_does_not_wait_for_the_next_second() {
    let stage = Stage::set().await;
    let doors = stage.doors();
    // Five passes, and four seconds if each waited for its second.
    let backlog = [(1, 450), (3, 450), (5, 450), (9, 450)];
    ready_without_ticket(&doors, &backlog).await;
    let mut process = Process::start(&stage.arguments());
    process.says("The scheduler is at work");
    let start = Instant::now();
    while tickets(&doors).await < 1_800 {
        assert!(start.elapsed() < PATIENCE, "{} of 1,800 tickets", tickets(&doors).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(start.elapsed() < Duration::from_millis(3_500), "it took {:?}", start.elapsed());
    process.stops();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_is_degraded_works_and_ends() {
    // A port that nobody listens on: bound and closed at once.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stage = Stage::with_redis(&format!("redis://:planted-password@{free}")).await;
    let mut process = Process::start(&stage.arguments());
    let address = process.address();
    process.says("The scheduler is at work");
    let ready = shows(&address, "/health/ready", r#""status":"degraded""#);
    assert!(ready.starts_with("HTTP/1.0 200") && ready.contains("redis is down"), "{ready}");

    let store = stage.doors().store;
    let task = enqueue(&store, 5, Some(Duration::from_millis(200))).await;
    becomes(&store, task.id, TaskStatus::Ready).await;
    process.stops();
    let failures = process.log.lines().filter(|line| line.contains("Duty janitor failed")).count();
    assert!(failures <= 1, "a failure is said once: {}", process.log);
    assert!(!process.log.contains("planted-password"), "{}", process.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_postgres_and_can_be_stopped_meanwhile() {
    let stage = Stage::set().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut arguments = stage.arguments();
    arguments[0] = format!("--database-url=postgres://hive:planted-password@{free}/hive");
    let mut process = Process::start(&arguments);
    let address = process.address();
    let ready = shows(&address, "/health/ready", "postgres is down");
    assert!(ready.starts_with("HTTP/1.0 503"), "{ready}");
    assert!(get(&address, "/health/live").starts_with("HTTP/1.0 200"));
    process.stops();
    assert!(!process.log.contains("planted-password"), "{}", process.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_cannot_be_used_is_named_in_one_line() {
    let stage = Stage::set().await;
    for (index, argument, named) in [
        (0, "--database-url=nonsense", "DATABASE_URL"),
        (1, "--redis-url=http://planted", "REDIS_URL"),
        (3, "--listen=192.0.2.1:1", "HIVE_SCHEDULER_LISTEN"),
    ] {
        let mut arguments = stage.arguments();
        arguments[index] = argument.to_owned();
        let mut process = Process::start(&arguments);
        assert_eq!(process.ended().code(), Some(1), "{}", process.log);
        assert_eq!(process.log.lines().count(), 1, "{}", process.log);
        assert!(process.log.contains(named), "{}", process.log);
    }
}
