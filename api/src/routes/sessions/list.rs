//! `GET /api/v1/sessions`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::SessionId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, query::Query, views::SessionView};

/// A part of the list of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    /// Newest first.
    items: Vec<SessionView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// Lists sessions, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "list_sessions",
    tag = "sessions",
    params(
        ("project_id" = Option<uuid::Uuid>, Query, description = "In this project."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = SessionList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<Json<SessionList>> {
    let project = query.one("project_id")?;
    let page = query.page::<SessionId>()?;
    let mut sessions = app.store.sessions(project, page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = sessions.len() > limit;
    sessions.truncate(limit);
    Ok(Json(SessionList {
        next_cursor: sessions.last().filter(|_| more).map(|session| session.id.to_string()),
        items: sessions.into_iter().map(Into::into).collect(),
    }))
}
