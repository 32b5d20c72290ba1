//! `GET /api/v1/budgets`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{app::App, error::Result, query::Query, views::BudgetView};

/// A part of the list of budgets.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetList {
    /// Oldest first.
    items: Vec<BudgetView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<Uuid>,
}

/// Lists the budgets, with what is spent and reserved of each.
#[utoipa::path(
    get,
    path = "/api/v1/budgets",
    operation_id = "list_budgets",
    tag = "money",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = BudgetList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, query: Query) -> Result<Json<BudgetList>> {
    let page = query.page::<Uuid>()?;
    let mut budgets = app.store.budgets(page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = budgets.len() > limit;
    budgets.truncate(limit);
    let next_cursor = budgets.last().filter(|_| more).map(|last| last.budget.id);
    Ok(Json(BudgetList { items: budgets.into_iter().map(Into::into).collect(), next_cursor }))
}
