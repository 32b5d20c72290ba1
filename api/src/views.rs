//! What callers see. These shapes are the interface: they change only when it is meant to.

mod action;
mod agent;
mod agent_message;
mod artifact;
mod checkpoint;
mod context;
mod cycle_told;
mod housekeeping;
mod limits;
mod message;
mod model;
mod money;
mod names;
mod queue;
mod result;
mod routing;
mod schedule;
mod session;
mod sleep;
mod sleep_cycle;
mod step;
mod system_event;
mod task;

pub use action::ActionView;
pub use agent::AgentView;
pub use agent_message::{AgentMessageView, DeliveryView, InboxView, SentMessageView};
pub use artifact::ArtifactView;
pub use checkpoint::CheckpointView;
pub use context::{ContextView, ContextWithOutcomesView, HitView};
pub use housekeeping::{DutyView, OrderView};
pub use limits::{AgentLimits, LimitsView, TaskLimits, check_limits};
pub use message::MessageView;
pub use model::{ModelFindingView, ModelRefreshView, ModelView};
pub use money::{BudgetView, UsageSumView};
pub use names::{
    agent_status, call_kind, catch_up, dependency_policy, effort, memory_scope, message_policy, overlap,
    pause_mode, sleep_refusal, task_status, trust_class,
};
pub use queue::{PauseView, TaskLimitView};
pub use routing::RoutingView;
pub use schedule::{ScheduleView, SlotView};
pub use session::SessionView;
pub use sleep::{ListedSleepView, SleepSettingsView, SleepView};
pub use sleep_cycle::{CycleChangeView, SleepCycleView};
pub use step::StepView;
pub use system_event::SystemEventView;
pub use task::TaskView;
