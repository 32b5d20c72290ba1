use std::path::PathBuf;
use std::time::Duration;

/// Where workspaces live and what they may read.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory that holds mirrors, task trees and the quarantine. Created if absent.
    pub root: PathBuf,
    /// `file:` addresses and plain paths are accepted only below these directories; none means refused.
    pub file_roots: Vec<PathBuf>,
    /// The longest one git call may take, also the longest wait for another task's fetch of the same mirror.
    pub timeout: Duration,
    /// The git program, a name to be found on `PATH` or an absolute path.
    pub git: PathBuf,
}

impl Config {
    /// Settings for `root` with no file roots, two minutes per call and the `git` found on `PATH`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            file_roots: Vec::new(),
            timeout: Duration::from_secs(120),
            git: PathBuf::from("git"),
        }
    }
}
