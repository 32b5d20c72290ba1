//! Schedules: what fires by the clock, and the slots it fired.

mod change;
mod fire;

use chrono::{DateTime, Utc};
use hive_domain::{CatchUp, Overlap, ProjectId, ScheduleId, Sleepers, SlotOutcome, TaskId, task::NewTask};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use fire::NOTED;
pub use fire::{DueSchedule, Fired};

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// How a duty of housekeeping is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DutyOptions {
    /// Report what would be removed, and remove nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Days that are kept, 1 to 3650, instead of the configured retention.
    pub keep_days: Option<i32>,
}

/// What each slot makes.
#[derive(Clone, Debug)]
pub enum Makes {
    /// A task like this one, with an id of its own and the commit that its `base_ref` names then.
    Task(Box<NewTask>),
    /// An order for a duty of housekeeping, by its name.
    Duty(String, DutyOptions),
    /// A night of these agents, as far as they are awake.
    Sleep(Sleepers),
}

/// What a person may say about a schedule.
#[derive(Clone, Debug)]
pub struct Plan {
    /// 1 to 255 characters, unique in the project.
    pub name: String,
    /// A cron expression that [`hive_domain::Cadence`] reads.
    pub cron: String,
    /// A zone of the IANA database.
    pub time_zone: String,
    /// What a slot does while an earlier one's task runs.
    pub overlap: Overlap,
    /// What happens to slots that were missed.
    pub catch_up: CatchUp,
    /// How many of them fire at most, 1 to 1000.
    pub catch_up_limit: i32,
    /// Whether it fires at all.
    pub enabled: bool,
    /// What each slot makes.
    pub makes: Makes,
}

/// A schedule to be made.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// Chosen by the caller.
    pub id: ScheduleId,
    /// The owner.
    pub project: ProjectId,
    /// Who made it.
    pub created_by: String,
    /// What it does.
    pub plan: Plan,
}

/// A schedule as it stands.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// The owner.
    pub project: ProjectId,
    /// Made by the scheduler's start: it can be changed and disabled, not deleted.
    pub system: bool,
    /// What it does.
    pub plan: Plan,
    /// One more with each change.
    pub version: i32,
    /// The last slot it was at.
    pub last_slot: Option<DateTime<Utc>>,
    /// The next one; `None` when there is none.
    pub next_slot: Option<DateTime<Utc>>,
    /// Why the last try to fire did not come off.
    pub last_error: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// The database's clock when this was read.
    pub now: DateTime<Utc>,
}

/// A slot that came.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its time.
    pub slot: DateTime<Utc>,
    /// Fired by a person.
    pub manual: bool,
    /// What became of it.
    pub outcome: SlotOutcome,
    /// The task it made.
    pub task: Option<TaskId>,
    /// The order of housekeeping it made.
    pub order: Option<Uuid>,
    /// Why it was refused.
    pub detail: Option<String>,
    /// When it fired.
    pub fired_at: Option<DateTime<Utc>>,
}

pub(crate) struct Row {
    id: Uuid,
    project_id: Uuid,
    system: bool,
    name: String,
    cron: String,
    time_zone: String,
    overlap: String,
    catch_up: String,
    catch_up_limit: i32,
    enabled: bool,
    task: Option<serde_json::Value>,
    duty: Option<String>,
    options: serde_json::Value,
    sleep: Option<serde_json::Value>,
    version: i32,
    last_slot: Option<DateTime<Utc>>,
    next_slot: Option<DateTime<Utc>>,
    last_error: Option<String>,
    created_by: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    now: DateTime<Utc>,
}

/// `select_schedules!(tail, arguments…)`: reads [`Row`]s.
macro_rules! select_schedules {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::schedules::Row,
            r#"SELECT id, project_id, system, name, cron, time_zone, overlap::text AS "overlap!",
                      catch_up::text AS "catch_up!", catch_up_limit, enabled, task, duty, options, sleep, version, last_slot,
                      next_slot, last_error, created_by, created_at, updated_at, now() AS "now!"
               FROM schedules "# + $tail
            $(, $argument)*
        )
    };
}
pub(crate) use select_schedules;

impl TryFrom<Row> for Schedule {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        let unread = |column| move |e| Error::inconsistent("schedules", column, id, e);
        let unknown = |column| move |e| Error::inconsistent("schedules", column, id, e);
        let makes = match (row.task, row.duty, row.sleep) {
            (Some(task), ..) => Makes::Task(serde_json::from_value(task).map_err(unread("task"))?),
            (None, Some(duty), _) => {
                Makes::Duty(duty, serde_json::from_value(row.options).map_err(unread("options"))?)
            }
            (None, None, Some(whom)) => Makes::Sleep(serde_json::from_value(whom).map_err(unread("sleep"))?),
            (None, None, None) => {
                return Err(Error::inconsistent("schedules", "duty", id, "it makes nothing"));
            }
        };
        Ok(Self {
            id: id.into(),
            project: row.project_id.into(),
            system: row.system,
            plan: Plan {
                name: row.name,
                cron: row.cron,
                time_zone: row.time_zone,
                overlap: row.overlap.parse().map_err(unknown("overlap"))?,
                catch_up: row.catch_up.parse().map_err(unknown("catch_up"))?,
                catch_up_limit: row.catch_up_limit,
                enabled: row.enabled,
                makes,
            },
            version: row.version,
            last_slot: row.last_slot,
            next_slot: row.next_slot,
            last_error: row.last_error,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            now: row.now,
        })
    }
}

impl Store {
    /// One schedule.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn schedule(&self, id: ScheduleId) -> Result<Schedule> {
        select_schedules!("WHERE id = $1", id.uuid())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| missing(id))?
            .try_into()
    }

    /// Schedules after `cursor`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn schedules(&self, cursor: Option<ScheduleId>, limit: i64) -> Result<Vec<Schedule>> {
        select_schedules!(
            "WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2",
            cursor.map(ScheduleId::uuid),
            limit,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Schedule::try_from)
        .collect()
    }

    /// The last slots of a schedule, newest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn slots(&self, id: ScheduleId, limit: i64) -> Result<Vec<Slot>> {
        let rows = sqlx::query!(
            r#"SELECT slot, manual, outcome::text AS "outcome!", task_id, order_id, detail, fired_at
               FROM cron_slots WHERE schedule_id = $1 ORDER BY slot DESC LIMIT $2"#,
            id.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let outcome = row.outcome.parse();
                Ok(Slot {
                    slot: row.slot,
                    manual: row.manual,
                    outcome: outcome.map_err(|e| Error::inconsistent("cron_slots", "outcome", id, e))?,
                    task: row.task_id.map(Into::into),
                    order: row.order_id,
                    detail: row.detail,
                    fired_at: row.fired_at,
                })
            })
            .collect()
    }
}

fn missing(id: ScheduleId) -> Error {
    Error::NotFound { what: "schedule", id: id.to_string() }
}
