//! Reading a request body, within bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use crate::refusal::Refusal;

/// Bytes of the body of one message at most.
pub(super) const MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of the body of a batch at most.
pub(super) const BATCH_BYTES: usize = 256 * 1024 * 1024;
/// Bytes above the bound that are read and thrown away, so that a client that is still sending gets its answer
/// and not a reset connection.
const MOST_DISCARDED: usize = 64 * 1024 * 1024;
/// Time for a body to arrive.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The body, of so many bytes at most.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(TIMEOUT, collect(body, most)).await {
        Ok(read) => read,
        Err(_) => Err(Refusal::invalid("The request body did not arrive in time")),
    }
}

async fn collect(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let mut pieces = body.into_data_stream();
    let mut kept = BytesMut::new();
    let mut size = 0;
    while let Some(piece) = pieces.next().await {
        let piece =
            piece.map_err(|error| Refusal::invalid(format!("The request body broke off: {error}")))?;
        size += piece.len();
        if size <= most {
            kept.extend_from_slice(&piece);
        } else if size > most + MOST_DISCARDED {
            break;
        }
    }
    if size > most {
        let message = format!("Request exceeds the maximum size of {} MB", most >> 20);
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(kept.freeze())
}
