//! The Claude double: a server that speaks the Messages API from scripts.
//!
//! It judges requests by the rules of the real API, answers them from a [`Script`] or, without one, plays a
//! default part, breaks on command, and keeps a [`Call`] for every answer that would have been paid for. It
//! shares no parsing code with the client it judges.

mod answer;
pub mod arguments;
mod cache;
mod catalogue;
mod charge;
mod check;
mod config;
mod conversation;
mod digest;
mod door;
mod fault;
mod ledger;
mod part;
mod play;
mod refusal;
mod requests;
mod routes;
mod script;
mod server;
mod sse;
mod stage;
mod storm;
mod tokens;

pub use config::DoubleConfig;
pub use fault::FaultError;
pub use ledger::{Call, LedgerError, Unmatched, Usage};
pub use requests::KeptRequest;
pub use script::{Script, ScriptError};
pub use server::{Double, DoubleError, DoubleHandle};
pub use storm::Storm;
pub use tokens::tokens;
