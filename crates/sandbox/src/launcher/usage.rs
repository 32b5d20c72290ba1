//! What workspace and temporary files occupy, measured beside the command.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::process_tree;
use super::walk::{Go, walk};
use crate::job::Limits;
use crate::output::Limit;

/// The shortest time from one measurement to the next. A large tree is measured less often, so that
/// measuring takes a tenth of one processor at most.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_PER_SCAN: u32 = 9;

/// What a workspace that is over its limit from the start may still add, for a command that cleans up.
const SLACK_BYTES: u64 = 16 << 20;
const SLACK_INODES: u64 = 1_000;

/// The unit in which the kernel counts what a file occupies.
const BLOCK: u64 = 512;

#[derive(Debug, Clone, Copy, Default)]
struct Occupied {
    bytes: u64,
    inodes: u64,
}

/// Measures until it is dropped.
#[derive(Debug)]
pub(super) struct DiskWatch {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    over_bytes: AtomicBool,
    over_inodes: AtomicBool,
    stop: AtomicBool,
}

impl DiskWatch {
    /// Measures once to know where the run starts from, then goes on in a thread of its own.
    pub(super) fn start(directories: Vec<File>, limits: &Limits) -> Self {
        let shared = Arc::new(Shared::default());
        let watch = Self { shared: Arc::clone(&shared) };
        let most = Occupied { bytes: limits.disk_bytes, inodes: limits.inodes };
        std::thread::spawn(move || {
            let mut allowed = None;
            while !shared.stop.load(Ordering::Relaxed) {
                let started = Instant::now();
                let now = occupied(&directories, allowed.map(|allowed: Occupied| allowed.inodes));
                let allowed = *allowed.get_or_insert_with(|| ceiling(most, now));
                shared.over_bytes.store(now.bytes > allowed.bytes, Ordering::Relaxed);
                shared.over_inodes.store(now.inodes > allowed.inodes, Ordering::Relaxed);
                std::thread::park_timeout(PAUSE.max(started.elapsed() * PAUSE_PER_SCAN));
            }
        });
        watch
    }

    /// The limit that is passed at present.
    pub(super) fn exceeded(&self) -> Option<Limit> {
        if self.shared.over_bytes.load(Ordering::Relaxed) {
            return Some(Limit::Disk);
        }
        self.shared.over_inodes.load(Ordering::Relaxed).then_some(Limit::Inodes)
    }
}

impl Drop for DiskWatch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

fn ceiling(most: Occupied, start: Occupied) -> Occupied {
    let over = |most: u64, start: u64, slack: u64| if start > most { start + slack } else { most };
    Occupied {
        bytes: over(most.bytes, start.bytes, SLACK_BYTES),
        inodes: over(most.inodes, start.inodes, SLACK_INODES),
    }
}

/// Counts up to `enough` inodes. A tree that cannot be walked counts as too many: it was made to hide.
fn occupied(directories: &[File], enough: Option<u64>) -> Occupied {
    let enough = enough.unwrap_or(u64::MAX);
    let mut sum = Occupied::default();
    for directory in directories {
        let walked = walk(directory.as_fd(), |entry| {
            sum.inodes += 1;
            sum.bytes += u64::try_from(entry.stat.st_blocks).unwrap_or(0) * BLOCK;
            Ok(if sum.inodes > enough { Go::Stop } else { Go::On })
        });
        if walked.is_err() {
            sum.inodes = u64::MAX - SLACK_INODES;
        }
    }
    sum.bytes += nameless();
    sum
}

/// Bytes of files that have no name any more and live on because a process holds them open.
fn nameless() -> u64 {
    let mut found = HashMap::new();
    for pid in process_tree::descendants() {
        // Processes and descriptors come and go; what is gone occupies nothing.
        for descriptor in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            if let Ok(file) = descriptor.path().metadata()
                && file.is_file()
                && file.nlink() == 0
            {
                found.insert((file.dev(), file.ino()), file.blocks() * BLOCK);
            }
        }
    }
    found.values().sum()
}
