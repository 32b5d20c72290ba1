//! The one error of the door: an RFC 9457 problem with a stable code.

mod outside;
mod problem;

use axum::http::StatusCode;
pub use outside::circle;
pub use problem::{FieldError, Problem};
use uuid::Uuid;

/// Result of every handler.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

/// Why a request was not carried out. What the caller reads is all in here; inner causes are logged, not sent.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    cycle: Vec<String>,
    redriven_to: Option<Uuid>,
    retry_after: Option<u32>,
}

impl ApiError {
    /// A problem with a stable code and one sentence for a person.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            cycle: Vec::new(),
            redriven_to: None,
            retry_after: None,
        }
    }

    /// 422: the body can be read, but these fields cannot be accepted.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => one.to_string(),
            many => format!("{} fields cannot be accepted", many.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail) }
    }

    /// 422 for one field, named by its JSON pointer.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::body(pointer, detail)])
    }

    /// 400 for one query parameter.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let error = FieldError::query(name, detail);
        Self {
            detail: error.to_string(),
            errors: vec![error],
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_query", "")
        }
    }

    /// 404 for a thing that a path names.
    #[must_use]
    pub fn not_found(what: &str, id: &str) -> Self {
        let code = match what {
            "task" => "task_not_found",
            "agent" => "agent_not_found",
            "session" => "session_not_found",
            "conversation" => "conversation_not_found",
            "action" => "action_not_found",
            "schedule" => "schedule_not_found",
            "duty" => "duty_not_found",
            "order" => "order_not_found",
            "version" => "version_not_found",
            "checkpoint" => "checkpoint_not_found",
            "sleep cycle" => "sleep_cycle_not_found",
            _ => "not_found",
        };
        Self::new(StatusCode::NOT_FOUND, code, format!("{what} {id} does not exist"))
    }

    /// 503: the same request may succeed after `seconds`.
    pub fn unavailable(code: &'static str, detail: impl Into<String>, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail) }
    }

    /// Refused for the moment: the same request may succeed after `seconds`.
    pub fn later(status: StatusCode, code: &'static str, detail: impl Into<String>, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(status, code, detail) }
    }

    /// 500. The cause goes to the log, under the request's id; the caller is told to look there.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = cause, "A request failed inside the server");
        Self::opaque()
    }

    /// 500 whose cause is already in the log.
    #[must_use]
    pub fn opaque() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server could not carry out the request; its log names the cause under this request id",
        )
    }

    /// The same problem with the circle that it is about: each of these waits for the next, the last for the first.
    #[must_use]
    pub fn with_cycle(mut self, cycle: Vec<String>) -> Self {
        self.cycle = cycle;
        self
    }

    /// The same problem with what is at fault.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// The same problem with the task that was made before.
    #[must_use]
    pub fn with_successor(mut self, successor: Uuid) -> Self {
        self.redriven_to = Some(successor);
        self
    }

    /// The same problem, its pointers below this one.
    #[must_use]
    pub fn within(mut self, pointer: &str) -> Self {
        for error in &mut self.errors {
            error.put_below(pointer);
        }
        if let [one] = self.errors.as_slice() {
            self.detail = one.to_string();
        }
        self
    }

    /// The same problem under another status.
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }
}
