//! The store against a real Postgres: each test has a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actions;
mod agents;
mod append;
mod artifacts;
mod bed;
mod calls;
mod claim;
mod deadlines;
mod dependencies;
mod enqueue;
mod events;
mod fencing;
mod groups;
mod impossible_rows;
mod isolation;
mod keys;
mod list;
mod model;
mod pauses;
mod plans;
mod random_verbs;
mod rates;
mod reconcile;
mod schema;
mod settle;
mod tickets;
mod transitions;
mod workers;
