//! Reading server-sent events.

use std::ops::ControlFlow;

use futures::StreamExt;
use reqwest::Response;
use serde_json::Value;

use crate::failure::Failure;

/// Calls `each` for every event, until it breaks off or the connection does.
pub(crate) async fn read(
    response: Response,
    mut each: impl FnMut(&Value) -> Result<ControlFlow<()>, Failure>,
) -> Result<ControlFlow<()>, Failure> {
    let mut bytes = response.bytes_stream();
    let mut buffer = Vec::new();
    while let Some(Ok(chunk)) = bytes.next().await {
        buffer.extend_from_slice(&chunk);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let Some(data) = line.strip_prefix("data:") else { continue };
            if each(&serde_json::from_str(data.trim())?)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}
