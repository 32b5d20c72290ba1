//! The scheduler against a real Postgres and a real Redis.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod process;
mod reconcile;
mod schedules;
mod stage;
