//! `/api/v1/sleep-cycles`: what nights do to memories.

pub mod begin;
pub mod cancel;
pub mod diff;
pub mod list;
pub mod rollback;
pub mod show;
