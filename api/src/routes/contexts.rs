//! What is remembered: stored, found again, edited, forgotten.

mod reader;

pub mod assemble;
pub mod delete;
pub mod history;
pub mod redact;
pub mod search;
pub mod show;
pub mod store;
pub mod update;
