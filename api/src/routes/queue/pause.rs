//! `POST /api/v1/queue/pause`

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use hive_domain::PauseMode;
use hive_queue::Lane;
use hive_store::PauseScope;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    faults::Faults,
    views::{PauseView, pause_mode},
};

const MAX_REASON: usize = 500;

/// What is paused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPause)]
pub struct NewPause {
    /// What it covers.
    scope: Scope,
    /// The lane's name, the agent's or the session's id; empty for the fleet.
    #[serde(default)]
    name: String,
    /// What it does to tasks that run.
    #[serde(default = "pause")]
    #[schema(schema_with = pause_mode)]
    mode: PauseMode,
    /// Shown beside every task that it holds back.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
    /// Ends by itself then.
    until: Option<DateTime<Utc>>,
}

/// What a pause can cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    /// Everything, nights included.
    Fleet,
    /// The tasks of a range of priorities: urgent, high, normal or low.
    Lane,
    /// The tasks of an agent.
    Agent,
    /// The tasks of a session.
    Session,
}

impl Scope {
    /// The scope as the store has it.
    ///
    /// # Errors
    /// 422 when the name does not fit.
    pub(super) fn named(self, name: &str) -> Result<PauseScope> {
        let mut faults = Faults::default();
        let is_id = Uuid::parse_str(name).is_ok();
        let (kind, fits, wanted) = match self {
            Self::Fleet => ("fleet", name.is_empty(), "must be empty for the fleet"),
            Self::Lane => (
                "lane",
                Lane::ORDINARY.iter().any(|lane| lane.as_str() == name),
                "must be urgent, high, normal or low",
            ),
            Self::Agent => ("agent", is_id, "must be the id of an agent"),
            Self::Session => ("session", is_id, "must be the id of a session"),
        };
        faults.demand(fits, "/name", wanted);
        faults.finish()?;
        let name = if is_id { name.to_lowercase() } else { name.to_owned() };
        Ok(PauseScope { kind: kind.to_owned(), name })
    }
}

const fn pause() -> PauseMode {
    PauseMode::Pause
}

/// Pauses the fleet, a lane, an agent or a session. No task that it covers starts any more; with mode `pause` running
/// ones stop at their next step edge, with `drain` they end.
#[utoipa::path(
    post,
    path = "/api/v1/queue/pause",
    operation_id = "pause_queue",
    tag = "queue",
    request_body = NewPause,
    responses((status = 200, body = PauseView, description = "It holds."))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(new): Body<NewPause>) -> Result<Json<PauseView>> {
    let mut faults = Faults::default();
    faults.demand(new.reason.chars().count() <= MAX_REASON, "/reason", "must have at most 500 characters");
    faults.demand_time(new.until, "/until");
    faults.finish()?;
    let scope = new.scope.named(&new.name)?;
    let pause = app.store.pause(&scope, new.mode, &new.reason, new.until, ACTOR).await?;
    Ok(Json(pause.into()))
}
