//! Agents: who does the work.

mod definition;

pub mod create;
pub mod deactivate;
pub mod list;
pub mod show;
pub mod update;
