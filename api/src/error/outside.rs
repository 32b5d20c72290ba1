//! From the errors of the store and of git to what a caller may read.

use axum::http::StatusCode;
use hive_store::Error as StoreError;
use hive_workspace::{ResolveError, UrlError};

use super::{ApiError, FieldError};

/// Seconds after which a caller may come back when Postgres is away: a restart takes about as long.
const DATABASE_RETRY: u32 = 2;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what, id } => Self::not_found(what, &id),
            StoreError::Invalid { field, message } => Self::field(field, message),
            StoreError::Conflict { code, message } => Self::new(StatusCode::CONFLICT, code, message),
            StoreError::ReceiverFailing { seconds, .. } => {
                Self::later(StatusCode::SERVICE_UNAVAILABLE, "receiver_failing", error.to_string(), seconds)
            }
            StoreError::Redriven { successor, .. } => {
                Self::new(StatusCode::CONFLICT, "task_already_redriven", error.to_string())
                    .with_successor(successor.uuid())
            }
            StoreError::InvalidEntries(faults) => Self::invalid(
                faults
                    .into_iter()
                    .map(|fault| {
                        FieldError::body(format!("/tasks/{}{}", fault.index, fault.field), fault.message)
                    })
                    .collect(),
            ),
            StoreError::Cycle(cycle) => {
                let cycle: Vec<String> = cycle.iter().map(ToString::to_string).collect();
                let detail = format!("these tasks would wait for each other: {}", circle(&cycle));
                Self::new(StatusCode::CONFLICT, "dependency_cycle", detail).with_cycle(cycle)
            }
            StoreError::KeyReused { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this Idempotency-Key was used for another request; a new request needs a new key",
            ),
            error if error.is_unavailable() => {
                tracing::warn!(error = &error as &dyn std::error::Error, "Postgres did not answer a request");
                let detail = "the database does not answer; nothing was changed that was not confirmed";
                Self::unavailable("database_unavailable", detail, DATABASE_RETRY)
            }
            error => Self::internal(&error),
        }
    }
}

impl From<hive_memory::Error> for ApiError {
    fn from(error: hive_memory::Error) -> Self {
        match error {
            hive_memory::Error::Store(error) => error.into(),
            error @ hive_memory::Error::Broken => Self::internal(&error),
        }
    }
}

/// A circle as people read it.
pub fn circle(members: &[String]) -> String {
    members.iter().chain(members.first()).map(String::as_str).collect::<Vec<_>>().join(" → ")
}

impl From<UrlError> for ApiError {
    fn from(error: UrlError) -> Self {
        Self::field("/repository/url", error.to_string())
    }
}

impl From<ResolveError> for ApiError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Unreachable { .. } | ResolveError::EmptyRepository => {
                Self::field("/repository/url", error.to_string())
            }
            ResolveError::NoSuchRef { .. } | ResolveError::InvalidRef { .. } => {
                Self::field("/repository/base_ref", error.to_string())
            }
            ResolveError::Workspace(error) => Self::internal(&error),
        }
    }
}
