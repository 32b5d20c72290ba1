//! `DELETE /api/v1/limits`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use hive_store::LimitKind;

use crate::{
    app::App,
    error::{ApiError, Result},
    query::Query,
};

/// Takes the limits of a concurrency key or an agent away: a key then has one place.
#[utoipa::path(
    delete,
    path = "/api/v1/limits",
    operation_id = "drop_limit",
    tag = "queue",
    params(
        ("kind" = String, Query, description = "`key` or `agent`."),
        ("name" = String, Query, description = "The key, or the agent's id.")
    ),
    responses((status = 204, description = "They are gone."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<StatusCode> {
    let kind = match query.one::<String>("kind")?.as_deref() {
        Some("key") => LimitKind::Key,
        Some("agent") => LimitKind::Agent,
        _ => return Err(ApiError::parameter("kind", "must be key or agent")),
    };
    let Some(name) = query.one::<String>("name")? else {
        return Err(ApiError::parameter("name", "must be given"));
    };
    if app.store.drop_task_limit(kind, &name).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::new(StatusCode::NOT_FOUND, "no_limit", "no limits were set for it"))
}
