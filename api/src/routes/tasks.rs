//! Tasks: what is asked for.

pub mod assign;
pub mod cancel;
pub mod complete;
pub mod create;
pub mod diff;
pub mod events;
pub mod list;
pub mod show;
pub mod steps;
pub mod why;
