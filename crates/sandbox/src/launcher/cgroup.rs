//! A cgroup of its own for each run, where this process may make one: memory and processes of the whole run
//! are then held by the kernel at every moment, not only when somebody looks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::job::Limits;
use crate::level::CgroupVersion;

const PREFIX: &str = "hive-sandbox-";

/// The cgroup of one run; removed when this value is dropped, after its processes.
#[derive(Debug)]
pub(super) struct Cgroup {
    pub version: CgroupVersion,
    /// One directory in the unified tree; one for each controller in the old trees.
    directories: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes the cgroup with its limits.
    pub(super) fn make(limits: &Limits) -> Result<Self, String> {
        let name = format!("{PREFIX}{}", std::process::id());
        let (version, parents) = parents()?;
        let mut group = Self { version, directories: Vec::new() };
        for parent in parents {
            remove_abandoned(&parent);
            let directory = parent.join(&name);
            fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
            group.directories.push(directory);
        }
        group.set(limits).map_err(|error| format!("{}: {error}", group.directories[0].display()))?;
        Ok(group)
    }

    fn set(&self, limits: &Limits) -> io::Result<()> {
        let memory = limits.memory_bytes.to_string();
        // Bubblewrap and the stage before the command are processes too.
        let tasks = (limits.processes + 4).to_string();
        match (self.version, &self.directories[..]) {
            (CgroupVersion::V2, [group]) => {
                fs::write(group.join("memory.max"), &memory)?;
                fs::write(group.join("pids.max"), &tasks)?;
                // Both are refinements that a kernel may lack: no swap beyond, and one dies all die.
                fs::write(group.join("memory.swap.max"), "0").ok();
                fs::write(group.join("memory.oom.group"), "1").ok();
                Ok(())
            }
            (CgroupVersion::V1, [of_memory, of_tasks]) => {
                fs::write(of_memory.join("memory.limit_in_bytes"), &memory)?;
                // Missing where the kernel does not account for swap.
                fs::write(of_memory.join("memory.memsw.limit_in_bytes"), &memory).ok();
                fs::write(of_tasks.join("pids.max"), &tasks)
            }
            _ => Err(io::Error::other("unknown shape of cgroups")),
        }
    }

    /// The files a process writes `0` to in order to join.
    pub(super) fn doors(&self) -> Vec<PathBuf> {
        self.directories.iter().map(|directory| directory.join("cgroup.procs")).collect()
    }

    /// Whether the kernel has killed for memory in here.
    pub(super) fn out_of_memory(&self) -> bool {
        let file = match self.version {
            CgroupVersion::V1 => "memory.oom_control",
            CgroupVersion::V2 => "memory.events",
        };
        fs::read_to_string(self.directories[0].join(file)).is_ok_and(|text| {
            text.lines()
                .filter_map(|line| line.strip_prefix("oom_kill "))
                .any(|count| count.trim().parse::<u64>().is_ok_and(|count| count > 0))
        })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for directory in &self.directories {
            // The kernel lets go of dead processes a little later; the next launcher removes the rest.
            for _ in 0..20 {
                if fs::remove_dir(directory).is_ok() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
    }
}

/// Removes what launchers left behind that were killed. A cgroup with processes cannot be removed.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        if !Path::new("/proc").join(pid).exists() {
            // Still in use, or another launcher was faster.
            fs::remove_dir(entry.path()).ok();
        }
    }
}

/// The directories below which this process may make cgroups.
fn parents() -> Result<(CgroupVersion, Vec<PathBuf>), String> {
    let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
    if let (Some(memory), Some(tasks)) = (old_tree(&own, &mounts, "memory"), old_tree(&own, &mounts, "pids"))
    {
        return Ok((CgroupVersion::V1, vec![memory, tasks]));
    }
    let path = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or("there is no unified tree")?;
    let mount = mount_point(&mounts, |kind, _| kind == "cgroup2").ok_or("no cgroup tree is mounted")?;
    let parent = below(&mount, path);
    let handed_down = fs::read_to_string(parent.join("cgroup.subtree_control")).unwrap_or_default();
    if ["memory", "pids"].iter().all(|needed| handed_down.split_whitespace().any(|one| one == *needed)) {
        return Ok((CgroupVersion::V2, vec![parent]));
    }
    Err(format!("{} does not hand memory and pids down", parent.display()))
}

fn old_tree(own: &str, mounts: &str, controller: &str) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        controllers.split(',').any(|one| one == controller).then(|| fields.next()).flatten()
    })?;
    let mount = mount_point(mounts, |kind, options| {
        kind == "cgroup" && options.split(',').any(|one| one == controller)
    })?;
    Some(below(&mount, path))
}

/// In a container the tree is often mounted at the container's own group, where the path does not exist.
fn below(mount: &Path, path: &str) -> PathBuf {
    let full = mount.join(path.trim_start_matches('/'));
    if full.is_dir() { full } else { mount.to_owned() }
}

fn mount_point(mounts: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1)?);
        wanted(kind, options).then(|| left.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}
