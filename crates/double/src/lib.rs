//! The Claude double: a server that speaks the Messages API from scripts.
//!
//! It judges requests by the rules of the real API, answers them from a [`Script`] or, without one, plays a
//! default part, breaks on command, and keeps a [`Call`] for every answer that would have been paid for. It
//! shares no parsing code with the client it judges.

mod answer;
mod answering;
pub mod arguments;
mod batches;
mod cache;
mod catalogue;
mod charge;
mod check;
mod clock;
mod config;
mod conversation;
mod diagnosis;
mod digest;
mod door;
mod fault;
mod ledger;
mod limits;
mod message;
mod outage;
mod part;
mod play;
mod recording;
mod refusal;
mod requests;
mod routes;
mod script;
mod server;
mod sign;
mod sse;
mod stage;
mod storm;
mod tokens;
mod windows;

pub use config::DoubleConfig;
pub use fault::FaultError;
pub use ledger::{Call, LedgerError, Unmatched, Usage};
pub use limits::{GroupUse, Limits, LimitsError, WindowUse};
pub use outage::Outage;
pub use recording::{Recording, RecordingError};
pub use requests::KeptRequest;
pub use script::{Script, ScriptError};
pub use server::{Double, DoubleError, DoubleHandle};
pub use storm::Storm;
pub use tokens::tokens;
pub use windows::Windows;
