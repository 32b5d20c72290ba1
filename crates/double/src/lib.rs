//! The Claude double: a server that speaks the Messages API from scripts.
//!
//! It judges requests by the rules of the real API, answers them from a [`Script`] or, without one, plays a
//! default part, breaks on command, and keeps a [`Call`] for every answer that would have been paid for. It
//! shares no parsing code with the client it judges.
//!
//! A test directs it through its [`DoubleHandle`], or over the wire below `/_double`, in YAML or JSON:
//!
//! | path | takes |
//! |---|---|
//! | `GET health` | |
//! | `GET`, `DELETE ledger` | what was charged; deleting empties the prompt cache too |
//! | `GET`, `DELETE requests` | the last requests as they arrived |
//! | `POST`, `DELETE script` | a [`Script`] |
//! | `POST`, `DELETE faults` | a [`Storm`] |
//! | `GET`, `POST`, `DELETE outage` | an [`Outage`], which begins at once |
//! | `GET`, `POST`, `DELETE limits` | [`Limits`]; reading tells how much of them each window of ten seconds used |
//! | `POST`, `DELETE windows` | [`Windows`]: context windows other than the models' own |
//! | `POST batches` | `{seconds: 3600}`: how long batches take that are created from now on |
//! | `GET`, `POST clock` | `{seconds: 3600}`: puts the double's clock forward |

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
mod night;
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
