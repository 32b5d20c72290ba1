//! What the words of Agent Hive mean: ids, states and transitions, the lease, outcomes, the transcript, money.
//! Nothing here reads a file, a socket or a clock.

pub mod action;
pub mod agent;
pub mod batch;
pub mod budget;
pub mod conversation;
pub mod cron;
pub mod cycle;
pub mod event;
pub mod ids;
pub mod journal;
pub mod lease;
pub mod limits;
pub mod loops;
pub mod memory;
pub mod message;
pub mod model;
pub mod money;
pub mod morning;
pub mod night;
pub mod outcome;
pub mod pause;
pub mod priority;
pub mod retry;
pub mod routing;
pub mod schedule;
pub mod sleep;
pub mod status;
pub mod system_event;
pub mod task;
pub mod tool;
pub mod transcript;
pub mod usage;
pub mod why;

pub use action::{ActionKind, ActionStatus};
pub use agent::{AgentDefinition, AgentStatus};
pub use batch::{BatchRequestState, BatchState};
pub use budget::{Budget, BudgetPeriod, BudgetScope};
pub use conversation::{Audience, DeliveryState, MessageKind};
pub use cron::Cadence;
pub use event::EventKind;
pub use ids::{
    ActionId, AgentId, ContextId, ConversationId, CycleId, MemoryVersionId, MessageId, ProjectId, ScheduleId,
    SessionId, SleepId, TaskId,
};
pub use lease::Lease;
pub use limits::Limits;
pub use memory::{MemoryOwner, MemoryReader, MemoryScope, TrustClass, VersionState};
pub use message::MessagePolicy;
pub use model::{Effort, Lifecycle, ModelUse, ModelUser, ReportedModel};
pub use money::NanoUsd;
pub use night::{CycleBudget, CyclePhase, CycleState, SleepTrigger};
pub use outcome::Outcome;
pub use pause::PauseMode;
pub use priority::Priority;
pub use retry::ErrorClass;
pub use routing::{CallKind, Route, RouteReason, RoutingRule};
pub use schedule::{CatchUp, Overlap, SlotOutcome};
pub use sleep::{SleepRefusal, SleepSettings, SleepState, Sleepers, WakeReason};
pub use status::{StatusReason, TaskStatus};
pub use system_event::{Channel, SystemEventKind};
pub use tool::{Effect, ToolName};
pub use usage::Usage;

/// Workers that may die over a task without a step between, before it waits for an isolated one; and again, before it
/// is taken for what kills them. One death says little: a worker takes all its tasks with it.
pub const DEATHS: i32 = 2;
