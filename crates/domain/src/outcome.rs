//! How one activation of a task ends. Decided in one `match`, carried out by `settle`.

use std::time::Duration;

use crate::{journal::TaskResult, status::StatusReason};

/// What becomes of the task.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Done, and the checks agree.
    Done(TaskResult),
    /// Park until `after` has passed; costs no attempt.
    Wait {
        /// From now.
        after: Duration,
        /// What is waited for.
        reason: StatusReason,
        /// One sentence for a person.
        detail: String,
    },
    /// The try failed in a way that another try may mend; costs an attempt.
    Retry {
        /// From now.
        after: Duration,
        /// One sentence for a person.
        detail: String,
    },
    /// Hand the task back at once, so that another worker goes on; costs no attempt.
    Yield,
    /// Hand the task back until the pause that covers it ends; costs no attempt.
    Halt,
    /// End for good.
    Fail {
        /// The code.
        reason: StatusReason,
        /// One sentence for a person.
        detail: String,
        /// Work that was done all the same.
        partial: Box<TaskResult>,
    },
}
