//! What a request to the model says, as bytes.

use hive_double::KeptRequest;

/// The bytes of a request up to the end of its last message, without the markers of the prompt cache: what the request
/// after it begins with, as long as the conversation only grows.
///
/// # Panics
/// When it is no request for a turn.
#[must_use]
pub fn spoken(request: &KeptRequest) -> String {
    let body = request.body.to_string().replace(r#","cache_control":{"type":"ephemeral"}"#, "");
    let end = body.rfind(r#"],"diagnostics":"#).unwrap();
    body[..end].to_owned()
}
