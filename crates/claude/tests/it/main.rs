//! The client against a server that sends raw bytes.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod batches;
mod exchanges;
mod failures;
mod server;
mod streams;
