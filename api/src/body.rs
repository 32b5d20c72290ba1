//! Reading a JSON body: bounded, typed, and with a pointer to what does not fit.

mod nul;
pub mod object;
mod parse;

use axum::{
    body::{Body as RawBody, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use http_body_util::BodyExt;
pub use parse::{escaped, parse};
use serde::de::DeserializeOwned;

use crate::error::{ApiError, Result};

/// The largest body, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// What is still read of a body that is too large, so that its sender is listening when the answer comes.
const DRAINED_BYTES: usize = 16 << 20;

/// A JSON body that fits `T`.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        demand_json(request.headers())?;
        let bytes = read(request.into_body(), MAX_BYTES).await?;
        parse(&bytes).map(Self)
    }
}

/// Refuses a body that does not call itself JSON.
///
/// # Errors
/// 415.
pub fn demand_json(headers: &HeaderMap) -> Result<()> {
    if is_json(headers) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "send the body as content type application/json",
    ))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Reads a body of at most `most` bytes.
///
/// # Errors
/// 413 when it is larger, 400 when it is cut short.
pub async fn read(mut body: RawBody, most: usize) -> Result<Bytes> {
    let mut bytes = Vec::new();
    let mut total = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "A body was cut short");
            ApiError::new(StatusCode::BAD_REQUEST, "incomplete_body", "the body was cut short")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        total = total.saturating_add(data.len());
        if total <= most {
            bytes.extend_from_slice(&data);
        } else if total > DRAINED_BYTES {
            break;
        }
    }
    if total > most {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("a body has at most {most} bytes"),
        ));
    }
    Ok(bytes.into())
}
