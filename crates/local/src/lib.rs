//! Postgres and Redis of our own for `hive dev` and for tests: find or fetch the servers, start them on
//! unix sockets, stop them, and leave no orphan when we are killed.
//!
//! Everything here blocks the calling thread. Processes are spawned from one thread that lives as long as
//! the program (see [`BoundChild`]), so every function may be called from any thread.
#![expect(unsafe_code, reason = "uids, signals and parent-death signals have no safe interface in std")]

mod account;
mod bound_child;
mod deadline;
mod error;
mod fetch;
mod find;
mod hold;
mod postgres;
mod postgres_data;
mod redis;
mod secret;
mod signal;
mod socket_dir;
mod state_dir;
mod store_log;
mod stores;
pub mod testing;
mod throw_away;
mod wheels;

pub use bound_child::{BoundChild, spawn_bound};
pub use error::Error;
pub use postgres::Postgres;
pub use redis::{Redis, RedisData};
pub use secret::{random_secret_file, write_secret_file};
pub use signal::{Signal, end_on_closed_pipe};
pub use state_dir::{default_cache_dir, default_state_dir};
pub use stores::{Stores, StoresConfig};
pub use throw_away::{ThrowAway, clean_at_exit};
