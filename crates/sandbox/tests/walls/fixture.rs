//! A workspace in a temporary place, and the sandboxes this machine can stand.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hive_sandbox::{Bubblewrap, Config, Job, Limits, Mode, Output, Sandbox};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub const PYTHON: &str = "/usr/bin/python3";

pub struct Place {
    dir: TempDir,
    pub workspace: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The uid of a run has to get through to the workspace.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let workspace = dir.path().join("workspace");
        std::fs::create_dir(&workspace).unwrap();
        Self { dir, workspace }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn config(&self) -> Config {
        let scratch = self.dir.path().join("scratch");
        std::fs::create_dir_all(&scratch).unwrap();
        Config { launcher: Some(env!("CARGO_BIN_EXE_hive-sandbox").into()), scratch, ..Config::default() }
    }

    /// What the run left in the place of temporary files.
    pub fn leftovers(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("scratch")).unwrap().count()
    }

    /// The floor alone, and the most this machine can do when that is more.
    pub async fn sandboxes(&self) -> Vec<Sandbox> {
        let floor = Config { bubblewrap: Bubblewrap::Never, ..self.config() };
        let mut sandboxes = vec![Sandbox::probe(floor).await.unwrap()];
        let most = Sandbox::probe(self.config()).await.unwrap();
        if most.level().bubblewrap {
            sandboxes.push(most);
        } else {
            println!("skipped inside bubblewrap: {:?}", most.level().notes);
        }
        sandboxes
    }

    pub async fn unconfined(&self) -> Sandbox {
        Sandbox::probe(Config { mode: Mode::Off, ..self.config() }).await.unwrap()
    }

    pub fn job<'a>(&self, command: impl IntoIterator<Item = &'a str>) -> Job {
        let limits = Limits { wall: Duration::from_secs(30), ..Limits::default() };
        Job { limits, ..Job::new(&self.workspace, command) }
    }

    pub fn shell(&self, line: &str) -> Job {
        self.job(["bash", "-c", line])
    }

    pub fn python(&self, script: &str) -> Job {
        self.job([PYTHON, "-c", script])
    }
}

pub async fn run(sandbox: &Sandbox, job: &Job) -> Output {
    let output = sandbox.run(job, &CancellationToken::new()).await.unwrap();
    println!("{}: {:?} {:?}\n{}", output.level, output.exit, output.ended_by, output.stderr.text());
    output
}

pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A word that no other process of this machine has in its command line.
pub fn marker() -> String {
    let random = tempfile::Builder::new().rand_bytes(16).tempdir().unwrap();
    format!("marker{}", random.path().file_name().unwrap().to_str().unwrap().replace('.', ""))
}

/// How many processes have the marker in their command line; zombies have none.
pub fn alive(marker: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|process| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            line.windows(marker.len()).any(|part| part == marker.as_bytes())
        })
        .count()
}

/// Looks again and again until the condition holds or the time is up.
pub async fn eventually(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + within;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The resident memory of this process, in bytes.
pub fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// The example that stands for a worker.
pub fn worker() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let example = tests.parent().unwrap().parent().unwrap().join("examples/confine");
    assert!(example.is_file(), "build the example first: cargo build -p hive-sandbox --examples");
    example
}
