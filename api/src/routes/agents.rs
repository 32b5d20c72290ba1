//! Agents: who does the work.

mod definition;

pub mod create;
pub mod deactivate;
pub mod list;
pub mod set_sleep_settings;
pub mod show;
pub mod sleep_settings;
pub mod sleeps;
pub mod update;
