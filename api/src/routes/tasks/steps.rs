//! `GET /api/v1/tasks/{id}/steps`

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State, http::StatusCode};
use hive_domain::TaskId;
use hive_store::Step;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    error::{ApiError, Result},
    ids::Id,
    query::Query,
    views::StepView,
};

/// A part of a task's journal.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepList {
    /// In order.
    items: Vec<StepView>,
    /// The cursor of the next part: the seq of the last step; null at the end.
    next_cursor: Option<String>,
}

/// Lists the journal of a task: what the model answered and what its tools did.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/steps",
    operation_id = "list_steps",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<i32>, Query, description = "Steps after this seq.")
    ),
    responses((status = 200, body = StepList, description = "A part of the journal."))
)]
pub async fn handle(State(app): State<Arc<App>>, Id(id): Id<TaskId>, query: Query) -> Result<Json<StepList>> {
    let page = query.page::<i32>()?;
    let mut steps = app.store.steps(id, page.cursor.unwrap_or(0), page.limit + 1).await?;
    if steps.is_empty() {
        app.store.task(id).await?;
        refuse_pruned(&app, id).await?;
    }
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = steps.len() > limit;
    steps.truncate(limit);
    let next_cursor = steps.last().filter(|_| more).map(|step| step.seq.to_string());
    let mut routes = match (steps.first(), steps.last()) {
        (Some(first), Some(last)) => app.store.step_routes(id, first.seq, last.seq).await?,
        _ => BTreeMap::new(),
    };
    let view = |step: Step| {
        let route = routes.remove(&step.seq);
        StepView::new(id, step, route)
    };
    let views: serde_json::Result<Vec<_>> = steps.into_iter().map(view).collect();
    Ok(Json(StepList { items: views.map_err(|error| ApiError::internal(&error))?, next_cursor }))
}

/// Says of an ended task whose journal was removed that it was, instead of showing none.
///
/// # Errors
/// 410.
pub async fn refuse_pruned(app: &App, id: TaskId) -> Result<()> {
    if app.store.is_journal_pruned(id).await? {
        return Err(ApiError::new(
            StatusCode::GONE,
            "steps_pruned",
            "the task ended so long ago that its journal was removed; the task and its result are kept",
        ));
    }
    Ok(())
}
