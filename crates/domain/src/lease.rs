//! The right to act on something, held as a value.

use crate::ids::TaskId;

/// Whoever holds it may write: every write compares `epoch`, the fencing token, in the same statement.
/// Settling consumes it, so that nothing can be written afterwards.
#[derive(Debug)]
pub struct Lease<T> {
    /// What is leased, as it was at the claim.
    pub leased: T,
    task: TaskId,
    epoch: i64,
    next_seq: i32,
    has_progressed: bool,
}

impl<T> Lease<T> {
    /// Made by a claim only.
    #[must_use]
    pub const fn new(leased: T, task: TaskId, epoch: i64, next_seq: i32) -> Self {
        Self { leased, task, epoch, next_seq, has_progressed: false }
    }

    /// The task it is for.
    #[must_use]
    pub const fn task(&self) -> TaskId {
        self.task
    }

    /// The fencing token: one more with each claim.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The number of the next journal entry.
    #[must_use]
    pub const fn next_seq(&self) -> i32 {
        self.next_seq
    }

    /// Called once an entry is committed.
    pub const fn advance(&mut self) {
        self.next_seq += 1;
        self.has_progressed = true;
    }

    /// True when this run has committed an entry: the tries before it no longer count.
    #[must_use]
    pub const fn has_progressed(&self) -> bool {
        self.has_progressed
    }

    /// The run's id: a run is one activation of a task.
    #[must_use]
    pub fn run_id(&self) -> String {
        format!("{}.{}", self.task, self.epoch)
    }
}
