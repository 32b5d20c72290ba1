//! The fields of the body itself.

use serde_json::{Map, Value};

use super::{Endpoint, Sent, Version, object, only, string};
use crate::refusal::Refusal;

const KNOWN: [&str; 17] = [
    "model",
    "max_tokens",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "stop_sequences",
    "stream",
    "thinking",
    "output_config",
    "cache_control",
    "metadata",
    "service_tier",
    "speed",
    "inference_geo",
    "container",
    "diagnostics",
];

const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];

/// Beta fields with the start of the beta's name, and whether the double plays them.
const BETA: [(&str, &str, bool); 7] = [
    // Clearing old results starts above a threshold; below it nothing is applied, and that is what is played.
    ("context_management", "context-management-", true),
    ("compaction", "compact-2026-09-04", true),
    ("mcp_servers", "mcp-client-", false),
    ("fallbacks", "server-side-fallback-", false),
    ("fallback_credit_token", "server-side-fallback-", false),
    ("thread", "message-threads-", false),
    ("billing_policy", "billing-policy-", false),
];

/// Messages of one request at most.
const MOST_MESSAGES: usize = 100_000;

pub(super) fn check(body: &Map<String, Value>, endpoint: Endpoint, sent: &Sent) -> Result<(), Refusal> {
    for field in body.keys() {
        known(field, endpoint, sent)?;
    }
    string(body, "", "model")?;
    if endpoint == Endpoint::Messages {
        max_tokens(body)?;
    }
    let messages = body.get("messages").ok_or_else(|| Refusal::invalid("messages: Field required"))?;
    let Some(messages) = messages.as_array() else {
        return Err(Refusal::invalid("messages: Input should be a valid list"));
    };
    if messages.is_empty() {
        return Err(Refusal::invalid("messages: at least one message is required"));
    }
    if messages.len() > MOST_MESSAGES {
        return Err(Refusal::invalid(format!("messages: at most {MOST_MESSAGES} messages are allowed")));
    }
    settings(body)
}

fn known(field: &str, endpoint: Endpoint, sent: &Sent) -> Result<(), Refusal> {
    let extra = || Err(Refusal::invalid(format!("{field}: Extra inputs are not permitted")));
    if endpoint == Endpoint::CountTokens && matches!(field, "max_tokens" | "stream" | "metadata") {
        return extra();
    }
    if KNOWN.contains(&field) || (SAMPLING.contains(&field) && sent.version == Version::June2023) {
        return Ok(());
    }
    match BETA.iter().find(|(name, ..)| *name == field) {
        Some((_, beta, played)) if sent.betas.iter().any(|name| name.starts_with(beta)) => {
            if *played {
                return Ok(());
            }
            Err(Refusal::invalid(format!("double: {field} is not played by the double")))
        }
        _ => extra(),
    }
}

fn max_tokens(body: &Map<String, Value>) -> Result<(), Refusal> {
    let given = body.get("max_tokens").ok_or_else(|| Refusal::invalid("max_tokens: Field required"))?;
    let Some(given) = given.as_u64() else {
        return Err(Refusal::invalid(
            "max_tokens: Input should be a valid integer greater than or equal to 0",
        ));
    };
    let forced =
        matches!(body.get("tool_choice").and_then(|choice| choice["type"].as_str()), Some("any" | "tool"));
    let format = body.get("output_config").is_some_and(|config| config.get("format").is_some());
    let enabled = body.get("thinking").is_some_and(|thinking| thinking["type"] == "enabled");
    if given == 0 && (body.get("stream") == Some(&Value::Bool(true)) || forced || format || enabled) {
        return Err(Refusal::invalid(
            "max_tokens: 0 is not allowed with stream, enabled thinking, an output format or a forced tool",
        ));
    }
    Ok(())
}

/// The small fields, each by its own shape.
fn settings(body: &Map<String, Value>) -> Result<(), Refusal> {
    if body.get("stream").is_some_and(|stream| !stream.is_boolean()) {
        return Err(Refusal::invalid("stream: Input should be a valid boolean"));
    }
    if let Some(metadata) = body.get("metadata") {
        let metadata = object(metadata, "metadata")?;
        only(metadata, "metadata.", &["user_id"])?;
        if metadata.get("user_id").is_some_and(|id| !id.is_string() && !id.is_null()) {
            return Err(Refusal::invalid("metadata.user_id: Input should be a valid string"));
        }
    }
    if let Some(sequences) = body.get("stop_sequences") {
        let texts = sequences.as_array().filter(|list| list.iter().all(Value::is_string));
        let texts =
            texts.ok_or_else(|| Refusal::invalid("stop_sequences: Input should be a list of strings"))?;
        if texts.iter().any(|text| text.as_str().is_some_and(|text| text.trim().is_empty())) {
            return Err(Refusal::invalid("stop_sequences: each stop sequence must contain non-whitespace"));
        }
    }
    if let Some(given) = body.get("diagnostics").filter(|given| !given.is_null()) {
        let fields = object(given, "diagnostics")?;
        only(fields, "diagnostics.", &["previous_message_id"])?;
        if fields.get("previous_message_id").is_some_and(|id| !id.is_string() && !id.is_null()) {
            return Err(Refusal::invalid("diagnostics.previous_message_id: Input should be a valid string"));
        }
    }
    one_of(body, "service_tier", &["auto", "standard_only"])?;
    one_of(body, "speed", &["standard", "fast"])
}

fn one_of(body: &Map<String, Value>, field: &str, allowed: &[&str]) -> Result<(), Refusal> {
    match body.get(field) {
        Some(value) if !value.as_str().is_some_and(|value| allowed.contains(&value)) => {
            let allowed = allowed.join("' or '");
            Err(Refusal::invalid(format!("{field}: Input should be '{allowed}'")))
        }
        _ => Ok(()),
    }
}
