//! The inner stage: raises the walls around itself, then becomes the command.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::landlock_wall::{self, Paths};
use super::stage::Stage;
use super::{kernel, own, rlimits, seccomp_wall, self_test};
use crate::at;
use crate::wire::{Answer, Task};

/// Reads the stage from one descriptor and reports on the other. Does not return when the command starts.
pub(super) fn run(mut arguments: impl Iterator<Item = String>) -> io::Result<()> {
    let mut descriptor = || {
        let number = arguments.next().and_then(|number| number.parse().ok());
        kernel::adopt_descriptor(number.ok_or_else(|| io::Error::other("a descriptor is missing"))?)
    };
    let stage = Stage::read(descriptor()?)?;
    let mut report = descriptor()?;
    kernel::close_the_rest_on_exec()?;
    let answer = become_command(&stage, &mut report);
    say(&mut report, &answer)
}

fn say(report: &mut File, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    report.write_all(&line)
}

#[expect(clippy::needless_pass_by_value, reason = "an error is done with once it is told")]
fn refused(wall: &str, reason: impl ToString) -> Answer {
    Answer::Refused { wall: wall.to_owned(), reason: reason.to_string() }
}

fn become_command(stage: &Stage, report: &mut File) -> Answer {
    kernel::set_umask(0o022);
    if let Err(reason) = enter(stage) {
        return refused("workspace", reason);
    }
    if stage.order.confined
        && let Err(answer) = raise_walls(stage)
    {
        return answer;
    }
    let argv = match &stage.order.task {
        Task::SelfTest => return Answer::Tested(self_test::run(stage)),
        Task::Command(argv) => argv,
    };
    let Some((program, arguments)) = argv.split_first() else {
        return refused("command", "the command is empty");
    };
    if let Err(error) = say(report, &Answer::Started) {
        return refused("report", error);
    }
    let error = Command::new(program).args(arguments).env_clear().envs(environment(stage)).exec();
    Answer::NotExecuted { reason: error.to_string() }
}

/// Goes to the directory the command starts in, which may not lead out of the workspace.
fn enter(stage: &Stage) -> Result<(), String> {
    let workspace = &stage.order.workspace;
    // The walls come later: what keeps us out here are permissions, and the operator must know which.
    let root =
        at::open_root(workspace).map_err(|error| match own::barrier(workspace, kernel::effective_uid()) {
            Some(barrier) => format!(
                "{} cannot be entered by uid {}: allow others to search it, or keep workspaces elsewhere",
                barrier.display(),
                kernel::effective_uid()
            ),
            None => format!("{}: {error}", workspace.display()),
        })?;
    let cwd: OwnedFd = at::open_beneath(root.as_fd(), &stage.order.cwd, libc::O_PATH | libc::O_DIRECTORY, 0)
        .map_err(|error| format!("{} in the workspace: {error}", stage.order.cwd.display()))?;
    if stage.order.cwd.as_os_str().is_empty() {
        return std::env::set_current_dir(workspace).map_err(|error| error.to_string());
    }
    std::env::set_current_dir(at::descriptor_path(cwd.as_fd())).map_err(|error| error.to_string())
}

fn raise_walls(stage: &Stage) -> Result<(), Answer> {
    kernel::forbid_new_privileges().map_err(|error| refused("no_new_privs", error))?;
    if kernel::is_root() {
        return Err(refused("uid", "a command is never run as root"));
    }
    let wanted = rlimits::wanted(&stage.order.limits, stage.processes);
    let too_high = rlimits::too_high(&wanted);
    if !too_high.is_empty() {
        return Err(refused("rlimits", too_high.join("; ")));
    }
    landlock_wall::check_kernel(stage.shared_uid && !stage.in_bubblewrap)
        .map_err(|reason| refused("landlock", reason))?;
    let paths = Paths {
        read_only: stage.order.read_only.iter().map(AsRef::<Path>::as_ref).collect(),
        writable: vec![&stage.order.workspace, &stage.tmp, &stage.home],
        in_bubblewrap: stage.in_bubblewrap,
    };
    landlock_wall::raise(&paths).map_err(|reason| refused("landlock", reason))?;
    seccomp_wall::raise().map_err(|reason| refused("seccomp", reason))
}

/// The whole environment of the command: ours, then what the job sets.
fn environment(stage: &Stage) -> Vec<(String, String)> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let fixed = [
        ("PATH", stage.order.path.clone()),
        ("HOME", path(&stage.home)),
        ("TMPDIR", path(&stage.tmp)),
        ("LANG", "C.UTF-8".to_owned()),
        ("TERM", "dumb".to_owned()),
        ("SHELL", "/bin/sh".to_owned()),
        ("USER", "hive".to_owned()),
    ];
    fixed
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .chain(stage.order.env.iter().cloned())
        .collect()
}
