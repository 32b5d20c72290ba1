//! What callers see. These shapes are the interface: they change only when it is meant to.

mod agent;
mod limits;
mod names;
mod queue;
mod result;
mod step;
mod task;

pub use agent::AgentView;
pub use limits::{AgentLimits, LimitsView, TaskLimits, check_limits};
pub use names::{agent_status, dependency_policy, pause_mode, task_status};
pub use queue::{PauseView, TaskLimitView};
pub use step::StepView;
pub use task::TaskView;
