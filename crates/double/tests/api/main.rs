//! The double over its own wire, as a client sees it.

#![expect(
    clippy::needless_pass_by_value,
    reason = "bodies are written with json! and handed over as they are"
)]

mod batches;
mod binding;
mod bodies;
mod caching;
mod client;
mod compaction;
mod default_part;
mod faults;
mod ledger;
mod limits;
mod modes;
mod outage;
mod recording;
mod refused;
mod scripts;
mod strange;
mod streaming;
mod validation;
