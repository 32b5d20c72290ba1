//! What happens to the system as a whole, beside its tasks.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::status::{UnknownName, names};

names! {
    /// Where an event is told, in Postgres and at Redis.
    Channel, "channel" {
        /// What somebody or something did.
        SystemEvents = "system_events",
        /// How parts of the system are.
        HealthChecks = "health_checks",
    }
}

names! {
    /// What happened. `subject` says to what.
    SystemEventKind, "system event kind" {
        /// The fleet, a lane, an agent or a session takes no tasks, and what runs stops at its next step edge.
        QueuePaused = "queue.paused",
        /// It takes no tasks, and what runs ends.
        QueueDrained = "queue.drained",
        /// It takes tasks again.
        QueueResumed = "queue.resumed",
        /// An agent takes no more tasks.
        AgentFallingAsleep = "agent.falling_asleep",
        /// None of its tasks runs, and its memory is worked through.
        AgentAsleep = "agent.asleep",
        /// Its briefing is being written.
        AgentWaking = "agent.waking",
        /// Its night is over.
        AgentAwake = "agent.awake",
        /// A consolidation of a memory was asked for.
        CyclePending = "sleep_cycle.pending",
        /// A worker has taken it.
        CycleRunning = "sleep_cycle.running",
        /// Its version was published.
        CycleCompleted = "sleep_cycle.completed",
        /// Probes were answered worse than before; nothing changed.
        CycleRejected = "sleep_cycle.rejected_by_gate",
        /// `data.failure` says why; nothing changed.
        CycleFailed = "sleep_cycle.failed",
        /// A person or a waking stopped it; nothing changed.
        CycleCancelled = "sleep_cycle.cancelled",
        /// Its version was taken back.
        CycleRolledBack = "sleep_cycle.rolled_back",
        /// A checkpoint of the system was asked for.
        CheckpointWaiting = "checkpoint.waiting",
        /// A worker makes it.
        CheckpointRunning = "checkpoint.running",
        /// Its files are whole.
        CheckpointDone = "checkpoint.done",
        /// `data.error` says why; there are no files.
        CheckpointFailed = "checkpoint.failed",
        /// Its files are no longer there.
        CheckpointRemoved = "checkpoint.removed",
        /// This database was made of it.
        CheckpointRestored = "checkpoint.restored",
        /// No worker calls a model for a time that the provider named, or the fleet gave itself.
        ProviderHeld = "provider.held",
        /// A person lifted such a hold.
        ProviderHoldLifted = "provider.hold_lifted",
        /// A model failed so often that no worker calls it.
        ProviderBreakerOpened = "provider.breaker_opened",
        /// It answers again.
        ProviderBreakerClosed = "provider.breaker_closed",
        /// The provider refuses a key.
        ProviderKeyStopped = "provider.key_stopped",
        /// It takes it again.
        ProviderKeyResumed = "provider.key_resumed",
        /// A budget was set.
        BudgetSet = "budget.set",
        /// Its cap rose.
        BudgetRaised = "budget.raised",
        /// Its cap fell.
        BudgetLowered = "budget.lowered",
        /// The first call did not fit since its cap was raised, or of the day.
        BudgetExhausted = "budget.exhausted",
        /// There is none any more.
        BudgetRemoved = "budget.removed",
        /// A schedule was made.
        ScheduleCreated = "schedule.created",
        /// It fires again.
        ScheduleEnabled = "schedule.enabled",
        /// It fires no more.
        ScheduleDisabled = "schedule.disabled",
        /// What it makes could not be made; `data.error` says why.
        ScheduleFailing = "schedule.failing",
        /// There is none any more.
        ScheduleDeleted = "schedule.deleted",
        /// A worker takes tasks.
        WorkerCame = "worker.came",
        /// It takes no more tasks, and ends when what it runs has ended.
        WorkerDraining = "worker.draining",
        /// It ended in good order.
        WorkerLeft = "worker.left",
        /// An api, a worker or a scheduler has started.
        ProcessStarted = "process.started",
        /// It is about to end.
        ProcessStopping = "process.stopping",
        /// A worker was silent for longer than a lease.
        WorkerLost = "worker.lost",
        /// A worker that counted as lost was heard of.
        WorkerReturned = "worker.returned",
        /// A part of the fleet, or something that a process needs, is well.
        HealthUp = "health.up",
        /// It works with the loss that `data.reason` names.
        HealthDegraded = "health.degraded",
        /// It does not work; `data.reason` says why.
        HealthDown = "health.down",
        /// The fleet in figures, once a minute.
        HealthChecked = "health.checked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_stored() {
        for kind in SystemEventKind::ALL {
            assert_eq!(kind.as_str().parse::<SystemEventKind>().unwrap(), *kind);
        }
        assert!("task.created".parse::<SystemEventKind>().is_err());
    }
}
