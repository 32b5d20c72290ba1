//! `GET /api/v1/routing-rules/{version}`

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::header::ETAG,
    response::IntoResponse,
};

use crate::{
    app::App,
    error::{ApiError, Result},
    etag,
    views::RoutingView,
};

/// Shows a version of the routing rules; `active` is the one that tasks are pinned to when they begin.
#[utoipa::path(
    get,
    path = "/api/v1/routing-rules/{version}",
    operation_id = "show_routing_rules",
    tag = "models",
    params(("version" = String, Path, description = "A number, or `active`.")),
    responses((status = 200, body = RoutingView, description = "The version.", headers(("ETag" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Path(version): Path<String>) -> Result<impl IntoResponse> {
    let wanted = match version.as_str() {
        "active" => None,
        number => Some(parse(number)?),
    };
    let routing = app.store.routing(wanted).await?;
    Ok(([(ETAG, etag::of(routing.version))], Json(RoutingView::from(routing))))
}

/// A version out of a path.
///
/// # Errors
/// 404 for what is no number.
pub fn parse(version: &str) -> Result<i32> {
    version.parse().map_err(|_| ApiError::not_found("version", version))
}
