//! `PATCH /api/v1/schedules/{id}`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header::ETAG},
    response::IntoResponse,
};
use hive_domain::{CatchUp, Overlap, ScheduleId};
use hive_store::{Makes, Plan};
use serde::Deserialize;
use utoipa::ToSchema;

use super::parts::{self, Options};
use crate::{
    app::App,
    body::Body,
    error::Result,
    etag,
    faults::Faults,
    ids::Id,
    routes::tasks::submission::Submission,
    views::{ScheduleView, catch_up, overlap},
    whom::Whom,
};

/// What is to change. What is not named stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ScheduleChange)]
pub struct Change {
    /// Unique in the project.
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// When it fires.
    cron: Option<String>,
    /// In which time zone.
    time_zone: Option<String>,
    /// What a slot does while the task of an earlier one runs.
    #[schema(schema_with = overlap)]
    overlap: Option<Overlap>,
    /// What happens to slots that were missed.
    #[schema(schema_with = catch_up)]
    catch_up: Option<CatchUp>,
    /// How many of them fire at most.
    #[schema(minimum = 1, maximum = 1000)]
    catch_up_limit: Option<i32>,
    /// Whether it fires.
    enabled: Option<bool>,
    /// Another task, whole.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    task: Option<Submission>,
    /// Another duty.
    duty: Option<String>,
    /// How the duty is done.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    options: Option<Options>,
    /// Other agents that it puts to sleep.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    sleep: Option<Whom>,
}

/// Changes a schedule. With another expression or zone, or enabled again, it begins with the first slot after now. With
/// `If-Match` it happens only at that version, else 412.
#[utoipa::path(
    patch,
    path = "/api/v1/schedules/{id}",
    operation_id = "update_schedule",
    tag = "schedules",
    params(
        ("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag that the change is meant for.")
    ),
    request_body = Change,
    responses((status = 200, body = ScheduleView, description = "The schedule after it.", headers(("ETag" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<ScheduleId>,
    headers: HeaderMap,
    Body(change): Body<Change>,
) -> Result<impl IntoResponse> {
    let demanded = etag::demanded(&headers)?;
    let current = app.store.schedule(id).await?;
    let before = current.plan;
    let mut plan = Plan {
        name: change.name.unwrap_or(before.name),
        cron: change.cron.unwrap_or(before.cron),
        time_zone: change.time_zone.unwrap_or(before.time_zone),
        overlap: change.overlap.unwrap_or(before.overlap),
        catch_up: change.catch_up.unwrap_or(before.catch_up),
        catch_up_limit: change.catch_up_limit.unwrap_or(before.catch_up_limit),
        enabled: change.enabled.unwrap_or(before.enabled),
        makes: before.makes,
    };
    let mut faults = Faults::default();
    parts::check(&plan, &mut faults);
    let named = match (&change.task, change.duty, &change.options, &plan.makes) {
        (None, None, None, _) => None,
        // New options for the duty it has.
        (None, None, Some(_), Makes::Duty(duty, _)) => Some(duty.clone()),
        (_, duty, _, _) => duty,
    };
    if change.task.is_some() || named.is_some() || change.options.is_some() || change.sleep.is_some() {
        plan.makes = parts::makes(&app, change.task, named, change.options, change.sleep, faults).await?;
    } else {
        faults.finish()?;
    }
    // What is not named was read above, so a change in between must not be overwritten by it.
    let expected = demanded.unwrap_or(current.version);
    app.store
        .update_schedule(id, expected, &plan)
        .await
        .map_err(|error| etag::unmet(error, demanded, "schedule_changed"))?;
    let (version, view) = super::view(&app, id).await?;
    Ok(([(ETAG, etag::of(version))], Json(view)))
}
