//! `GET /v1/models` and `GET /v1/models/{id}`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;

use super::RequestId;
use crate::catalogue;
use crate::check;
use crate::refusal::Refusal;
use crate::stage::Stage;

/// Models of one page, unless `limit` says otherwise.
const PAGE: usize = 20;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    after_id: Option<String>,
    before_id: Option<String>,
}

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

fn listed(page: &Page) -> Result<serde_json::Value, Refusal> {
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=1_000).contains(&limit) {
        return Err(Refusal::invalid("limit: Input should be between 1 and 1000"));
    }
    let all = catalogue::all();
    let place = |id: &Option<String>| all.iter().position(|model| Some(model.id) == id.as_deref());
    let start = place(&page.after_id).map_or(0, |place| place + 1);
    let end = place(&page.before_id).unwrap_or(all.len()).max(start);
    let shown = &all[start..end.min(start + limit)];
    Ok(json!({
        "data": shown.iter().map(catalogue::Model::view).collect::<Vec<_>>(),
        "has_more": start + shown.len() < end,
        "first_id": shown.first().map(|model| model.id),
        "last_id": shown.last().map(|model| model.id),
    }))
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
