//! `POST /api/v1/messages/{agent_id}/receive`

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use hive_domain::AgentId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{app::App, body::Body, error::Result, faults::Faults, ids::Id, views::DeliveryView};

/// How much is taken.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReceiveMessages)]
pub struct Take {
    /// Messages at most.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 100, default = 10)]
    limit: i64,
    /// Seconds to acknowledge them; as the inbox says unless given.
    #[schema(minimum = 1, maximum = 43200)]
    visibility_seconds: Option<u64>,
}

const fn ten() -> i64 {
    10
}

/// What was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct TakenMessages {
    /// In the order of the inbox.
    items: Vec<DeliveryView>,
}

/// Takes what waits for an agent, for a receiver outside. What is not acknowledged in time comes back, and after
/// `max_tries` of the inbox it is a dead letter. What a task is about to read is not handed out.
#[utoipa::path(
    post,
    path = "/api/v1/messages/{agent_id}/receive",
    operation_id = "receive_agent_messages",
    tag = "messages",
    params(("agent_id" = uuid::Uuid, Path)),
    request_body = Take,
    responses((status = 200, body = TakenMessages, description = "What was taken; nothing when nothing waits."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(agent): Id<AgentId>,
    Body(take): Body<Take>,
) -> Result<Json<TakenMessages>> {
    let mut faults = Faults::default();
    faults.demand((1..=100).contains(&take.limit), "/limit", "must be 1 to 100");
    let fits = take.visibility_seconds.is_none_or(|seconds| (1..=43_200).contains(&seconds));
    faults.demand(fits, "/visibility_seconds", "must be 1 to 43200");
    faults.finish()?;
    let within = take.visibility_seconds.map(Duration::from_secs);
    let taken = app.store.take_messages(agent, take.limit, within).await?;
    let answers = app.store.answers(taken.iter().map(|delivery| &delivery.message)).await?;
    let items = taken.into_iter().map(|delivery| DeliveryView::new(delivery, &answers)).collect();
    Ok(Json(TakenMessages { items }))
}
