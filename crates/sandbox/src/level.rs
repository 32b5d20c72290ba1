//! Which walls stand.

use std::fmt;

/// Which walls stand on this machine, as the probe saw them work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Landlock, seccomp and resource limits. `false` only in [`Mode::Off`](crate::Mode::Off).
    pub floor: bool,
    /// The Landlock ABI of the kernel; 0 when off.
    pub landlock_abi: i32,
    /// Whether each run has a uid of its own.
    pub private_uid: bool,
    /// Whether bubblewrap's namespaces are around the floor.
    pub bubblewrap: bool,
    /// The cgroup that holds memory and processes of the whole run, if one can be made.
    pub cgroup: Option<CgroupVersion>,
    /// What is not used, and why, for people: one sentence each.
    pub notes: Vec<String>,
}

/// The generation of the cgroup tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum CgroupVersion {
    /// One tree for each controller.
    V1,
    /// The unified tree.
    V2,
}

impl Level {
    pub(crate) fn off() -> Self {
        Self {
            floor: false,
            landlock_abi: 0,
            private_uid: false,
            bubblewrap: false,
            cgroup: None,
            notes: vec!["the sandbox is switched off: commands run unconfined".to_owned()],
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.floor {
            return f.write_str("off");
        }
        f.write_str("landlock+seccomp+rlimits")?;
        if self.private_uid {
            f.write_str("+uid")?;
        }
        if self.bubblewrap {
            f.write_str("+bubblewrap")?;
        }
        if self.cgroup.is_some() {
            f.write_str("+cgroup")?;
        }
        Ok(())
    }
}
