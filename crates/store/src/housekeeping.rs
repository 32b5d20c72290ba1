//! Housekeeping: duties that remove what nobody needs any more, the orders for them, and what came of each.

mod calls;
mod duties;
mod hosts;
mod journal;
mod nights;
mod orders;
mod prune;
mod status;

use serde_json::Value;

pub use duties::{CHECKPOINTS, DUTIES, Duty, WORKSPACES};
pub use hosts::HostTask;
pub(crate) use journal::is_journal_pruned;
pub(crate) use orders::place_order;
pub use orders::{Order, OrderRun, OrderView};
pub use status::{LastRun, Success};

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Days that the journal of an ended task is kept.
    pub journal_days: i32,
    /// Days that slots of schedules and orders of housekeeping are kept.
    pub records_days: i32,
    /// Days that a night can be taken back and that texts which others replaced are kept.
    pub memory_days: i32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { journal_days: 90, records_days: 30, memory_days: 400 }
    }
}

/// What a duty did, or in a dry run what it would do.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Rows, or directories of a host.
    pub removed_rows: i64,
    /// Their size, as far as it is known.
    pub removed_bytes: i64,
    /// What a person may want to know besides.
    pub report: Value,
}
