//! `GET /api/v1/sleep-cycles`

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_domain::{AgentId, CycleId, MemoryOwner, MemoryScope, ProjectId, SessionId};
use hive_store::CycleFilter;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    error::{ApiError, Result},
    query::Query,
    views::SleepCycleView,
};

/// A part of the list of nights.
#[derive(Debug, Serialize, ToSchema)]
pub struct SleepCycleList {
    /// The latest first.
    items: Vec<SleepCycleView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<Uuid>,
}

/// Lists nights, the latest first; of one memory when it is named as an entry names it.
#[utoipa::path(
    get,
    path = "/api/v1/sleep-cycles",
    operation_id = "list_sleep_cycles",
    tag = "sleep",
    params(
        ("scope" = Option<String>, Query, description = "`org`, `project`, `session` or `agent`: of one memory."),
        ("project_id" = Option<Uuid>, Query, description = "With a scope; the default project unless given."),
        ("session_id" = Option<Uuid>, Query, description = "With the scope `session`."),
        ("agent_id" = Option<Uuid>, Query, description = "With the scope `agent`."),
        ("open" = Option<bool>, Query, description = "Only those that are not over, or only those that are."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = SleepCycleList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<Json<SleepCycleList>> {
    let filter = CycleFilter { owner: owner(&mut query)?, open: query.one("open")? };
    let page = query.page::<CycleId>()?;
    let mut cycles = app.store.sleep_cycles(filter, page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = cycles.len() > limit;
    cycles.truncate(limit);
    let next_cursor = cycles.last().filter(|_| more).map(|last| last.id.uuid());
    Ok(Json(SleepCycleList { items: cycles.into_iter().map(Into::into).collect(), next_cursor }))
}

fn owner(query: &mut Query) -> Result<Option<MemoryOwner>> {
    let scope: Option<MemoryScope> = query.one("scope")?;
    let project: Option<ProjectId> = query.one("project_id")?;
    let session: Option<SessionId> = query.one("session_id")?;
    let agent: Option<AgentId> = query.one("agent_id")?;
    let names_one = project.is_some() || session.is_some() || agent.is_some();
    let project = project.unwrap_or(ProjectId::DEFAULT);
    match (scope, session, agent) {
        (None, None, None) if !names_one => Ok(None),
        (None, ..) => Err(ApiError::parameter("scope", "is required with an id")),
        (Some(MemoryScope::Org), None, None) => Ok(Some(MemoryOwner::Org)),
        (Some(MemoryScope::Project), None, None) => Ok(Some(MemoryOwner::Project(project))),
        (Some(MemoryScope::Session), Some(session), None) => Ok(Some(MemoryOwner::Session(project, session))),
        (Some(MemoryScope::Agent), None, Some(agent)) => Ok(Some(MemoryOwner::Agent(project, agent))),
        (Some(_), ..) => Err(ApiError::parameter("scope", "does not go with the ids that are given")),
    }
}
