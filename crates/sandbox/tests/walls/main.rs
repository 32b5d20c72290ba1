//! Hostile commands against real walls. Each test runs on the floor, and again inside bubblewrap where that
//! works; where it does not, the test prints so and the floor has to do.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]
#![expect(unsafe_code, reason = "a wall is taken away from a worker between fork and exec")]

mod fixture;

mod beneath;
mod files;
mod network;
mod output;
mod ownership;
mod probe;
mod processes;
mod resources;
mod secrets;
mod worker_death;
