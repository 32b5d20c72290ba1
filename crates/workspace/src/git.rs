//! The git program with the surroundings every call shares: settings, environment, private home.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::call::Call;

/// Settings that outrank every configuration file, given on each call.
const HARDENING: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.symlinks=true",
    "core.fileMode=true",
    "core.quotePath=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.logAllRefUpdates=false",
    "credential.helper=",
    "protocol.ext.allow=never",
    "safe.directory=*",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "diff.ignoreSubmodules=all",
    "commit.gpgSign=false",
    "push.gpgSign=false",
    "http.followRedirects=initial",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=20",
];

/// The only configuration file git finds. Processes that git starts in a `file:` repository (upload-pack,
/// receive-pack) do not inherit `-c` settings, so what they need stands here. Automatic collection is off:
/// it would outlive the call, and task directories borrow objects from mirrors.
const GLOBAL_CONFIG: &str = "[safe]\n\tdirectory = *\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n\
                             [receive]\n\tautogc = false\n[core]\n\tfsync = committed\n\tfsyncMethod = batch\n";

/// The git program and the surroundings every call shares.
#[derive(Debug)]
pub(crate) struct Git {
    program: PathBuf,
    root: PathBuf,
    home: PathBuf,
    path: OsString,
    timeout: Duration,
}

impl Git {
    /// Prepares the private home directory below `root` and remembers the search path of this process.
    pub(crate) fn new(program: PathBuf, root: &Path, timeout: Duration) -> std::io::Result<Self> {
        let home = root.join("home");
        crate::slot::private_directory(&home)?;
        let file = home.join("gitconfig");
        if std::fs::read(&file).ok().as_deref() != Some(GLOBAL_CONFIG.as_bytes()) {
            // Written aside and renamed: another worker on the same root may be reading it.
            let fresh = home.join(format!("gitconfig.{}", std::process::id()));
            std::fs::write(&fresh, GLOBAL_CONFIG)?;
            std::fs::rename(&fresh, &file)?;
        }
        let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
        Ok(Self { program, root: root.to_owned(), home, path, timeout })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A call of `operation`, the git subcommand.
    pub(crate) fn call(&self, operation: &'static str) -> Call<'_> {
        Call::new(self, operation)
    }

    /// The program with its settings and a clean environment, before any subcommand.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for setting in HARDENING {
            command.arg("-c").arg(setting);
        }
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.home.join("gitconfig"))
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            // The environment outranks any `core.sshCommand`; without a terminal ssh must fail, not ask.
            .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=8")
            .env("GIT_SSH_VARIANT", "ssh")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ADVICE", "0")
            .env("LC_ALL", "C")
            .current_dir(&self.root)
            .kill_on_drop(true)
            .process_group(0);
        command
    }
}
