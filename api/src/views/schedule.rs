//! A schedule as it is shown.

use chrono::{DateTime, Utc};
use hive_domain::{
    CatchUp, Overlap, SlotOutcome,
    task::{NewTask, Performer},
};
use hive_store::{Makes, Schedule, Slot};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::names;
use crate::whom::Whom;

/// Times to come that are shown.
const TIMES: usize = 5;

/// A schedule as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleView {
    /// Its id.
    id: Uuid,
    /// The owner.
    project_id: Uuid,
    /// Unique in the project.
    name: String,
    /// Made by the system: it can be changed and disabled, not deleted.
    system: bool,
    /// When it fires.
    cron: String,
    /// In which time zone.
    time_zone: String,
    /// What a slot does while the task of an earlier one runs.
    #[schema(schema_with = names::overlap)]
    overlap: Overlap,
    /// What happens to slots that were missed.
    #[schema(schema_with = names::catch_up)]
    catch_up: CatchUp,
    /// How many of them fire at most.
    catch_up_limit: i32,
    /// Whether it fires.
    enabled: bool,
    /// The task that each slot makes.
    #[schema(value_type = Option<Object>)]
    task: Option<Value>,
    /// Or the duty of housekeeping that it orders.
    duty: Option<String>,
    /// How the duty is done.
    #[schema(value_type = Option<Object>)]
    options: Option<Value>,
    /// Or the agents that it puts to sleep.
    #[schema(value_type = Option<Object>)]
    sleep: Option<Value>,
    /// One more with each change; its ETag.
    version: i32,
    /// The next five times; none while it is disabled.
    next_fire_times: Vec<DateTime<Utc>>,
    /// The last slots, newest first.
    last_slots: Vec<SlotView>,
    /// Why the last try to fire did not come off.
    last_error: Option<String>,
    /// Who made it.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

/// A slot that came.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Slot)]
pub struct SlotView {
    /// Its time.
    slot: DateTime<Utc>,
    /// Fired by a person.
    manual: bool,
    /// What became of it.
    #[schema(schema_with = names::slot_outcome)]
    outcome: SlotOutcome,
    /// The task it made.
    task_id: Option<Uuid>,
    /// The order of housekeeping it made.
    order_id: Option<Uuid>,
    /// Why it was refused.
    detail: Option<String>,
    /// When it fired.
    fired_at: Option<DateTime<Utc>>,
}

impl ScheduleView {
    /// A schedule with its last slots.
    pub fn new(schedule: Schedule, slots: Vec<Slot>) -> Self {
        let plan = schedule.plan;
        let times = match plan.cadence() {
            Ok(cadence) if plan.enabled => cadence.upcoming(schedule.now, TIMES),
            _ => Vec::new(),
        };
        let (task, duty, options, sleep) = match plan.makes {
            Makes::Task(task) => (Some(shown(&task)), None, None, None),
            Makes::Duty(duty, options) => (None, Some(duty), Some(json!(options)), None),
            Makes::Sleep(whom) => (None, None, None, Some(json!(Whom::from(whom)))),
        };
        Self {
            id: schedule.id.uuid(),
            project_id: schedule.project.uuid(),
            name: plan.name,
            system: schedule.system,
            cron: plan.cron,
            time_zone: plan.time_zone,
            overlap: plan.overlap,
            catch_up: plan.catch_up,
            catch_up_limit: plan.catch_up_limit,
            enabled: plan.enabled,
            task,
            duty,
            options,
            sleep,
            version: schedule.version,
            next_fire_times: times,
            last_slots: slots.into_iter().map(Into::into).collect(),
            last_error: schedule.last_error,
            created_by: schedule.created_by,
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
        }
    }
}

/// A task in the form in which it may be sent.
fn shown(task: &NewTask) -> Value {
    let (agent, kind, duty) = match &task.performer {
        Performer::Agent(id) => (Some(id), None, None),
        Performer::Type(kind) => (None, Some(kind), None),
        Performer::Noop => (None, None, Some("noop")),
    };
    let repository =
        task.repository.as_ref().map(|base| json!({ "url": base.url, "base_ref": base.base_ref }));
    json!({
        "title": task.title, "description": task.description, "agent_id": agent, "agent_type": kind, "duty": duty,
        "project_id": task.project, "priority": task.priority, "dependencies": task.dependencies,
        "on_dependency_failure": task.on_dependency_failure, "repository": repository,
        "acceptance": task.acceptance, "context": task.context, "labels": task.labels,
        "max_attempts": task.max_attempts, "limits": task.limits, "model": task.model,
        "session_id": task.session, "parent_id": task.parent, "concurrency_key": task.concurrency_key,
    })
}

impl From<Slot> for SlotView {
    fn from(slot: Slot) -> Self {
        Self {
            slot: slot.slot,
            manual: slot.manual,
            outcome: slot.outcome,
            task_id: slot.task.map(hive_domain::TaskId::uuid),
            order_id: slot.order,
            detail: slot.detail,
            fired_at: slot.fired_at,
        }
    }
}
