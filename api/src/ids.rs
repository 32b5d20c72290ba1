//! The id in a path.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{StatusCode, request::Parts},
};
use hive_domain::{ActionId, AgentId, ContextId, ConversationId, CycleId, ScheduleId, SessionId, TaskId};
use std::str::FromStr;
use uuid::Uuid;

use crate::error::{ApiError, Result};

/// An id that paths name.
pub trait PathId: FromStr {
    /// What it is the id of.
    const WHAT: &'static str;
}

impl PathId for TaskId {
    const WHAT: &'static str = "task";
}

impl PathId for ActionId {
    const WHAT: &'static str = "action";
}

impl PathId for SessionId {
    const WHAT: &'static str = "session";
}

impl PathId for AgentId {
    const WHAT: &'static str = "agent";
}

impl PathId for ContextId {
    const WHAT: &'static str = "context";
}

impl PathId for ConversationId {
    const WHAT: &'static str = "conversation";
}

impl PathId for CycleId {
    const WHAT: &'static str = "sleep cycle";
}

impl PathId for ScheduleId {
    const WHAT: &'static str = "schedule";
}

/// The id of an order of housekeeping.
#[derive(Debug)]
pub struct OrderId(pub Uuid);

impl FromStr for OrderId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl PathId for OrderId {
    const WHAT: &'static str = "order";
}

/// The id of a checkpoint.
#[derive(Debug)]
pub struct CheckpointId(pub Uuid);

impl FromStr for CheckpointId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl PathId for CheckpointId {
    const WHAT: &'static str = "checkpoint";
}

/// The only parameter of a path, read as an id.
#[derive(Debug)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: PathId> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let text = params.as_ref().ok().and_then(|params| params.iter().next());
        match text.and_then(|(_, text)| text.parse().ok()) {
            Some(id) => Ok(Self(id)),
            None => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "invalid_id",
                format!("the path does not hold the id of a {}, a UUID", T::WHAT),
            )),
        }
    }
}
