//! Making schedules, changing and deleting them.

use hive_domain::{Cadence, ProjectId, ScheduleId};
use sqlx::PgConnection;

use super::{DutyOptions, Makes, NewSchedule, Plan, Schedule, missing, select_schedules};
use crate::{
    error::{Error, Result},
    housekeeping::DUTIES,
    pool::Store,
};

/// Who made the schedules of the system.
const SYSTEM: &str = "system";

impl Plan {
    /// When it fires.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an expression or a zone that cannot be read.
    pub fn cadence(&self) -> Result<Cadence> {
        Cadence::parse(&self.cron, &self.time_zone).map_err(|error| {
            let field = match error {
                hive_domain::cron::CronError::Zone(_) => "/time_zone",
                _ => "/cron",
            };
            Error::Invalid { field, message: error.to_string() }
        })
    }
}

fn refused(error: sqlx::Error, name: &str) -> Error {
    match Error::constraint(&error) {
        Some("schedules_name_key") => Error::Conflict {
            code: "schedule_name_taken",
            message: format!("a schedule named {name:?} exists in this project"),
        },
        Some("schedules_project_id_fkey") => {
            Error::Invalid { field: "/project_id", message: "this project does not exist".to_owned() }
        }
        _ => error.into(),
    }
}

type Columns = (Option<serde_json::Value>, Option<String>, serde_json::Value, Option<serde_json::Value>);

fn columns(id: ScheduleId, makes: &Makes) -> Result<Columns> {
    let unwritten = |column| move |e| Error::inconsistent("schedules", column, id, e);
    Ok(match makes {
        Makes::Task(task) => {
            (Some(serde_json::to_value(task).map_err(unwritten("task"))?), None, serde_json::json!({}), None)
        }
        Makes::Duty(duty, options) => {
            (None, Some(duty.clone()), serde_json::to_value(options).map_err(unwritten("options"))?, None)
        }
        Makes::Sleep(whom) => {
            let whom = serde_json::to_value(whom).map_err(unwritten("sleep"))?;
            (None, None, serde_json::json!({}), Some(whom))
        }
    })
}

impl Store {
    /// Makes a schedule. Its first slot is the first after now.
    ///
    /// # Errors
    /// [`Error::Conflict`] `schedule_name_taken`; [`Error::Invalid`] for an unknown project or a cadence that cannot be
    /// read.
    pub async fn create_schedule(&self, new: &NewSchedule) -> Result<Schedule> {
        let mut tx = self.pool.begin().await?;
        insert(&mut tx, new, false).await?;
        tx.commit().await?;
        self.schedule(new.id).await
    }

    /// Makes those schedules of the system whose name is not taken; returns how many were made.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn seed_schedules(&self) -> Result<usize> {
        let mut made = 0;
        let mut tx = self.pool.begin().await?;
        // Two processes may seed at once: the second waits here and then finds the names taken.
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('hive.seed_schedules'))")
            .execute(&mut *tx)
            .await?;
        let taken = sqlx::query_scalar!(
            "SELECT name FROM schedules WHERE project_id = $1 AND system",
            ProjectId::DEFAULT.uuid()
        )
        .fetch_all(&mut *tx)
        .await?;
        for duty in DUTIES {
            let plan = Plan {
                name: format!("system: {}", duty.name),
                cron: duty.cron.to_owned(),
                time_zone: "UTC".to_owned(),
                overlap: hive_domain::Overlap::Skip,
                catch_up: hive_domain::CatchUp::One,
                catch_up_limit: 1,
                enabled: true,
                makes: Makes::Duty(duty.name.to_owned(), DutyOptions::default()),
            };
            if taken.contains(&plan.name) {
                continue;
            }
            let (id, project) = (ScheduleId::new(), ProjectId::DEFAULT);
            insert(&mut tx, &NewSchedule { id, project, created_by: SYSTEM.to_owned(), plan }, true).await?;
            made += 1;
        }
        tx.commit().await?;
        Ok(made)
    }

    /// Changes a schedule. A new cadence, or a schedule that is enabled again, begins with the first slot after now:
    /// what was due before does not fire.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for a cadence that cannot be read; [`Error::Conflict`]
    /// `schedule_name_taken`, or `schedule_changed` when `expected_version` is not the current one.
    pub async fn update_schedule(
        &self,
        id: ScheduleId,
        expected_version: i32,
        plan: &Plan,
    ) -> Result<Schedule> {
        let cadence = plan.cadence()?;
        let (task, duty, options, sleep) = columns(id, &plan.makes)?;
        let mut tx = self.pool.begin().await?;
        let current = select_schedules!("WHERE id = $1 FOR NO KEY UPDATE", id.uuid())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(|| missing(id))?;
        if current.version != expected_version {
            return Err(Error::Conflict {
                code: "schedule_changed",
                message: format!("the schedule is at version {}", current.version),
            });
        }
        let keeps_slot = current.cron == plan.cron
            && current.time_zone == plan.time_zone
            && current.enabled == plan.enabled;
        let next = if keeps_slot { current.next_slot } else { cadence.after(current.now) };
        sqlx::query!(
            "UPDATE schedules
             SET name = $2, cron = $3, time_zone = $4, overlap = $5::text::overlap_policy,
                 catch_up = $6::text::catch_up_policy, catch_up_limit = $7, enabled = $8, task = $9, duty = $10,
                 options = $11, sleep = $14, next_slot = $12, slots_since = CASE WHEN $13 THEN slots_since ELSE now() END,
                 version = version + 1, last_error = NULL, updated_at = now()
             WHERE id = $1",
            id.uuid(),
            plan.name,
            plan.cron,
            plan.time_zone,
            plan.overlap.as_str(),
            plan.catch_up.as_str(),
            plan.catch_up_limit,
            plan.enabled,
            task,
            duty,
            options,
            next,
            keeps_slot,
            sleep,
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| refused(error, &plan.name))?;
        if !plan.enabled {
            sqlx::query!(
                "UPDATE cron_slots SET outcome = 'skipped' WHERE schedule_id = $1 AND outcome = 'waiting'",
                id.uuid()
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        self.schedule(id).await
    }

    /// Deletes a schedule and its slots; the tasks it made stay.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `system_schedule` for one of the system's own.
    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<()> {
        let deleted = sqlx::query!("DELETE FROM schedules WHERE id = $1 AND NOT system", id.uuid())
            .execute(&self.pool)
            .await?;
        if deleted.rows_affected() == 0 {
            self.schedule(id).await?;
            return Err(Error::Conflict {
                code: "system_schedule",
                message: "a schedule of the system is disabled, not deleted".to_owned(),
            });
        }
        Ok(())
    }
}

async fn insert(connection: &mut PgConnection, new: &NewSchedule, system: bool) -> Result<()> {
    let plan = &new.plan;
    let cadence = plan.cadence()?;
    let (task, duty, options, sleep) = columns(new.id, &plan.makes)?;
    let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(&mut *connection).await?;
    sqlx::query!(
        "INSERT INTO schedules (id, project_id, system, created_by, name, cron, time_zone, overlap, catch_up,
                                catch_up_limit, enabled, task, duty, options, next_slot, sleep)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::overlap_policy, $9::text::catch_up_policy, $10, $11, $12, $13,
                 $14, $15, $16)",
        new.id.uuid(),
        new.project.uuid(),
        system,
        new.created_by,
        plan.name,
        plan.cron,
        plan.time_zone,
        plan.overlap.as_str(),
        plan.catch_up.as_str(),
        plan.catch_up_limit,
        plan.enabled,
        task,
        duty,
        options,
        cadence.after(now),
        sleep,
    )
    .execute(connection)
    .await
    .map_err(|error| refused(error, &plan.name))?;
    Ok(())
}
