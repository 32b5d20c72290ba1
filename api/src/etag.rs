//! A version as an entity tag, and the condition a caller may put on it.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header::IF_MATCH};

use crate::error::{ApiError, Result};

/// The tag of an agent's version. Weak, because its status and name change without a new version.
///
/// # Panics
/// Never: digits and quotes are legal in a header.
#[must_use]
pub fn of(version: i32) -> HeaderValue {
    HeaderValue::from_str(&format!("W/\"{version}\"")).expect("digits and quotes are legal in a header")
}

/// The version that `If-Match` demands; `None` without the header or for `*`.
///
/// # Errors
/// 400 for anything but one tag of ours.
pub fn demanded(headers: &HeaderMap) -> Result<Option<i32>> {
    let Some(header) = headers.get(IF_MATCH) else {
        return Ok(None);
    };
    let text = header.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text.strip_prefix("W/").unwrap_or(text);
    let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    match version.and_then(|version| version.parse().ok()) {
        Some(version) => Ok(Some(version)),
        None => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_if_match",
            "If-Match takes one ETag as it was sent, or *",
        )),
    }
}

/// A conflict of this code with a condition of the caller's own has a status of its own, 412.
pub fn unmet(error: impl Into<ApiError>, demanded: Option<i32>, code: &str) -> ApiError {
    let error = error.into();
    if demanded.is_some() && error.code() == code {
        error.with_status(StatusCode::PRECONDITION_FAILED)
    } else {
        error
    }
}
