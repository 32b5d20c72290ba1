//! `POST /api/v1/system/wake`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use hive_store::Awakened;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    error::Result,
    faults::Faults,
    idempotency::{self, Keyed, Turn},
    views::SleepView,
    whom::Whom,
};

/// What became of a wish that agents wake.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Awakened)]
pub struct AwakenedView {
    /// Nights that end now; the agents are awake within a second or so.
    waking: Vec<SleepView>,
    /// Agents that were awake, or about to be.
    awake: Vec<Uuid>,
}

impl From<&Awakened> for AwakenedView {
    fn from(awakened: &Awakened) -> Self {
        Self {
            waking: awakened.waking.iter().map(SleepView::from).collect(),
            awake: awakened.awake.iter().map(|agent| agent.uuid()).collect(),
        }
    }
}

/// Wakes agents, whatever is done to their memory: a cycle at work goes on, and publishes what it makes when it is done.
#[utoipa::path(
    post,
    path = "/api/v1/system/wake",
    operation_id = "wake",
    tag = "system",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")),
    request_body = Whom,
    responses((status = 202, body = AwakenedView, description = "They wake."))
)]
pub async fn handle(State(app): State<Arc<App>>, Keyed { body, key, .. }: Keyed<Whom>) -> Result<Response> {
    let mut faults = Faults::default();
    let whom = body.check("", &mut faults);
    faults.finish()?;
    let Some(whom) = whom else { unreachable!("a fault was noted") };
    let mut once = match idempotency::begin(&app, key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let awakened = once.wake(&whom, ACTOR).await?;
    let view = AwakenedView::from(&awakened);
    let answer = idempotency::finish(once, StatusCode::ACCEPTED, None, &view).await?;
    app.tell_sleeps(&awakened.waking).await;
    Ok(answer)
}
