//! The door to the operating system: run a command, confined.
//!
//! [`Sandbox::run`] starts the launcher `hive-sandbox`, a small process that confines the command, watches
//! what it uses, and ends everything that the command started. The launcher outlives a worker that is
//! killed just long enough to do that.
//!
//! The floor is made of Landlock, seccomp and resource limits, never as uid 0; it needs no privilege and
//! works inside an ordinary container. Bubblewrap namespaces and cgroups are added where [`Sandbox::probe`]
//! has seen them work. Without the floor there is no [`Sandbox`]: the probe fails and names the missing wall.
//!
//! # Who owns the files
//!
//! A worker that runs as root gives each run a uid of its own out of [`UidRange`], held by a lock for as
//! long as the launcher lives. Before the command starts, the launcher hands the workspace to that uid:
//! everything below it is changed to the uid without following a link, except
//!
//! - the workspace directory itself, which stays with root, is given to the run's group and made sticky
//!   (mode 1770), and its `.git`, which stays as it is: so the command can neither change nor replace `.git`;
//! - a file with several hard links that never belonged to the range (git shares objects in that way): a
//!   link must not give away a file that lives outside.
//!
//! Root's git reads such a workspace with `-c safe.directory=<workspace>`. The uid needs search permission
//! on all parents of the workspace. Two runs in one workspace wait for each other.
//!
//! A worker that is not root runs commands under its own uid and changes no owner. Landlock then also has to
//! keep signals in, which it can since ABI 6; `.git` is protected only where bubblewrap is used.
#![expect(unsafe_code, reason = "the launcher talks to the kernel; each block states why it is sound")]

mod at;
mod beneath;
mod capture;
mod config;
mod error;
mod hide;
mod job;
pub mod launcher;
mod level;
mod output;
mod sandbox;
mod wire;

pub use beneath::{AccessError, Beneath, Entry, Kind, Listing};
pub use config::{Bubblewrap, Config, Mode, UidRange};
pub use error::{Error, Unavailable};
pub use hide::hide_process;
pub use job::{Job, Limits};
pub use level::{CgroupVersion, Level};
pub use output::{Captured, Exit, Limit, Output};
pub use sandbox::Sandbox;
