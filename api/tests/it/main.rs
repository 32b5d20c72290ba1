//! The door from outside: real sockets, a real Postgres, a real Redis.
#![expect(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

mod agents;
mod auth;
mod bad_bodies;
mod bad_fields;
mod bad_paths;
mod events;
mod health;
mod hive;
mod openapi;
mod programs;
mod queue;
mod robust;
mod task_actions;
mod tasks;
