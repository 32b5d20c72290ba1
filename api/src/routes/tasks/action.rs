//! `GET /api/v1/tasks/actions/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::ActionId;

use crate::{app::App, error::Result, ids::Id, views::ActionView};

/// Shows how far an action on many tasks is. Finished ones are kept for 7 days.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/actions/{id}",
    operation_id = "show_action",
    tag = "tasks",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = ActionView, description = "The action as it stands."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<ActionId>) -> Result<Json<ActionView>> {
    Ok(Json(app.store.bulk_action(id).await?.into()))
}
