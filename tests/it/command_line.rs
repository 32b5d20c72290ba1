//! The command line against servers at work: what it prints, how it ends, and what it does to Postgres.

mod agents;
mod clock;
mod many;
mod memory;
mod messages;
mod money;
mod queue;
mod usage;
