//! Processes, and directories that the user of the stores may pass.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A temporary directory that others may enter, whatever the umask is.
pub fn passable_dir() -> TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap()
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whether a process runs; one that has ended and was not waited for yet does not.
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat.rsplit_once(") ").unwrap().1;
    !state.starts_with('Z') && !state.starts_with('X')
}

/// Sends a signal by name to one process.
pub fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {signal} {pid}");
}

/// Asks until there is an answer, for at most 20 s.
pub fn eventually<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < end, "{what} did not come in time");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The sockets that a process has open.
pub fn socket_inodes(pid: u32) -> HashSet<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let names = links.filter_map(|link| fs::read_link(link.path()).ok()?.to_str().map(str::to_owned));
    names.filter_map(|name| Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

/// `hive-stores` with arguments.
pub fn hive_stores(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hive-stores"));
    command.args(arguments);
    command
}

/// A `hive-stores` whose command waits until it is told to end.
pub struct Parent {
    pub child: Child,
    pub database: String,
    pub redis: String,
    /// The pid of the command.
    pub command: u32,
}

impl Parent {
    /// Starts stores in `state` and returns when both are ready.
    pub fn start(state: &Path) -> Self {
        let script =
            r#"echo $$; echo "$HIVE_TEST_DATABASE_URL"; echo "$HIVE_TEST_REDIS_URL"; exec sleep 600"#;
        let mut command = hive_stores(&["--state", state.to_str().unwrap(), "--", "sh", "-c", script]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        Self { command: line().parse().unwrap(), database: line(), redis: line(), child }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        // Already ended in most tests.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The pids of the stores of a state directory.
pub fn store_pids(state: &Path) -> [u32; 2] {
    ["postgres.pid", "redis.pid"].map(|name| {
        let text = fs::read_to_string(state.join(name)).unwrap();
        text.trim().parse().unwrap()
    })
}
