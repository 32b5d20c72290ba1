//! How a worker wants its commands confined.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Settings of the sandbox. The default is the strictest: everything that the machine can do.
#[derive(Debug, Clone)]
pub struct Config {
    /// The launcher. `None` looks for `hive-sandbox` beside the running executable and in the directory above.
    pub launcher: Option<PathBuf>,
    /// Further files and directories that commands may read and execute, such as toolchains outside of
    /// `/usr`. A path that does not exist is passed over.
    pub read_only: Vec<PathBuf>,
    /// `PATH` inside.
    pub path: String,
    /// Whether commands are confined at all.
    pub mode: Mode,
    /// The uids that a worker running as root gives to its runs, one each.
    pub uid_range: UidRange,
    /// Whether bubblewrap may be used.
    pub bubblewrap: Bubblewrap,
    /// Where each run gets its private `TMPDIR` and `HOME`. Every uid of the range must be able to enter it.
    pub scratch: PathBuf,
    /// Where root's workers lock uids against each other; all workers of a machine must use the same.
    pub lock_dir: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            launcher: None,
            read_only: Vec::new(),
            path: "/usr/local/bin:/usr/bin:/bin".to_owned(),
            mode: Mode::Auto,
            uid_range: UidRange::default(),
            bubblewrap: Bubblewrap::Auto,
            scratch: std::env::temp_dir(),
            lock_dir: PathBuf::from("/run/hive-sandbox"),
        }
    }
}

/// Whether commands are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The floor, and whatever else works here. No floor, no sandbox.
    #[default]
    Auto,
    /// Nothing is confined; limits, time-outs and the rebuilt environment stay. An operator sets this by hand
    /// (`HIVE_SANDBOX=off`), and each [`Output`](crate::Output) says so.
    Off,
}

/// Whether bubblewrap may wrap the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bubblewrap {
    /// Use it when it is installed and a trial run works.
    #[default]
    Auto,
    /// Do not look for it.
    Never,
}

/// Uids that belong to the sandbox alone: no account, no file outside of workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UidRange {
    /// The first uid; also the gid of that run.
    pub first: u32,
    /// How many runs can go on at the same time on this machine.
    pub count: u32,
}

impl UidRange {
    /// Whether a uid is one of ours.
    #[must_use]
    pub fn contains(self, uid: u32) -> bool {
        uid >= self.first && uid - self.first < self.count
    }
}

impl Default for UidRange {
    fn default() -> Self {
        // Above the ranges that distributions hand to accounts (to 60,000) and container tools take first
        // for subordinate ids (from 100,000 in steps of 65,536).
        Self { first: 2_000_000, count: 1_024 }
    }
}
