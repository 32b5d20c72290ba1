//! Stories of a task's workspace, told with real repositories.

#![expect(clippy::unwrap_used, reason = "a harness that cannot prepare a test fails it there")]

mod addresses;
mod bundling;
mod commits;
mod harness;
mod hostile;
mod isolation;
mod pushing;
mod removal;
mod resets;
mod resolving;
mod restoring;
mod resume;
mod sweeping;
