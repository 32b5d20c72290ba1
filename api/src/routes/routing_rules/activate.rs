//! `POST /api/v1/routing-rules/{version}/activate`

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, header::ETAG},
    response::IntoResponse,
};

use super::{create::check, show::parse};
use crate::{
    app::{ACTOR, App},
    error::Result,
    etag,
    faults::Faults,
    known_models::KnownModels,
    views::RoutingView,
};

/// Makes a version the one that tasks are pinned to when they begin; tasks that have begun keep theirs. With `If-Match` it
/// happens only while the version of that ETag is active, else 412.
#[utoipa::path(
    post,
    path = "/api/v1/routing-rules/{version}/activate",
    operation_id = "activate_routing_rules",
    tag = "models",
    params(
        ("version" = i32, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is active.")
    ),
    responses((status = 200, body = RoutingView, description = "It is active.", headers(("ETag" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Path(version): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse> {
    let demanded = etag::demanded(&headers)?;
    let version = parse(&version)?;
    // What answered when it was written may have ended since.
    let wanted = app.store.routing(Some(version)).await?;
    let mut faults = Faults::default();
    check(&wanted.rules, &KnownModels::read(&app.store).await?, &mut faults);
    faults.finish()?;
    let activated = app.store.activate_routing(version, demanded, ACTOR).await;
    let routing = activated.map_err(|error| etag::unmet(error, demanded, "routing_changed"))?;
    Ok(([(ETAG, etag::of(routing.version))], Json(RoutingView::from(routing))))
}
