//! `GET /v1/models` and `GET /v1/models/{id}`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::Value;

use super::RequestId;
use super::page::Page;
use crate::catalogue;
use crate::check;
use crate::refusal::Refusal;
use crate::stage::Stage;

pub(super) async fn list(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Response {
    match check::headers(&headers, &stage.keys).and_then(|_| listed(&page)) {
        Ok(body) => Json(body).into_response(),
        Err(refusal) => refusal.into_response(&id.0),
    }
}

fn listed(page: &Page) -> Result<Value, Refusal> {
    // The double knows active models alone.
    let shown =
        |model: &&catalogue::Model| page.lifecycle.as_deref().is_none_or(|asked| asked == model.lifecycle);
    let all: Vec<_> = catalogue::all().iter().filter(shown).map(|model| (model.id, model.view())).collect();
    page.of(&all)
}

pub(super) async fn one(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Path(model): Path<String>,
) -> Response {
    let found = check::headers(&headers, &stage.keys).and_then(|_| {
        let missing = || Refusal::new(StatusCode::NOT_FOUND, format!("model: {model}"));
        catalogue::find(&model).ok_or_else(missing)
    });
    match found {
        Ok(found) => Json(found.view()).into_response(),
        Err(refusal) => refusal.into_response(&id.0),
    }
}
