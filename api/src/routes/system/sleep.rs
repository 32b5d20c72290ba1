//! `POST /api/v1/system/sleep`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::{SleepRefusal, SleepTrigger};
use hive_store::PutToSleep;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    error::Result,
    faults::Faults,
    idempotency::{self, Keyed, Turn},
    views::{SleepView, sleep_refusal},
    whom::Whom,
};

/// What became of a wish that agents sleep.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PutToSleep)]
pub struct PutToSleepView {
    /// Nights that began.
    begun: Vec<SleepView>,
    /// Nights that had begun before; no second one began.
    already: Vec<SleepView>,
    /// Agents that stay awake.
    refused: Vec<RefusedView>,
}

/// An agent that stays awake.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedSleep)]
pub struct RefusedView {
    /// The agent.
    agent_id: Uuid,
    /// Why.
    #[schema(schema_with = sleep_refusal)]
    reason: SleepRefusal,
}

impl From<&PutToSleep> for PutToSleepView {
    fn from(put: &PutToSleep) -> Self {
        let refused = put.refused.iter();
        Self {
            begun: put.begun.iter().map(SleepView::from).collect(),
            already: put.already.iter().map(SleepView::from).collect(),
            refused: refused
                .map(|(agent, reason)| RefusedView { agent_id: agent.uuid(), reason: *reason })
                .collect(),
        }
    }
}

/// Puts agents to sleep. None of their tasks starts from now on, and what runs stops at its next step edge; then the
/// cycle of their memory begins, whose end wakes them. Tasks and messages that come meanwhile wait. A task of priority 1
/// or 2, or with a deadline before the latest time of the night, wakes its agent, and keeps it awake.
#[utoipa::path(
    post,
    path = "/api/v1/system/sleep",
    operation_id = "sleep",
    tag = "system",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send again for 48 hours.")),
    request_body = Whom,
    responses((status = 202, body = PutToSleepView, description = "They fall asleep."))
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
    let put = once.sleep(&whom, SleepTrigger::Manual, ACTOR).await?;
    let view = PutToSleepView::from(&put);
    let answer = idempotency::finish(once, StatusCode::ACCEPTED, None, &view).await?;
    app.tell_sleeps(&put.begun).await;
    Ok(answer)
}
