//! The stores as a program meets them: started, killed, started again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod client;
mod process;

mod find_and_fetch;
mod kill_parent;
mod private_redis;
mod socket_dir;
mod start_and_stop;
mod test_databases;
