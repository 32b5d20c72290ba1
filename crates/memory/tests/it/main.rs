//! The context engine: searches over an index alone, and over Postgres with the embedded model.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bed;
mod engine;
mod order;
mod refusals;
mod searching;
mod views;
