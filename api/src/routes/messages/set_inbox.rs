//! `PATCH /api/v1/messages/{agent_id}/inbox`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::AgentId;
use hive_store::InboxChange;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{app::App, body::Body, error::Result, faults::Faults, ids::Id, views::InboxView};

/// What is to change. What is not named stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InboxChange)]
pub struct Change {
    /// True: somebody outside receives, and no task is made or woken for what arrives.
    pulled: Option<bool>,
    /// Seconds that a receiver has to acknowledge what it took.
    #[schema(minimum = 1, maximum = 43200)]
    visibility_seconds: Option<i32>,
    /// Tries before a message is a dead letter.
    #[schema(minimum = 1, maximum = 100)]
    max_tries: Option<i32>,
}

/// Changes how an inbox is read.
#[utoipa::path(
    patch,
    path = "/api/v1/messages/{agent_id}/inbox",
    operation_id = "update_inbox",
    tag = "messages",
    params(("agent_id" = uuid::Uuid, Path)),
    request_body = Change,
    responses((status = 200, body = InboxView, description = "The inbox after it."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(agent): Id<AgentId>,
    Body(change): Body<Change>,
) -> Result<Json<InboxView>> {
    let mut faults = Faults::default();
    let seconds = change.visibility_seconds.is_none_or(|seconds| (1..=43_200).contains(&seconds));
    faults.demand(seconds, "/visibility_seconds", "must be 1 to 43200");
    let tries = change.max_tries.is_none_or(|tries| (1..=100).contains(&tries));
    faults.demand(tries, "/max_tries", "must be 1 to 100");
    faults.finish()?;
    let change = InboxChange {
        pulled: change.pulled,
        visibility_seconds: change.visibility_seconds,
        max_tries: change.max_tries,
    };
    Ok(Json(app.store.change_inbox(agent, &change).await?.into()))
}
