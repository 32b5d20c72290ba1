//! The store against a real Postgres: each test has a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actions;
mod agents;
mod append;
mod artifacts;
mod bed;
mod bulk;
mod calls;
mod cancel_tree;
mod claim;
mod depend;
mod dependencies;
mod enqueue;
mod enqueue_many;
mod events;
mod fencing;
mod forks;
mod housekeeping;
mod impossible_rows;
mod journal_weeks;
mod list;
mod messages;
mod model;
mod once;
mod outcomes;
mod plans;
mod random_verbs;
mod reconcile;
mod redrive;
mod schedules;
mod schema;
mod sessions;
mod settle;
mod transitions;
mod verify;
