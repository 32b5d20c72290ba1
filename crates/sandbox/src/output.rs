//! What came of a run.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What came of a run. A command that failed or was ended is an output, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How the command ended.
    pub exit: Exit,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
    /// How long it ran.
    pub wall: Duration,
    /// Processor time of all its processes.
    pub cpu: Duration,
    /// The most memory its processes were seen to use together, in bytes; sampled, so short peaks are missed.
    pub peak_memory: u64,
    /// The limit that ended it, if one did.
    pub ended_by: Option<Limit>,
    /// The walls that stood, as [`Level`](crate::Level) prints them; `off` when there were none.
    pub level: String,
}

impl Output {
    /// Whether the command ended by itself with code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.ended_by.is_none() && self.exit == Exit::Code(0)
    }

    /// The exit code in the convention of shells: 124 for a time-out, 137 for memory, 128 + n for signal n.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self.ended_by {
            Some(Limit::WallTime | Limit::CpuTime) => 124,
            Some(Limit::Memory) => 137,
            _ => self.exit.code(),
        }
    }
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this code. Under bubblewrap a death by signal n shows as code 128 + n.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// The exit code in the convention of shells: 128 + n for signal n.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        }
    }
}

/// The limit that ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// [`Limits::wall`](crate::Limits::wall).
    WallTime,
    /// [`Limits::cpu_seconds`](crate::Limits::cpu_seconds).
    CpuTime,
    /// [`Limits::memory_bytes`](crate::Limits::memory_bytes).
    Memory,
    /// [`Limits::processes`](crate::Limits::processes), where the kernel did not hold it.
    Processes,
    /// [`Limits::file_size`](crate::Limits::file_size).
    FileSize,
    /// [`Limits::disk_bytes`](crate::Limits::disk_bytes).
    Disk,
    /// [`Limits::inodes`](crate::Limits::inodes).
    Inodes,
    /// [`Limits::output_flood`](crate::Limits::output_flood).
    OutputFlood,
    /// The caller's token was cancelled.
    Cancelled,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::WallTime => "wall time",
            Limit::CpuTime => "processor time",
            Limit::Memory => "memory",
            Limit::Processes => "number of processes",
            Limit::FileSize => "file size",
            Limit::Disk => "disk space",
            Limit::Inodes => "number of files",
            Limit::OutputFlood => "amount of output",
            Limit::Cancelled => "cancelled",
        })
    }
}

/// One output stream, cut to its head and its tail when it is long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Captured {
    /// The bytes that were kept: the head, then the tail.
    pub bytes: Vec<u8>,
    /// How many of `bytes` are the head. The omitted part lies after them.
    pub head: usize,
    /// How many bytes the command wrote.
    pub total_bytes: u64,
    /// Whether bytes were left out.
    pub truncated: bool,
}

impl Captured {
    /// How many bytes were left out.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.total_bytes - self.bytes.len() as u64
    }

    /// The stream as text, with a line in the place of what was left out. Bytes that are not UTF-8 are
    /// replaced; control characters are kept, so escape them before showing the text in a terminal.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if !self.truncated {
            return String::from_utf8_lossy(&self.bytes);
        }
        let (head, tail) = self.bytes.split_at(self.head);
        Cow::Owned(format!(
            "{}\n[{} bytes left out]\n{}",
            String::from_utf8_lossy(head),
            self.omitted(),
            String::from_utf8_lossy(tail)
        ))
    }
}
