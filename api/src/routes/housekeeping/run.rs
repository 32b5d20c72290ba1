//! `POST /api/v1/housekeeping/{duty}/run`

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use hive_store::{DutyOptions, housekeeping::Duty};
use tokio::time::{Instant, sleep};

use crate::{
    app::{ACTOR, App},
    error::{ApiError, Result},
    query::Query,
    views::OrderView,
};

/// How long the answer waits for the run, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Orders one run of a duty. A scheduler does it, or each host for duties about files; the answer waits for it a short
/// while.
#[utoipa::path(
    post,
    path = "/api/v1/housekeeping/{duty}/run",
    operation_id = "run_housekeeping",
    tag = "housekeeping",
    params(
        ("duty" = String, Path),
        ("dry_run" = Option<bool>, Query, description = "Report what would be removed, and remove nothing."),
        ("keep_days" = Option<i32>, Query, minimum = 1, maximum = 3650, description =
            "Days that are kept, instead of the configured retention; for duties that have one.")
    ),
    responses(
        (status = 200, body = OrderView, description = "It was done, or failed; `runs` says which."),
        (status = 202, body = OrderView, description = "It is ordered; Location shows what comes of it.",
            headers(("Location" = String)))
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    duty: std::result::Result<Path<String>, PathRejection>,
    mut query: Query,
) -> Result<impl IntoResponse> {
    let Path(duty) = duty.map_err(|_| ApiError::not_found("duty", "of such a name"))?;
    let dry_run = query.one("dry_run")?.unwrap_or(false);
    let keep_days: Option<i32> = query.one("keep_days")?;
    query.finish()?;
    let known = Duty::named(&duty).ok_or_else(|| ApiError::not_found("duty", &duty))?;
    if keep_days.is_some_and(|days| !(1..=3_650).contains(&days) || !known.keeps_days()) {
        return Err(ApiError::parameter("keep_days", "is 1 to 3650, for duties with a retention"));
    }
    let id = app.store.order_duty(known.name, &DutyOptions { dry_run, keep_days }, ACTOR).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let view = OrderView::from(app.store.order(id).await?);
        let status = if view.is_done() { StatusCode::OK } else { StatusCode::ACCEPTED };
        if view.is_done() || Instant::now() >= deadline {
            return Ok((status, [(LOCATION, format!("/api/v1/housekeeping/orders/{id}"))], Json(view)));
        }
        sleep(LOOK_EVERY).await;
    }
}
