//! Each test holds one promise of the queue against the defect of apalis-redis 1.0.0 or the fault of Redis that
//! would break it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backlog;
mod broken_tickets;
mod counted;
mod events;
mod faults;
mod harness;
mod limiter;
mod takeover;
mod tickets;
