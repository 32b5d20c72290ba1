//! Where a task stands and why. The names are stored and shown, so they are written by hand; `docs/STATES.md`
//! draws the transitions.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A stored name that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("{what} {name:?} is not known to this version")]
pub struct UnknownName {
    pub(crate) what: &'static str,
    pub(crate) name: String,
}

macro_rules! names {
    ($(#[$doc:meta])* $type:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $type {
            $($(#[$vdoc])* #[serde(rename = $name)] $variant,)*
        }

        impl $type {
            /// Every value, in the order of the schema.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stored name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(UnknownName { what: $what, name: name.to_owned() }),
                }
            }
        }
    };
}
pub(crate) use names;

names! {
    /// Where a task stands.
    TaskStatus, "task status" {
        /// Part of a plan that nobody approved yet.
        Proposed = "proposed",
        /// Waits for its time or its dependencies.
        Pending = "pending",
        /// May run now.
        Ready = "ready",
        /// A worker holds the lease.
        Running = "running",
        /// Parked without a worker.
        Waiting = "waiting",
        /// Done, and the checks agree.
        Succeeded = "succeeded",
        /// Ended for the reason given.
        Failed = "failed",
        /// Ended by a person.
        Cancelled = "cancelled",
        /// Attempts used up.
        Dead = "dead",
    }
}

impl TaskStatus {
    /// True when nothing more will happen by itself.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Dead)
    }
}

names! {
    /// Why a task stands where it stands. The comments of the `status_reason` type in the schema say how each is
    /// reached.
    StatusReason, "status reason" {
        /// `run_at` lies ahead.
        Scheduled = "scheduled",
        /// An earlier task is not done.
        Dependencies = "dependencies",
        /// A try failed, the next one is timed.
        Retry = "retry",
        /// The provider said when to come back.
        RateLimited = "rate_limited",
        /// The provider is overloaded or unreachable.
        ProviderUnavailable = "provider_unavailable",
        /// The worker's host has no sandbox floor.
        SandboxUnavailable = "sandbox_unavailable",
        /// Handed back by a worker that was asked to stop.
        Drained = "drained",
        /// The worker died or lost its lease.
        Orphaned = "orphaned",
        /// The acceptance commands are red on the final tree.
        VerificationFailed = "verification_failed",
        /// `limits.max_turns` reached.
        TurnLimit = "turn_limit",
        /// `limits.max_seconds` reached.
        TimeLimit = "time_limit",
        /// `limits.max_tokens` reached.
        TokenLimit = "token_limit",
        /// `limits.max_cost_usd` reached.
        CostLimit = "cost_limit",
        /// Replies kept being cut at the output limit.
        MaxTokens = "max_tokens",
        /// The model declined.
        Refused = "refused",
        /// The conversation no longer fits the model.
        ContextWindow = "context_window",
        /// The model kept answering nothing.
        EmptyReply = "empty_reply",
        /// Tool calls kept being unreadable.
        BadToolInput = "bad_tool_input",
        /// A stop reason that this version does not know.
        UnexpectedReply = "unexpected_reply",
        /// The provider refused the credential.
        Authentication = "authentication",
        /// The provider account cannot pay.
        Billing = "billing",
        /// The credential may not use this model.
        Permission = "permission",
        /// The provider does not know the model.
        ModelNotFound = "model_not_found",
        /// The provider refused the request.
        InvalidRequest = "invalid_request",
        /// The request exceeds the provider's size limit.
        RequestTooLarge = "request_too_large",
        /// The repository could not be read or pushed to.
        Repository = "repository",
        /// An earlier task did not succeed.
        DependencyFailed = "dependency_failed",
        /// An earlier task did not succeed and the policy says skip.
        DependencySkipped = "dependency_skipped",
        /// The agent was deactivated or its definition cannot run.
        NoAgent = "no_agent",
        /// `max_attempts` tries ended without progress.
        AttemptsExhausted = "attempts_exhausted",
        /// A person asked for it.
        Requested = "requested",
        /// As many tasks of its concurrency key run as may.
        Concurrency = "concurrency",
        /// Handed back at a step edge, since a pause covers it.
        Paused = "paused",
        /// Its workers died twice; it waits for an isolated worker.
        Isolated = "isolated",
        /// The agent asked to be woken at `run_at`.
        Timer = "timer",
        /// An external effect was cut between its start and its record; a person decides.
        OutcomeUnknown = "outcome_unknown",
        /// Its journal was written in a format that this build cannot read.
        JournalFormat = "journal_format",
        /// Its deadline passed.
        Deadline = "deadline",
        /// The agent repeated itself without progress.
        LoopDetected = "loop_detected",
        /// The task that made it was cancelled.
        ParentCancelled = "parent_cancelled",
        /// It killed the isolated worker twice.
        Poison = "poison",
        /// Its next call does not fit into a budget.
        Budget = "budget",
        /// The agent asked another one, and waits for the answer until `run_at`.
        Answer = "answer",
        /// Handed back at a step edge, since its agent falls asleep.
        Asleep = "asleep",
    }
}
