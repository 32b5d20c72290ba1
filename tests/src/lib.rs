//! A whole hive for one story: real processes, a database and a Redis of its own, and the double in place of Claude.
//! Stories post tasks through the front door and look at what a user would see, at Postgres, at git and at what was
//! charged.

#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

mod builder;
mod command;
mod detour;
mod gate;
mod hive;
mod http;
mod journal;
mod leftovers;
mod log;
mod moving;
mod npm;
mod program;
mod prometheus;
mod receiver;
mod redis_side;
mod repo;
mod request;
mod script;
mod sse;
mod stores;
mod wait;

pub use builder::Builder;
pub use detour::{Detour, Keeps};
pub use gate::Gate;
pub use hive::TestHive;
pub use journal::Charged;
pub use log::LogLine;
pub use npm::{NpmPackage, run};
pub use program::{Program, binary, ends_at_once};
pub use prometheus::{Prometheus, Sample};
pub use receiver::{Notification, Receiver, Reception};
pub use repo::{Repo, branch, example};
pub use request::spoken;
pub use script::{answer, finish, rules, say, script, shell, write};
pub use sse::Stream;
pub use wait::within;
