//! Headers: credential, API version, betas.

use axum::http::{HeaderMap, StatusCode, header};

use crate::refusal::Refusal;

/// Versions of the API that the double knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    June2023,
    October2026,
}

/// What the headers of a request say.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) version: Version,
    /// Names in `anthropic-beta`.
    pub(crate) betas: Vec<String>,
}

impl Sent {
    /// Whether a beta whose name begins so was asked for.
    pub(crate) fn asks_for(&self, beta: &str) -> bool {
        self.betas.iter().any(|name| name.starts_with(beta))
    }
}

/// Checks credential, version and encoding. No configured keys: every non-empty key is good.
pub(crate) fn headers(headers: &HeaderMap, keys: &[String]) -> Result<Sent, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let unauthorized = |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, message);
    // Where both are present, x-api-key counts.
    let key = text("x-api-key").or(bearer).map(str::trim).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| unauthorized("x-api-key header is required"))?;
    if !keys.is_empty() && !keys.iter().any(|known| known == key) {
        return Err(unauthorized("invalid x-api-key"));
    }
    let version = match text("anthropic-version") {
        Some("2026-10-21") => Version::October2026,
        Some("2023-06-01") => Version::June2023,
        Some(other) => {
            let message = format!("anthropic-version: \"{other}\" is not a valid version");
            return Err(Refusal::invalid(message));
        }
        None => return Err(Refusal::invalid("anthropic-version: header is required")),
    };
    if text("content-encoding").is_some_and(|encoding| encoding != "identity") {
        return Err(Refusal::invalid("double: compressed request bodies are not played"));
    }
    let betas = headers
        .get_all("anthropic-beta")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|beta| beta.trim().to_owned())
        .collect();
    Ok(Sent { version, betas })
}
