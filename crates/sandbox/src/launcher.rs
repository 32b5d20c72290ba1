//! The launcher: confines one command, watches it, and ends all that it started.
//!
//! Two stages in one binary. `supervise` stays outside as the parent of everything that the command starts:
//! it prepares uid, workspace and temporary files, enforces the limits, and ends the run when the worker says
//! so or is gone. `inner` raises the walls around itself and becomes the command.

mod bubblewrap;
mod cgroup;
mod control;
mod inner;
mod kernel;
mod landlock_wall;
mod own;
mod paths;
mod prepare;
mod process_tree;
mod rlimits;
mod scratch;
mod seccomp_wall;
mod self_test;
mod stage;
mod supervise;
mod uid_slot;
mod usage;
mod walk;

use std::process::ExitCode;

/// Exit code of a launcher that could not do its work; the reason went to the worker.
const FAILED: u8 = 125;

/// Runs the launcher with its arguments, the program's own name left out.
pub fn main(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let done = match arguments.next().as_deref() {
        Some("supervise") => supervise::supervise(),
        Some("inner") => inner::run(arguments),
        _ => {
            eprintln!("hive-sandbox is started by the workers of Agent Hive, not by hand");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hive-sandbox: {error}");
            ExitCode::from(FAILED)
        }
    }
}
