//! The store against a real Postgres: each test has a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actions;
mod agents;
mod append;
mod artifacts;
mod bed;
mod calls;
mod census;
mod claim;
mod dependencies;
mod enqueue;
mod events;
mod fencing;
mod impossible_rows;
mod list;
mod model;
mod plans;
mod random_verbs;
mod reconcile;
mod schema;
mod settle;
mod transitions;
