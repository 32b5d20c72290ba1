//! What the library and the launcher say to each other: one JSON document a line, over a socket pair.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::UidRange;
use crate::job::Limits;
use crate::level::CgroupVersion;
use crate::output::{Exit, Limit};

/// The longest line of either side, in bytes. Arguments of a command are limited to 2 MiB by the kernel.
pub(crate) const LONGEST_LINE: u64 = 8 << 20;

/// The library's first line: everything the launcher has to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub task: Task,
    pub workspace: PathBuf,
    pub cwd: PathBuf,
    pub env: Vec<(String, String)>,
    pub path: String,
    pub read_only: Vec<PathBuf>,
    pub limits: Limits,
    /// `false` runs unconfined.
    pub confined: bool,
    /// The bubblewrap binary to wrap the floor with.
    pub bubblewrap: Option<PathBuf>,
    pub cgroup: bool,
    pub uid_range: UidRange,
    pub lock_dir: PathBuf,
    pub scratch: PathBuf,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Task {
    Command(Vec<String>),
    /// Confine a process and let it try what must not work.
    SelfTest,
}

/// The library's later lines. The end of the stream means the same as `End(Cancelled)`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Request {
    End(Limit),
}

/// The launcher's lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// All walls stand; the command starts now.
    Started,
    /// The program could not be executed.
    NotExecuted { reason: String },
    /// A wall or a preparation failed; nothing was started.
    Refused { wall: String, reason: String },
    /// What the self-test saw.
    Tested(SelfTest),
    /// The command has ended, and so have all of its processes.
    Ended(Ended),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub exit: Exit,
    pub ended_by: Option<Limit>,
    pub wall_ms: u64,
    pub cpu_ms: u64,
    pub peak_memory: u64,
    /// Processes that did not die within the grace of the launcher.
    pub leftovers: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SelfTest {
    pub landlock_abi: i32,
    pub private_uid: bool,
    pub cgroup: Option<CgroupVersion>,
    /// Why there is no cgroup, when one was asked for.
    pub cgroup_note: Option<String>,
    /// The walls that were tried and did not hold: name and what was seen.
    pub missing: Vec<(String, String)>,
}
