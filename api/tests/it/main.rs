//! The door from outside: real sockets, a real Postgres, a real Redis.
#![expect(clippy::unwrap_used, reason = "a test ends at what it does not expect")]

mod agents;
mod artifacts;
mod auth;
mod bad_bodies;
mod bad_fields;
mod bad_paths;
mod bulk_actions;
mod bulk_create;
mod contexts;
mod dependencies;
mod events;
mod health;
mod hive;
mod idempotency;
mod messages;
mod openapi;
mod programs;
mod queue;
mod relevance;
mod retrying;
mod robust;
mod routing_rules;
mod schedules;
mod searches;
mod sessions;
mod sleeps;
mod system_events;
mod task_actions;
mod task_steering;
mod tasks;
