//! The double over its own wire, as a client sees it.

#![expect(
    clippy::needless_pass_by_value,
    reason = "bodies are written with json! and handed over as they are"
)]

mod bodies;
mod client;
mod default_part;
mod faults;
mod ledger;
mod refused;
mod scripts;
mod streaming;
mod validation;
