//! Packages of the npm registry, for tests that need a foreign program or library to judge ours.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

const INSTALL_WITHIN: Duration = Duration::from_secs(300);

/// A folder that holds `node_modules` with one package of one version.
#[derive(Debug)]
pub struct NpmPackage {
    /// The folder; a script in it can import the package.
    pub folder: PathBuf,
}

impl NpmPackage {
    /// The package, installed beneath `cache` (or `HIVE_TEST_NODE_CACHE`) once and for all. `None` where `node` or `npm`
    /// is not on PATH, and then a line says what was skipped.
    ///
    /// # Panics
    /// Without node under `CI=true`, and when the package cannot be installed.
    pub async fn find(name: &str, version: &str, cache: &Path) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
        if !on_path("node") || !on_path("npm") {
            let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!in_ci, "node and npm are not on PATH, and CI=true wants them there");
            eprintln!("skipped: node and npm are not on PATH (apt-get install nodejs npm)");
            return None;
        }
        let cache =
            std::env::var_os("HIVE_TEST_NODE_CACHE").map_or_else(|| cache.join("node"), PathBuf::from);
        let folder = cache.join(format!("{}-{version}", name.trim_start_matches('@').replace('/', "-")));
        if !holds(&folder, name, version) {
            install(&cache, &folder, name, version).await;
            assert!(holds(&folder, name, version), "{name} {version} was installed and is not there");
        }
        Some(Self { folder })
    }

    /// A file of the package.
    #[must_use]
    pub fn file(&self, name: &str, file: &str) -> PathBuf {
        self.folder.join("node_modules").join(name).join(file)
    }
}

fn holds(folder: &Path, name: &str, version: &str) -> bool {
    let manifest = folder.join("node_modules").join(name).join("package.json");
    let manifest = std::fs::read(manifest).ok().and_then(|text| serde_json::from_slice(&text).ok());
    manifest.is_some_and(|manifest: serde_json::Value| manifest["version"] == version)
}

/// Installs beside and renames, so that a folder with the final name is always whole.
async fn install(cache: &Path, folder: &Path, name: &str, version: &str) {
    std::fs::create_dir_all(cache).unwrap();
    let fresh = tempfile::tempdir_in(cache).unwrap().keep();
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix"]);
    let output = run(npm.arg(&fresh).arg(format!("{name}@{version}")), INSTALL_WITHIN).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test needs a package registry that has {name}@{version}: {said}");
    if std::fs::rename(&fresh, folder).is_err() {
        // A broken or a parallel install stands there.
        let aside = cache.join(format!("replaced-{}", std::process::id()));
        std::fs::rename(folder, &aside).unwrap();
        std::fs::rename(&fresh, folder).unwrap();
        std::fs::remove_dir_all(&aside).unwrap();
    }
}

/// Runs a program to its end.
///
/// # Panics
/// When it cannot be started or does not end in time.
pub async fn run(command: &mut Command, within: Duration) -> Output {
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(within, command.output()).await {
        Ok(output) => output.unwrap(),
        Err(_) => panic!("{command:?} did not end within {} s", within.as_secs()),
    }
}
