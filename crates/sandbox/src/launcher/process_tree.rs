//! Everything the command started: found, measured, ended.
//!
//! The launcher adopts orphans, so each process of the run stays its descendant, whatever sessions it makes
//! and however often it forks.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::{Duration, Instant};

use super::kernel::{self, Pid};

/// What the processes of the run use together at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Use {
    /// Processes and threads.
    pub tasks: u64,
    /// Bytes of memory that is nobody else's file: anonymous, shared and swapped.
    pub memory: u64,
    /// Processor time, also of children they have waited for.
    pub cpu: Duration,
}

/// How long the end of all processes is awaited before the run is reported with leftovers. SIGKILL cannot be
/// refused, only be delayed by a system call that does not return.
const GRACE: Duration = Duration::from_secs(5);

/// The descendants of this process.
pub(super) fn descendants() -> Vec<Pid> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut waiting = vec![std::process::id().cast_signed()];
    let mut by_parent = None;
    while let Some(parent) = waiting.pop() {
        let children = children_of(parent).unwrap_or_else(|| {
            let by_parent: &HashMap<Pid, Vec<Pid>> = by_parent.get_or_insert_with(all_by_parent);
            by_parent.get(&parent).cloned().unwrap_or_default()
        });
        for child in children {
            if seen.insert(child) {
                found.push(child);
                waiting.push(child);
            }
        }
    }
    found
}

/// `None` when this kernel does not list children.
fn children_of(parent: Pid) -> Option<Vec<Pid>> {
    let Ok(threads) = fs::read_dir(format!("/proc/{parent}/task")) else {
        // The process has ended.
        return Some(Vec::new());
    };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => children.extend(list.split_whitespace().filter_map(|pid| pid.parse::<Pid>().ok())),
            Err(_) if thread.path().join("stat").exists() => return None,
            Err(_) => {}
        }
    }
    Some(children)
}

fn all_by_parent() -> HashMap<Pid, Vec<Pid>> {
    let mut by_parent: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<Pid>().ok()) else {
            continue;
        };
        if let Some(fields) = stat_fields(pid)
            && let Some(parent) = fields.get(1).and_then(|parent| parent.parse().ok())
        {
            by_parent.entry(parent).or_default().push(pid);
        }
    }
    by_parent
}

/// The fields of `/proc/<pid>/stat` after the name, which may contain anything: the state comes first.
fn stat_fields(pid: Pid) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// Measures all descendants. Processes that end meanwhile count with what was still to be seen of them.
pub(super) fn measure(ticks_per_second: u64) -> Use {
    let mut sum = Use::default();
    for pid in descendants() {
        let Some(fields) = stat_fields(pid) else { continue };
        let number =
            |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        // User, system, and the same of children that were waited for.
        let ticks: u64 = (11..=14).map(number).sum();
        sum.cpu += Duration::from_millis(ticks * 1_000 / ticks_per_second);
        sum.tasks += number(17).max(1);
        sum.memory +=
            kilobytes(&format!("/proc/{pid}/status"), &["RssAnon:", "RssShmem:", "VmSwap:"]).unwrap_or(0);
    }
    sum
}

/// Memory of all descendants with pages that several of them share divided among them. Dearer to read than
/// what [`measure`] sums up, which counts such pages several times.
pub(super) fn fair_memory() -> Option<u64> {
    descendants()
        .into_iter()
        .map(|pid| {
            let parts = ["Pss_Anon:", "Pss_Shmem:", "SwapPss:"];
            match kilobytes(&format!("/proc/{pid}/smaps_rollup"), &parts) {
                Some(bytes) => Some(bytes),
                // A process that is ending has no memory any more; one that hides its memory spoils the sum.
                None => {
                    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                    (!status.contains("VmRSS:")).then_some(0)
                }
            }
        })
        .sum()
}

fn kilobytes(path: &str, names: &[&str]) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let kilobytes = text
        .lines()
        .filter_map(|line| {
            let value = names.iter().find_map(|name| line.strip_prefix(name))?;
            value.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum::<u64>();
    Some(kilobytes * 1_024)
}

/// Kills all descendants and waits for them. Returns how many are left, which should be none.
pub(super) fn end_all(private_uid: Option<u32>) -> usize {
    let deadline = Instant::now() + GRACE;
    loop {
        if let Some(uid) = private_uid
            && let Err(error) = kernel::kill_all_of(uid)
        {
            eprintln!("hive-sandbox: uid {uid}: {error}");
        }
        for pid in descendants() {
            // It may have ended by itself.
            kernel::kill(pid, libc::SIGKILL).ok();
        }
        loop {
            match kernel::wait(-1, libc::WNOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                // No children means no descendants: orphans would have become children.
                Err(_) => return 0,
            }
        }
        if Instant::now() >= deadline {
            return descendants().len();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
