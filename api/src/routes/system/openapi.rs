//! `GET /openapi.json`

use std::sync::LazyLock;

use axum::{http::header::CONTENT_TYPE, response::IntoResponse};

static DOCUMENT: LazyLock<String> = LazyLock::new(crate::document);

/// Shows this description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "system",
    responses((status = 200, body = Object, description = "OpenAPI 3.1."))
)]
pub async fn handle() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}
