//! `POST /api/v1/sleep-cycles`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use hive_domain::{
    AgentId, CycleBudget, CycleId, MemoryOwner, MemoryScope, NanoUsd, ProjectId, SessionId, SleepTrigger,
};
use hive_store::{Begun, NewCycle};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    error::Result,
    faults::Faults,
    idempotency::{self, Keyed, Turn},
    views::{SleepCycleView, memory_scope},
};

/// The longest that a night may take, in minutes.
const MOST_MINUTES: i32 = 1_440;

/// Which memory is consolidated. Without any field it is that of the default project.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSleepCycle)]
pub struct Wish {
    /// Whose memory; the narrowest that the ids name, unless given.
    #[schema(schema_with = memory_scope)]
    scope: Option<MemoryScope>,
    /// The project; the default project unless named. Not with the scope `org`.
    project_id: Option<Uuid>,
    /// The session; with the scope `session`.
    session_id: Option<Uuid>,
    /// The agent; with the scope `agent`.
    agent_id: Option<Uuid>,
    /// What it may use; what does not fit is skipped, and the night says so.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    budget: Option<Bounds>,
}

/// Bounds of a night; no bound of its own unless given, but for the minutes.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSleepCycleBudget)]
pub struct Bounds {
    /// Money.
    #[schema(minimum = 0)]
    usd: Option<f64>,
    /// Tokens, in and out.
    #[schema(minimum = 0)]
    tokens: Option<i64>,
    /// Minutes from its first phase on; 480 unless given.
    #[schema(minimum = 1, maximum = 1440)]
    minutes: Option<i32>,
}

impl Wish {
    fn check(&self) -> Result<(MemoryOwner, CycleBudget)> {
        let mut faults = Faults::default();
        let (session, agent) = (self.session_id.map(SessionId::from), self.agent_id.map(AgentId::from));
        let project = self.project_id.map_or(ProjectId::DEFAULT, ProjectId::from);
        let scope = self.scope.unwrap_or(match (session, agent) {
            (_, Some(_)) => MemoryScope::Agent,
            (Some(_), None) => MemoryScope::Session,
            (None, None) => MemoryScope::Project,
        });
        let goes =
            |wanted| if wanted { "is required with this scope" } else { "does not go with this scope" };
        let (wants_session, wants_agent) = (scope == MemoryScope::Session, scope == MemoryScope::Agent);
        faults.demand(session.is_some() == wants_session, "/session_id", goes(wants_session));
        faults.demand(agent.is_some() == wants_agent, "/agent_id", goes(wants_agent));
        faults.demand(scope != MemoryScope::Org || self.project_id.is_none(), "/project_id", goes(false));
        let bounds = self.budget.unwrap_or(Bounds { usd: None, tokens: None, minutes: None });
        let money = bounds.usd.map(NanoUsd::from_usd);
        faults.demand(
            money.is_none_or(|money| money.is_some()),
            "/budget/usd",
            "must be a sum of dollars, not negative",
        );
        faults.demand(
            bounds.tokens.is_none_or(|tokens| tokens >= 0),
            "/budget/tokens",
            "must not be negative",
        );
        let minutes = bounds.minutes.unwrap_or(CycleBudget::MINUTES);
        faults.demand((1..=MOST_MINUTES).contains(&minutes), "/budget/minutes", "must be 1 to 1440");
        faults.finish()?;
        let owner = match (scope, session, agent) {
            (MemoryScope::Org, ..) => MemoryOwner::Org,
            (_, Some(session), None) => MemoryOwner::Session(project, session),
            (_, _, Some(agent)) => MemoryOwner::Agent(project, agent),
            (_, None, None) => MemoryOwner::Project(project),
        };
        Ok((owner, CycleBudget { money: money.flatten(), tokens: bounds.tokens, minutes }))
    }
}

/// Begins a consolidation of a memory, without putting anybody to sleep. One at a time for each memory: while one is under
/// way, that one is answered with 200. With an `Idempotency-Key` the same request has one effect and one answer.
#[utoipa::path(
    post,
    path = "/api/v1/sleep-cycles",
    operation_id = "begin_sleep_cycle",
    tag = "sleep",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible characters.")),
    request_body = Wish,
    responses(
        (status = 201, body = SleepCycleView, description = "Begun; a worker takes it.", headers(("Location" = String))),
        (status = 200, body = SleepCycleView, description = "This one is under way for the same memory.")
    )
)]
pub async fn handle(State(app): State<Arc<App>>, keyed: Keyed<Wish>) -> Result<Response> {
    let (owner, budget) = keyed.body.check()?;
    if let Some(earlier) = idempotency::earlier(&app, keyed.key.as_ref()).await? {
        return Ok(earlier);
    }
    let mut once = match idempotency::begin(&app, keyed.key.as_ref()).await? {
        Turn::Ours(once) => once,
        Turn::Over(answer) => return Ok(answer),
    };
    let new = NewCycle {
        id: CycleId::new(),
        owner,
        trigger: SleepTrigger::Manual,
        asked_by: ACTOR.to_owned(),
        budget,
    };
    let (status, cycle) = match once.begin_cycle(&new).await? {
        Begun::New(cycle) => (StatusCode::CREATED, cycle),
        Begun::Running(cycle) => (StatusCode::OK, cycle),
    };
    let location = format!("/api/v1/sleep-cycles/{}", cycle.id);
    idempotency::finish(once, status, Some(location), &SleepCycleView::from(cycle)).await
}
