//! Checkpoints of the whole system.

pub mod create;
pub mod list;
pub mod show;
