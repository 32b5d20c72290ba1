//! `POST /api/v1/sessions`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use hive_domain::{ProjectId, SessionId};
use hive_store::NewSession;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    faults::Faults,
    views::SessionView,
};

const MAX_NAME: usize = 255;

/// A session to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSession)]
pub struct Opening {
    /// For people; need not be unique.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The owner; the default project unless named.
    project_id: Option<Uuid>,
}

/// Makes a session, to which tasks can belong.
#[utoipa::path(
    post,
    path = "/api/v1/sessions",
    operation_id = "create_session",
    tag = "sessions",
    request_body = Opening,
    responses((status = 201, body = SessionView, description = "Made.", headers(("Location" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(opening): Body<Opening>) -> Result<impl IntoResponse> {
    let mut faults = Faults::default();
    faults.demand_text(&opening.name, MAX_NAME, "/name");
    faults.finish()?;
    let new = NewSession {
        id: SessionId::new(),
        project: opening.project_id.map_or(ProjectId::DEFAULT, ProjectId::from),
        name: opening.name,
        created_by: ACTOR.to_owned(),
    };
    let session = app.store.create_session(&new).await?;
    let location = [(LOCATION, format!("/api/v1/sessions/{}", session.id))];
    Ok((StatusCode::CREATED, location, Json(SessionView::from(session))))
}
