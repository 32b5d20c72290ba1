//! `POST /api/v1/tasks/actions`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hive_domain::{ActionKind, Priority, TaskStatus};
use hive_store::{NewBulkAction, TaskFilter};
use serde::Deserialize;
use utoipa::ToSchema;

use super::filter::FilterBody;
use crate::{
    app::{ACTOR, App},
    error::{ApiError, Result},
    faults::Faults,
    idempotency::{self, Keyed, Turn},
    views::ActionView,
};

/// Something to be done to many tasks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAction {
    /// `cancel` and `reprioritise` act on tasks that have not ended, `redrive` on those that ended without success and
    /// were not tried again. Others that fit the filter are skipped.
    #[schema(value_type = String)]
    action: ActionKind,
    /// Which tasks. Without `status` those that the action is for; `redrive` then leaves cancelled ones alone.
    #[serde(default, deserialize_with = "crate::body::object::only")]
    filter: FilterBody,
    /// Must be true when the filter is empty, since that means every task.
    #[serde(default)]
    all: bool,
    /// The new priority, 1 to 9; for `reprioritise` only.
    #[schema(value_type = Option<i16>, minimum = 1, maximum = 9)]
    priority: Option<Priority>,
    /// Only count the tasks.
    #[serde(default)]
    dry_run: bool,
}

impl NewAction {
    fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        match (self.action, self.priority) {
            (ActionKind::Reprioritise, None) => faults.refuse("/priority", "is required"),
            (ActionKind::Cancel | ActionKind::Redrive, Some(_)) => {
                faults.refuse("/priority", "is for reprioritise only");
            }
            _ => {}
        }
        let everything = TaskFilter::from(self.filter.clone()).is_everything();
        let meant = self.all || !everything;
        faults.demand(
            meant,
            "/filter",
            "is empty, which means every task; say \"all\": true if that is meant",
        );
        faults.within("/filter");
        self.filter.check(&mut faults);
        faults.finish()
    }

    fn filter(&self) -> TaskFilter {
        let mut filter = TaskFilter::from(self.filter.clone());
        if filter.statuses.is_empty() {
            filter.statuses = match self.action {
                ActionKind::Cancel | ActionKind::Reprioritise => {
                    TaskStatus::ALL.iter().copied().filter(|status| !status.is_end()).collect()
                }
                ActionKind::Redrive => vec![TaskStatus::Failed, TaskStatus::Dead],
            };
        }
        if self.action == ActionKind::Redrive {
            filter.redriven = filter.redriven.or(Some(false));
        }
        filter
    }
}

/// Does something to every task that fits a filter now. The work goes on in the background; the answer says where to
/// look.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/actions",
    operation_id = "act_on_tasks",
    tag = "tasks",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")),
    request_body = NewAction,
    responses(
        (status = 202, body = ActionView, description = "Accepted.", headers(("Location" = String))),
        (status = 200, body = ActionView, description = "Counted only, for a dry run.")
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Keyed { body, key, .. }: Keyed<NewAction>,
) -> Result<Response> {
    body.check()?;
    let shown = serde_json::to_value(&body.filter).map_err(|error| ApiError::internal(&error))?;
    let filter = body.filter();
    if body.dry_run {
        let matched = app.store.count_tasks(&filter).await?;
        let view = ActionView::counted(body.action, shown, body.priority, matched, ACTOR);
        return Ok((StatusCode::OK, Json(view)).into_response());
    }
    let mut once = match idempotency::begin(&app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let new = NewBulkAction {
        kind: body.action,
        filter,
        shown,
        priority: body.priority,
        created_by: ACTOR.to_owned(),
    };
    let action = once.begin_bulk_action(&new).await?;
    let location = format!("/api/v1/tasks/actions/{}", action.id);
    idempotency::finish(once, StatusCode::ACCEPTED, Some(location), &ActionView::from(action)).await
}
