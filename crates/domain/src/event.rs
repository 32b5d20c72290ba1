//! The kinds of events a watcher sees.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::status::{UnknownName, names};

names! {
    /// What happened to a task.
    EventKind, "event kind" {
        /// Accepted and committed.
        Created = "task.created",
        /// Its time or its dependencies came, or it was handed back.
        Ready = "task.ready",
        /// A worker took the lease.
        Started = "task.started",
        /// A journal entry was written; `data.kind` names it.
        Step = "task.step",
        /// Parked; `data.reason` says for what.
        Waiting = "task.waiting",
        /// Given to another agent.
        Assigned = "task.assigned",
        /// Its priority was changed; `data.priority` is the new one.
        Reprioritised = "task.reprioritised",
        /// It waits for further tasks, which `data.depends_on` names.
        DependenciesAdded = "task.dependencies_added",
        /// A person asked for completion through the checks.
        CompletionRequested = "task.completion_requested",
        /// A person wrote to it; `data.message` is the message's number.
        MessageAccepted = "task.message",
        /// Agents wrote to it; `data.messages` is how many messages were bound to it.
        Mail = "task.agent_message",
        /// A person said what came of an external call that was cut.
        OutcomeDecided = "task.outcome_decided",
        /// Its next call did not fit into a budget, which `data` names with its figures; it is parked for it.
        BudgetReached = "budget.reached",
        /// The budget that it waited for was raised, and it goes on.
        BudgetRaised = "budget.raised",
        /// Its worker died or lost the lease.
        Orphaned = "task.orphaned",
        /// Done, and the checks agree.
        Succeeded = "task.succeeded",
        /// Ended; `data.reason` says why.
        Failed = "task.failed",
        /// Ended by a person.
        Cancelled = "task.cancelled",
        /// Attempts used up.
        Dead = "task.dead",
    }
}
