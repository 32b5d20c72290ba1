//! The head of a response, and the errors that it makes together with a body.

use std::time::{Duration, SystemTime};

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;

use crate::error::{ApiError, ErrorBody, ErrorKind, Partial};
use crate::rate_limit::{self, RateLimits};
use crate::wire::usage::Usage;

/// How much of an answer that is not JSON is kept as an error's message, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// What is kept of a response's head.
pub(crate) struct Head {
    status: u16,
    pub(crate) content_type: String,
    pub(crate) request_id: Option<String>,
    pub(crate) rate_limits: RateLimits,
    retry_after: Option<Duration>,
    should_retry: Option<bool>,
}

impl Head {
    pub(crate) fn of(response: &Response) -> Self {
        let headers = response.headers();
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Self {
            status: response.status().as_u16(),
            content_type: content_type.unwrap_or_default().to_ascii_lowercase(),
            request_id: rate_limit::request_id(headers),
            rate_limits: RateLimits::from_headers(headers),
            retry_after: rate_limit::retry_after(headers, SystemTime::now()),
            should_retry: rate_limit::should_retry(headers),
        }
    }

    /// What an error carries that comes after this head, when `usage` was reported.
    pub(crate) fn partial(&self, usage: Option<Usage>) -> Partial {
        Partial { request_id: self.request_id.clone(), usage }
    }

    pub(crate) fn error(&self, body: ErrorBody, partial_usage: Option<Usage>) -> ApiError {
        ApiError {
            status: self.status,
            is_of_service: true,
            kind: ErrorKind::from(body.error.kind.as_str()),
            code: body.error.details.and_then(|details| details.error_code),
            message: body.error.message,
            request_id: body.request_id.or_else(|| self.request_id.clone()),
            retry_after: self.retry_after,
            should_retry: self.should_retry,
            rate_limits: self.rate_limits,
            partial_usage,
        }
    }

    pub(crate) fn error_without_body(&self, text: &str) -> ApiError {
        ApiError {
            status: self.status,
            is_of_service: false,
            kind: ErrorKind::from_status(self.status),
            code: None,
            message: text.trim().chars().take(MAX_MESSAGE_CHARS).collect(),
            request_id: self.request_id.clone(),
            retry_after: self.retry_after,
            should_retry: self.should_retry,
            rate_limits: self.rate_limits,
            partial_usage: None,
        }
    }
}
