//! The loop of an agent: replay the journal, ask the model, act with tools, append. What comes next is decided by
//! `hive_domain::transcript`; this crate carries it out.

mod act;
mod ask;
mod briefing;
mod call;
pub mod checks;
mod choice;
pub mod conversation;
mod definitions;
mod doze;
mod excerpt;
mod files;
mod finish;
mod gate;
mod markers;
mod meter;
mod model_book;
pub mod models;
mod notifier;
mod outside;
mod past;
mod persist;
mod post;
mod recording;
mod reply;
pub mod roster;
mod run;
mod segments;
mod steer;
mod summary;
pub mod tools;
mod tries;
mod turn;
mod window;

pub use choice::Choice;
pub use definitions::Definitions;
pub use gate::{Gate, GatePolicy, PROVIDER_UPDATES, RateLimits, fingerprint};
pub use meter::METRICS;
pub use model_book::ModelBook;
pub use models::Models;
pub use notifier::Notifier;
pub use recording::{RecordedCall, Recorder, Recording};
pub use roster::roster;
pub use run::{Agent, Control, Stopped, TASK_UPDATES, failed_try};
pub use window::Windows;
