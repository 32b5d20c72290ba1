//! Everything that can go wrong with one call, by class.

use std::time::Duration;

use serde::Deserialize;

use crate::rate_limit::RateLimits;
use crate::wire::usage::Usage;

/// Why a call gave no reply. What to do about it is decided in [`crate::verdict`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client cannot be built from its configuration.
    #[error("the Claude client is not configured: {0}")]
    Config(String),
    /// The request has no JSON form.
    #[error("the request cannot be written as JSON")]
    Request(#[source] serde_json::Error),
    /// No connection: DNS, TCP or TLS. Nothing was sent.
    #[error("cannot connect to the Messages API; check the base URL, DNS and TLS")]
    Connect(#[source] reqwest::Error),
    /// The time until which the caller wanted it sent had passed. Nothing was sent.
    #[error("the request was not sent in its time")]
    Late,
    /// A time limit of the call ran out. The service may charge for what it did.
    #[error("the Messages API took too long ({phase})")]
    Timeout {
        /// Which wait it was.
        phase: Phase,
        /// What was known by then.
        partial: Partial,
    },
    /// The stream was open but brought no content; pings do not count as content.
    #[error("the stream brought no content for {after:?}")]
    Idle {
        /// The configured limit.
        after: Duration,
        /// What was known by then.
        partial: Partial,
    },
    /// The connection ended before the reply did. Nothing of the reply may be acted on.
    #[error("the connection ended before the reply did")]
    Cut {
        /// What was known by then.
        partial: Partial,
        /// What the connection said; `None` for an orderly end.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The service answered with an error, by status or inside the stream.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// The answer is not the protocol this crate speaks.
    #[error("the answer is not one of the Messages API: {message}")]
    Protocol {
        /// What was wrong.
        message: String,
        /// What was known by then.
        partial: Partial,
    },
}

impl Error {
    /// The tokens that are charged for the call, as far as its reply came. What the service had not counted is taken for
    /// as much as it may be, so that it is never less. An error that the service reports before a reply began is not
    /// charged, nor is what was never sent. `None`: it was sent, and broke off before a count was heard; what is charged
    /// is unknown.
    pub fn charged(&self) -> Option<Usage> {
        match self {
            Self::Config(_) | Self::Request(_) | Self::Connect(_) | Self::Late => Some(Usage::default()),
            Self::Timeout { partial, .. }
            | Self::Idle { partial, .. }
            | Self::Cut { partial, .. }
            | Self::Protocol { partial, .. } => partial.usage,
            // A gateway that gave up waiting knows nothing of what the service did meanwhile.
            Self::Api(error) if error.status == 504 && !error.is_of_service => error.partial_usage,
            Self::Api(error) => Some(error.partial_usage.unwrap_or_default()),
        }
    }

    /// The service's id of the call, by which its operators and its bills know it. `None` when no headers came.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Config(_) | Self::Request(_) | Self::Connect(_) | Self::Late => None,
            Self::Timeout { partial, .. }
            | Self::Idle { partial, .. }
            | Self::Cut { partial, .. }
            | Self::Protocol { partial, .. } => partial.request_id.as_deref(),
            Self::Api(error) => error.request_id.as_deref(),
        }
    }
}

/// What is known of a call that broke off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partial {
    /// The service's id of the call, from the response headers.
    pub request_id: Option<String>,
    /// The tokens of the reply as far as it came: see [`Error::charged`].
    pub usage: Option<Usage>,
}

/// Which wait ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// For the response headers.
    Headers,
    /// For the whole call.
    Total,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Headers => "waiting for response headers",
            Self::Total => "the whole call",
        })
    }
}

/// An error the service reported.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the Messages API answered {status} {}: {message}", kind.as_str())]
pub struct ApiError {
    /// The HTTP status; 200 for an error inside a stream.
    pub status: u16,
    /// It has the form of the service's errors; another may have been written by a gateway in between.
    pub is_of_service: bool,
    /// The error's type.
    pub kind: ErrorKind,
    /// `details.error_code`, which tells a spent limit from a rate limit.
    pub code: Option<String>,
    /// The text for people. Never branch on it.
    pub message: String,
    /// The service's id of the call.
    pub request_id: Option<String>,
    /// How long to wait at least.
    pub retry_after: Option<Duration>,
    /// The service's own word on whether to try again.
    pub should_retry: Option<bool>,
    /// What the response headers said about limits.
    pub rate_limits: RateLimits,
    /// The tokens of the reply as far as it came: see [`Error::charged`].
    pub partial_usage: Option<Usage>,
}

/// The type of an error the service reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the service's own")]
pub enum ErrorKind {
    InvalidRequest,
    Authentication,
    Billing,
    Permission,
    NotFound,
    Conflict,
    RequestTooLarge,
    RateLimit,
    ApiError,
    Timeout,
    Overloaded,
    /// A type that is not in this list, or `http_<status>` where the answer named none.
    Unknown(String),
}

impl ErrorKind {
    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Billing => "billing_error",
            Self::Permission => "permission_error",
            Self::NotFound => "not_found_error",
            Self::Conflict => "conflict_error",
            Self::RequestTooLarge => "request_too_large",
            Self::RateLimit => "rate_limit_error",
            Self::ApiError => "api_error",
            Self::Timeout => "timeout_error",
            Self::Overloaded => "overloaded_error",
            Self::Unknown(name) => name,
        }
    }

    /// The type for an answer that names none, as a gateway in between gives it.
    pub(crate) fn from_status(status: u16) -> Self {
        match status {
            400 | 422 => Self::InvalidRequest,
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            409 => Self::Conflict,
            413 => Self::RequestTooLarge,
            429 => Self::RateLimit,
            408 | 504 => Self::Timeout,
            529 => Self::Overloaded,
            500..=599 => Self::ApiError,
            other => Self::Unknown(format!("http_{other}")),
        }
    }
}

impl From<&str> for ErrorKind {
    fn from(name: &str) -> Self {
        match name {
            "invalid_request_error" => Self::InvalidRequest,
            "authentication_error" => Self::Authentication,
            "billing_error" => Self::Billing,
            "permission_error" => Self::Permission,
            "not_found_error" => Self::NotFound,
            "conflict_error" => Self::Conflict,
            "request_too_large" => Self::RequestTooLarge,
            "rate_limit_error" => Self::RateLimit,
            "api_error" => Self::ApiError,
            "timeout_error" => Self::Timeout,
            "overloaded_error" => Self::Overloaded,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// The JSON body of an error, and the data of an `error` event.
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorBody {
    pub error: ErrorFields,
    #[serde(default)]
    pub request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ErrorFields {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Details {
    #[serde(default)]
    pub error_code: Option<String>,
}
