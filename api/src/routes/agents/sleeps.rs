//! `GET /api/v1/agents/{id}/sleeps`

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use hive_domain::{AgentId, SleepId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, error::Result, ids::Id, query::Query, views::ListedSleepView};

/// A part of the list of an agent's nights.
#[derive(Debug, Serialize, ToSchema)]
pub struct SleepList {
    /// Newest first.
    items: Vec<ListedSleepView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// Lists the nights of an agent with their transitions, and for each that is over what tasks used before and after it.
#[utoipa::path(
    get,
    path = "/api/v1/agents/{id}/sleeps",
    operation_id = "list_sleeps",
    tag = "agents",
    params(
        ("id" = uuid::Uuid, Path),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = SleepList, description = "A part of the list."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<AgentId>,
    query: Query,
) -> Result<Json<SleepList>> {
    let page = query.page::<SleepId>()?;
    let mut sleeps = app.store.sleeps(id, page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = sleeps.len() > limit;
    sleeps.truncate(limit);
    let ids: Vec<SleepId> = sleeps.iter().map(|(sleep, _)| sleep.id).collect();
    let mut savings: HashMap<_, _> = app.store.savings(id, &ids).await?.into_iter().collect();
    Ok(Json(SleepList {
        next_cursor: ids.last().filter(|_| more).map(ToString::to_string),
        items: sleeps
            .into_iter()
            .map(|(sleep, events)| {
                let saving = savings.remove(&sleep.id);
                ListedSleepView::new(&sleep, events, saving)
            })
            .collect(),
    }))
}
