//! `PATCH /api/v1/context/{id}`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap,
        header::{ETAG, LOCATION},
    },
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use hive_domain::ContextId;
use hive_store::ContextChange;
use serde::Deserialize;
use utoipa::ToSchema;

use super::store::{MAX_CONTENT, MAX_TITLE};
use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    etag,
    faults::Faults,
    ids::Id,
    views::ContextView,
};

/// What is to change. What is not named stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContextChange)]
pub struct Change {
    /// Another text: a new entry takes the place of this one, which stays for `as_of` before that.
    content: Option<String>,
    /// Another title; likewise.
    title: Option<String>,
    /// Since when the new text holds; now, unless named.
    since: Option<DateTime<Utc>>,
    /// The old text never held: it was wrong, and not overtaken.
    #[serde(default)]
    correction: bool,
    /// How much it weighs.
    #[schema(minimum = 0, maximum = 1)]
    importance: Option<f32>,
    /// Whether it does not fade.
    pinned: Option<bool>,
    /// Whether nobody replaces, redacts or deletes it, and no night retires it.
    locked: Option<bool>,
}

impl Change {
    fn check(self) -> Result<ContextChange> {
        let mut faults = Faults::default();
        if let Some(content) = &self.content {
            faults.demand(!content.trim().is_empty(), "/content", "must not be empty");
            faults.demand_bytes(content.len(), MAX_CONTENT, "/content");
        }
        let title = self.title.as_ref().is_none_or(|title| title.chars().count() <= MAX_TITLE);
        faults.demand(title, "/title", "must have at most 255 characters");
        let importance = self.importance.is_none_or(|importance| (0.0..=1.0).contains(&importance));
        faults.demand(importance, "/importance", "must be 0 to 1");
        faults.demand_time(self.since, "/since");
        let rewrites = self.content.is_some() || self.title.is_some();
        faults.demand(rewrites || self.since.is_none(), "/since", "goes with another content or title");
        faults.demand(rewrites || !self.correction, "/correction", "goes with another content or title");
        faults.demand(!self.correction || self.since.is_none(), "/since", "does not go with a correction");
        faults.finish()?;
        Ok(ContextChange {
            title: self.title,
            content: self.content,
            since: self.since,
            correction: self.correction,
            importance: self.importance,
            pinned: self.pinned,
            locked: self.locked,
        })
    }
}

/// Changes an entry. What it says never changes in place: the answer is then another entry, with an id of its own. With
/// `If-Match` it happens only at that version, else 412.
#[utoipa::path(
    patch,
    path = "/api/v1/context/{id}",
    operation_id = "update_context",
    tag = "contexts",
    params(
        ("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag that the change is meant for.")
    ),
    request_body = Change,
    responses((status = 200, body = ContextView, description = "What stands now.",
               headers(("ETag" = String), ("Location" = String))))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<ContextId>,
    headers: HeaderMap,
    Body(change): Body<Change>,
) -> Result<impl IntoResponse> {
    let demanded = etag::demanded(&headers)?;
    let change = change.check()?;
    let current = app.store.context(id).await?;
    let vectors = if change.rewrites() {
        let title = change.title.as_ref().unwrap_or(&current.title);
        let content = change.content.as_ref().unwrap_or(&current.content);
        app.memory.vectors_of(title, content).await
    } else {
        None
    };
    // What is not named was read above, so a change in between must not be overwritten by it.
    let expected = demanded.unwrap_or(current.version);
    let changed = app
        .store
        .change_context(id, expected, &change, ACTOR, vectors.as_ref())
        .await
        .map_err(|error| etag::unmet(error, demanded, "context_changed"))?;
    if change.rewrites() && vectors.is_none() {
        app.memory.wants_vectors();
    }
    let location = [(LOCATION, format!("/api/v1/context/{}", changed.id))];
    Ok((location, [(ETAG, etag::of(changed.version))], Json(ContextView::from(changed))))
}
