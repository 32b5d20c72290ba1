//! `GET /v1/models` and `GET /v1/models/{id}`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::Value;

use super::RequestId;
use super::page::{Page, Pairs};
use crate::catalogue::{self, Model};
use crate::check;
use crate::refusal::Refusal;
use crate::stage::Stage;

pub(super) async fn list(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Query(pairs): Query<Pairs>,
) -> Response {
    match check::headers(&headers, &stage.keys).and_then(|_| listed(&stage, pairs)) {
        Ok(body) => Json(body).into_response(),
        Err(refusal) => refusal.into_response(&id.0),
    }
}

fn listed(stage: &Stage, pairs: Pairs) -> Result<Value, Refusal> {
    let page = Page::read(pairs, &["lifecycle"])?;
    let asked = |model: &&Model| {
        page.lifecycles.is_empty() || page.lifecycles.iter().any(|lifecycle| lifecycle == model.lifecycle)
    };
    let windows = stage.windows.get();
    let all: Vec<_> = catalogue::all()
        .iter()
        .filter(asked)
        .map(|model| (model.id, model.view(windows.of(model))))
        .collect();
    Ok(page.of(&all))
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
        Ok(found) => Json(found.view(stage.windows.get().of(found))).into_response(),
        Err(refusal) => refusal.into_response(&id.0),
    }
}
