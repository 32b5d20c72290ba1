//! Tasks: what is asked for.

pub mod act;
pub mod action;
pub mod artifact;
pub mod artifacts;
pub mod assign;
pub mod bulk;
pub mod cancel;
mod change;
pub mod complete;
pub mod create;
pub mod depend;
pub mod diff;
pub mod events;
pub mod filter;
pub mod fork;
pub mod list;
pub mod messages;
pub mod outcome;
pub mod reprioritise;
pub mod retry;
pub mod show;
pub mod steps;
pub mod submission;
pub mod tell;
pub mod why;
