//! `/v1/messages/batches` and what is below it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::Value;

use super::page::Page;
use super::{RequestId, body};
use crate::batches;
use crate::check::{self, Sent};
use crate::refusal::Refusal;
use crate::stage::{Stage, now};

const PATH: &str = "/v1/messages/batches";

pub(super) async fn create(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    sent_body: Body,
) -> Response {
    match opened(&stage, &headers, sent_body, &id).await {
        Ok(view) => Json(view).into_response(),
        Err(refusal) => {
            Stage::count(&stage.refused);
            refusal.into_response(&id.0)
        }
    }
}

async fn opened(
    stage: &Arc<Stage>,
    headers: &HeaderMap,
    sent_body: Body,
    id: &RequestId,
) -> Result<Value, Refusal> {
    let bytes = body::read(sent_body, body::BATCH_BYTES).await?;
    stage.requests.keep(now(), &id.0, PATH, bytes.clone());
    let sent = allowed(stage, headers)?;
    let body: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::invalid(format!("The request body is not valid JSON: {error}")))?;
    let requests = batches::requests(body)?;
    Ok(stage.open_batch(requests, sent, &base(headers)))
}

pub(super) async fn list(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Response {
    let listed = allowed(&stage, &headers).and_then(|_| {
        let all = stage.list_batches(&base(&headers));
        let all: Vec<_> = all.iter().map(|(id, view)| (id.as_str(), view.clone())).collect();
        page.of(&all)
    });
    answered(listed, &id)
}

pub(super) async fn one(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Path(batch): Path<String>,
) -> Response {
    answered(allowed(&stage, &headers).and_then(|_| stage.batch(&batch, &base(&headers))), &id)
}

pub(super) async fn cancel(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Path(batch): Path<String>,
) -> Response {
    answered(allowed(&stage, &headers).and_then(|_| stage.cancel_batch(&batch, &base(&headers))), &id)
}

pub(super) async fn delete(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Path(batch): Path<String>,
) -> Response {
    answered(allowed(&stage, &headers).and_then(|_| stage.delete_batch(&batch)), &id)
}

pub(super) async fn results(
    State(stage): State<Arc<Stage>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Path(batch): Path<String>,
) -> Response {
    match allowed(&stage, &headers).and_then(|_| stage.batch_results(&batch)) {
        Ok(lines) => {
            let mut response = Response::new(Body::from(lines));
            let kind = HeaderValue::from_static("application/x-jsonl");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(refusal) => refusal.into_response(&id.0),
    }
}

fn allowed(stage: &Stage, headers: &HeaderMap) -> Result<Sent, Refusal> {
    check::headers(headers, &stage.keys)
}

fn answered(view: Result<Value, Refusal>, id: &RequestId) -> Response {
    match view {
        Ok(view) => Json(view).into_response(),
        Err(refusal) => refusal.into_response(&id.0),
    }
}

/// Where the double is reached, as the client sees it.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}
