//! What a schedule may consist of, checked alike when it is made and when it is changed.

use hive_domain::{Cadence, cron::CronError};
use hive_store::{DutyOptions, Makes, Plan, housekeeping::Duty};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    error::{ApiError, Result},
    faults::Faults,
    routes::tasks::submission::Submission,
    whom::Whom,
};

const MAX_NAME: usize = 255;
/// Slots that are caught up at most; the schema of the store says the same.
const MAX_CATCH_UP: i32 = 1_000;
const MAX_KEEP_DAYS: i32 = 3_650;

/// How a duty is done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Report what would be removed, and remove nothing.
    #[serde(default)]
    dry_run: bool,
    /// Days that are kept, instead of the configured retention; for duties that have one.
    #[schema(minimum = 1, maximum = 3650)]
    keep_days: Option<i32>,
}

/// Notes what of a plan cannot be accepted. When it fires is part of it: an expression that names no time that ever
/// comes is refused.
pub fn check(plan: &Plan, faults: &mut Faults) {
    faults.demand_text(&plan.name, MAX_NAME, "/name");
    let bound = (1..=MAX_CATCH_UP).contains(&plan.catch_up_limit);
    faults.demand(bound, "/catch_up_limit", "must be 1 to 1000");
    match Cadence::parse(&plan.cron, &plan.time_zone) {
        Err(error @ CronError::Zone(_)) => faults.refuse("/time_zone", error.to_string()),
        Err(error) => faults.refuse("/cron", error.to_string()),
        // Any time will do: what never comes, never comes.
        Ok(cadence) => faults.demand(
            cadence.after(chrono::DateTime::UNIX_EPOCH).is_some(),
            "/cron",
            "names a date that no calendar has",
        ),
    }
}

/// What a schedule makes, from the three fields that may say it.
///
/// # Errors
/// 422 with every field at fault, of the schedule and of the task in it.
pub async fn makes(
    app: &App,
    task: Option<Submission>,
    duty: Option<String>,
    options: Option<Options>,
    sleep: Option<Whom>,
    mut faults: Faults,
) -> Result<Makes> {
    if let Some(whom) = sleep {
        faults.demand(
            task.is_none() && duty.is_none(),
            "/sleep",
            "must not be given together with task or duty",
        );
        faults.demand(options.is_none(), "/options", "are those of a duty");
        let whom = whom.check("/sleep", &mut faults);
        faults.finish()?;
        let Some(whom) = whom else { unreachable!("a fault was noted") };
        // Each slot would find the same, and nobody would look.
        app.store.rehearse_sleep(&whom).await.map_err(|error| ApiError::from(error).within("/sleep"))?;
        return Ok(Makes::Sleep(whom));
    }
    match (task, duty) {
        (Some(task), None) => {
            faults.demand(options.is_none(), "/options", "are those of a duty");
            task.check_no_times(&mut faults, "/task");
            faults.finish()?;
            let (mut new, base) = task.check().map_err(|error| error.within("/task"))?;
            if let Some(base) = base {
                let found = app.bases.look_up(&base.url, base.base_ref.as_deref()).await;
                new.repository = Some(found.map_err(|error| error.within("/task"))?);
            }
            // The store says what the insert of such a task would say.
            app.store.rehearse(&new).await.map_err(|error| ApiError::from(error).within("/task"))?;
            Ok(Makes::Task(Box::new(new)))
        }
        (None, Some(name)) => {
            let Options { dry_run, keep_days } = options.unwrap_or_default();
            match Duty::named(&name) {
                None => faults.refuse("/duty", format!("is none of {}", duties())),
                Some(duty) => check_days(duty, keep_days, &mut faults),
            }
            faults.finish()?;
            Ok(Makes::Duty(name, DutyOptions { dry_run, keep_days }))
        }
        (both, _) => {
            let detail = if both.is_some() {
                "must not be given together with duty"
            } else {
                "or a duty or sleep is required"
            };
            faults.refuse("/task", detail);
            faults.finish()?;
            unreachable!("a fault was noted")
        }
    }
}

fn check_days(duty: &Duty, keep_days: Option<i32>, faults: &mut Faults) {
    let Some(days) = keep_days else { return };
    faults.demand((1..=MAX_KEEP_DAYS).contains(&days), "/options/keep_days", "must be 1 to 3650");
    faults.demand(duty.keeps_days(), "/options/keep_days", "means nothing to this duty");
}

/// The names of all duties, for a sentence.
fn duties() -> String {
    let names: Vec<&str> = hive_store::housekeeping::DUTIES.iter().map(|duty| duty.name).collect();
    names.join(", ")
}
