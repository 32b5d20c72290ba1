//! `POST /api/v1/schedules`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{
        StatusCode,
        header::{ETAG, LOCATION},
    },
    response::IntoResponse,
};
use hive_domain::{CatchUp, Overlap, ProjectId, ScheduleId};
use hive_store::{DutyOptions, Makes, NewSchedule, Plan};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::parts::{self, Options};
use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    etag,
    faults::Faults,
    routes::tasks::submission::Submission,
    views::{ScheduleView, catch_up, overlap},
    whom::Whom,
};

/// A schedule to be made. `name`, `cron` and one of `task`, `duty` and `sleep` are required.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSchedule)]
pub struct Timetable {
    /// Unique in the project.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// When it fires: minute, hour, day of month, month, day of week; with seconds first when there are six fields;
    /// or `@daily` and its like. Sunday is 0 and 7. When both kinds of day are restricted, either is enough.
    cron: String,
    /// In which time zone of the IANA database. A local time that a clock change skips fires at the change, one that
    /// comes twice the first time; an expression for every hour follows the passing of time.
    #[serde(default = "utc")]
    #[schema(default = "UTC")]
    time_zone: String,
    /// What a slot does while the task of an earlier one runs.
    #[serde(default = "skip")]
    #[schema(schema_with = overlap)]
    overlap: Overlap,
    /// What happens to slots that were missed.
    #[serde(default = "one")]
    #[schema(schema_with = catch_up)]
    catch_up: CatchUp,
    /// How many of them fire at most; the latest ones.
    #[serde(default = "hundred")]
    #[schema(minimum = 1, maximum = 1000, default = 100)]
    catch_up_limit: i32,
    /// Whether it fires.
    #[serde(default = "yes")]
    #[schema(default = true)]
    enabled: bool,
    /// The owner; the default project unless named.
    project_id: Option<Uuid>,
    /// The task that each slot makes, in the form of `POST /api/v1/tasks`. The base of its repository is looked up
    /// anew for each slot.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    task: Option<Submission>,
    /// Or the duty of housekeeping that it orders.
    duty: Option<String>,
    /// How the duty is done.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    options: Option<Options>,
    /// Or the agents that it puts to sleep.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    sleep: Option<Whom>,
}

fn utc() -> String {
    "UTC".to_owned()
}

const fn skip() -> Overlap {
    Overlap::Skip
}

const fn one() -> CatchUp {
    CatchUp::One
}

const fn hundred() -> i32 {
    100
}

const fn yes() -> bool {
    true
}

/// Makes a schedule. It fires for the first time at the first slot after now.
#[utoipa::path(
    post,
    path = "/api/v1/schedules",
    operation_id = "create_schedule",
    tag = "schedules",
    request_body = Timetable,
    responses((status = 201, body = ScheduleView, description = "Made.", headers(("Location" = String), ("ETag" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(body): Body<Timetable>) -> Result<impl IntoResponse> {
    let mut plan = Plan {
        name: body.name,
        cron: body.cron,
        time_zone: body.time_zone,
        overlap: body.overlap,
        catch_up: body.catch_up,
        catch_up_limit: body.catch_up_limit,
        enabled: body.enabled,
        // Until it is known below.
        makes: Makes::Duty(String::new(), DutyOptions::default()),
    };
    let mut faults = Faults::default();
    parts::check(&plan, &mut faults);
    plan.makes = parts::makes(&app, body.task, body.duty, body.options, body.sleep, faults).await?;
    let project = body.project_id.map_or(ProjectId::DEFAULT, ProjectId::from);
    let new = NewSchedule { id: ScheduleId::new(), project, created_by: ACTOR.to_owned(), plan };
    app.store.create_schedule(&new).await?;
    let (version, view) = super::view(&app, new.id).await?;
    let location = [(LOCATION, format!("/api/v1/schedules/{}", new.id))];
    Ok((StatusCode::CREATED, location, [(ETAG, etag::of(version))], Json(view)))
}
