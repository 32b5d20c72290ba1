//! What is to be run, and how much it may use.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One command in one workspace.
#[derive(Debug, Clone)]
pub struct Job {
    /// The directory the command may write to; absolute.
    pub workspace: PathBuf,
    /// Program and arguments. A shell line is `["bash", "-c", line]`.
    pub command: Vec<String>,
    /// Where the command starts, relative to the workspace; empty for the workspace itself.
    pub cwd: PathBuf,
    /// Variables added to the ones the sandbox sets (`PATH`, `HOME`, `TMPDIR`, `LANG`, `TERM`, `SHELL`,
    /// `USER`), or in the place of them. Nothing of the worker's own environment is passed on.
    pub env: Vec<(String, String)>,
    /// Further paths to read and execute, beside [`Config::read_only`](crate::Config::read_only).
    pub read_only: Vec<PathBuf>,
    /// How much it may use.
    pub limits: Limits,
}

impl Job {
    /// A job with the default limits, started in the workspace itself.
    pub fn new<A: Into<String>>(workspace: impl Into<PathBuf>, command: impl IntoIterator<Item = A>) -> Self {
        Self {
            workspace: workspace.into(),
            command: command.into_iter().map(Into::into).collect(),
            cwd: PathBuf::new(),
            env: Vec::new(),
            read_only: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// What a run may use. The run ends with a typed [`Limit`](crate::Limit) when a limit holds for all of its
/// processes together; limits that the kernel holds for each process show to the command as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// From start to end.
    pub wall: Duration,
    /// Processor seconds of all processes together.
    pub cpu_seconds: u64,
    /// Bytes of memory of all processes together, swap included; also the most that one process may allocate.
    pub memory_bytes: u64,
    /// Processes and threads at the same time.
    pub processes: u64,
    /// Bytes of the largest file.
    pub file_size: u64,
    /// Bytes on disk of workspace and temporary files together. A workspace that is already larger may not
    /// grow further.
    pub disk_bytes: u64,
    /// Files and directories of workspace and temporary files together; see `disk_bytes`.
    pub inodes: u64,
    /// Bytes kept of each of stdout and stderr, half from the head and half from the tail.
    pub output_bytes: usize,
    /// Bytes on stdout and stderr together at which the run is ended.
    pub output_flood: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(120),
            cpu_seconds: 240,
            memory_bytes: 2 << 30,
            processes: 128,
            file_size: 1 << 30,
            disk_bytes: 4 << 30,
            inodes: 500_000,
            output_bytes: 1 << 20,
            output_flood: 64 << 20,
        }
    }
}
