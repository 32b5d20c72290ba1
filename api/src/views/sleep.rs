//! A night of an agent as it is shown.

use chrono::{DateTime, Utc};
use hive_domain::{SleepSettings, SleepState, SleepTrigger, WakeReason};
use hive_store::{ListedSleepSettings, Saving, Sleep, SleepEvent, Spent};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::names;

/// A night of an agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sleep)]
pub struct SleepView {
    /// Its id.
    id: Uuid,
    /// Whose.
    agent_id: Uuid,
    /// What that agent is called.
    agent_name: String,
    /// Why it sleeps.
    #[schema(schema_with = names::sleep_trigger)]
    trigger: SleepTrigger,
    /// A person, a schedule, or the trigger.
    requested_by: String,
    /// Where it stands.
    #[schema(schema_with = names::sleep_state)]
    state: SleepState,
    /// When it began to fall asleep.
    began_at: DateTime<Utc>,
    /// It is asleep then, whatever still runs to its step edge.
    falls_by: DateTime<Utc>,
    /// It wakes then, whatever is done to its memory.
    wake_by: DateTime<Utc>,
    /// When it was asleep.
    asleep_at: Option<DateTime<Utc>>,
    /// The cycle of its memory.
    cycle_id: Option<Uuid>,
    /// Where that stands, as `state` of the cycle says it.
    cycle_state: Option<String>,
    /// Why it woke.
    #[schema(schema_with = names::wake_reason_or_null)]
    wake_reason: Option<WakeReason>,
    /// When it was awake.
    woken_at: Option<DateTime<Utc>>,
    /// What its next run is told, or was.
    briefing: Option<String>,
    /// The task whose run told it.
    briefed_task_id: Option<Uuid>,
    /// The journal entry that holds it.
    briefed_step: Option<i32>,
}

impl From<&Sleep> for SleepView {
    fn from(sleep: &Sleep) -> Self {
        Self {
            id: sleep.id.uuid(),
            agent_id: sleep.agent.uuid(),
            agent_name: sleep.agent_name.clone(),
            trigger: sleep.trigger,
            requested_by: sleep.requested_by.clone(),
            state: sleep.state,
            began_at: sleep.began_at,
            falls_by: sleep.falls_by,
            wake_by: sleep.wake_by,
            asleep_at: sleep.asleep_at,
            cycle_id: sleep.cycle.map(hive_domain::CycleId::uuid),
            cycle_state: sleep.cycle_state.map(|state| state.to_string()),
            wake_reason: sleep.wake_reason,
            woken_at: sleep.woken_at,
            briefing: sleep.briefing.as_ref().map(|briefing| briefing.text.clone()),
            briefed_task_id: sleep.briefed.map(|(task, _)| task.uuid()),
            briefed_step: sleep.briefed.map(|(_, step)| step),
        }
    }
}

/// A night with its transitions and what it saved.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedSleep)]
pub struct ListedSleepView {
    /// The night.
    #[serde(flatten)]
    sleep: SleepView,
    /// Its transitions, in order.
    events: Vec<SleepEventView>,
    /// Tokens of a task before and after it; null while it lasts.
    saving: Option<SavingView>,
}

/// A transition of a night.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepEvent)]
pub struct SleepEventView {
    /// Its number, from 1.
    seq: i32,
    /// Where the night stood from then on.
    #[schema(schema_with = names::sleep_state)]
    state: SleepState,
    /// What is known of it.
    #[schema(value_type = Object)]
    data: Value,
    /// When.
    created_at: DateTime<Utc>,
}

/// What a night saved, as far as tasks tell.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Saving)]
pub struct SavingView {
    /// Tasks that ended between the night before and this one.
    before: SpentView,
    /// Tasks that began after it and ended before the next.
    after: SpentView,
    /// The change of tokens per task in percent, less being a saving; null without tasks on both sides.
    tokens_change_percent: Option<f64>,
}

/// What tasks that succeeded used in the mean.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Spent)]
pub struct SpentView {
    /// How many tasks there were.
    tasks: i64,
    /// Tokens of a task, of all kinds, in and out.
    tokens_per_task: Option<f64>,
    /// Its cost in dollars.
    cost_usd_per_task: Option<f64>,
}

impl From<Spent> for SpentView {
    fn from(spent: Spent) -> Self {
        Self {
            tasks: spent.tasks,
            tokens_per_task: spent.tokens_per_task,
            cost_usd_per_task: spent.cost_per_task.map(|cost| cost.0 as f64 / 1e9),
        }
    }
}

impl From<Saving> for SavingView {
    fn from(saving: Saving) -> Self {
        let change = match (saving.before.tokens_per_task, saving.after.tokens_per_task) {
            (Some(before), Some(after)) if before > 0.0 => Some((after / before - 1.0) * 100.0),
            _ => None,
        };
        Self { before: saving.before.into(), after: saving.after.into(), tokens_change_percent: change }
    }
}

impl ListedSleepView {
    /// A night with what belongs to it.
    pub fn new(sleep: &Sleep, events: Vec<SleepEvent>, saving: Option<Saving>) -> Self {
        let events = events.into_iter().map(|event| SleepEventView {
            seq: event.seq,
            state: event.state,
            data: event.data,
            created_at: event.at,
        });
        Self { sleep: sleep.into(), events: events.collect(), saving: saving.map(Into::into) }
    }
}

/// When an agent sleeps by itself, and how long.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SleepSettings)]
pub struct SleepSettingsView {
    /// Seconds without a task after which it sleeps, if something is new since its last night; null: it does not.
    idle_seconds: Option<i32>,
    /// New entries of its memory that make it sleep; null: none do.
    pressure_entries: Option<i32>,
    /// Steps that make it sleep; null: none do.
    pressure_steps: Option<i32>,
    /// Seconds that running work gets to reach a step edge.
    fall_seconds: i32,
    /// Seconds after that at which it wakes, whatever is done to its memory.
    sleep_seconds: i32,
    /// What the cycle of one night may cost, in dollars.
    night_usd: f64,
    /// One more with each change, as the ETag says; 0 while the usual settings hold.
    version: i32,
    /// Who said so; null while the usual settings hold.
    updated_by: Option<String>,
    /// When.
    updated_at: Option<DateTime<Utc>>,
}

impl From<ListedSleepSettings> for SleepSettingsView {
    fn from(listed: ListedSleepSettings) -> Self {
        let SleepSettings {
            idle_seconds,
            pressure_entries,
            pressure_steps,
            fall_seconds,
            sleep_seconds,
            night_money,
        } = listed.settings;
        let (updated_by, updated_at) = listed.updated.unzip();
        Self {
            idle_seconds,
            pressure_entries,
            pressure_steps,
            fall_seconds,
            sleep_seconds,
            night_usd: night_money.usd(),
            version: listed.version,
            updated_by,
            updated_at,
        }
    }
}
