//! `DELETE /api/v1/budgets`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use hive_domain::{BudgetPeriod, BudgetScope};
use hive_store::BudgetKey;

use super::set_budget::target;
use crate::{
    app::App,
    error::{ApiError, Result},
    query::Query,
};

/// Removes a budget. Tasks that wait for it go on.
#[utoipa::path(
    delete,
    path = "/api/v1/budgets",
    operation_id = "remove_budget",
    tag = "money",
    params(
        ("scope" = String, Query, description = "`org`, `session`, `agent` or `task`."),
        ("name" = Option<String>, Query, description = "The id of the session, the agent or the task."),
        ("period" = String, Query, description = "`total` or `day`.")
    ),
    responses((status = 204, description = "It is gone."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<StatusCode> {
    let Some(scope) = query.one::<BudgetScope>("scope")? else {
        return Err(ApiError::parameter("scope", "must be given"));
    };
    let Some(period) = query.one::<BudgetPeriod>("period")? else {
        return Err(ApiError::parameter("period", "must be given"));
    };
    let name = query.one::<String>("name")?;
    query.finish()?;
    let target = target(scope, name.as_deref()).map_err(|message| ApiError::parameter("name", message))?;
    if app.store.remove_budget(BudgetKey { scope, target, period }).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::new(StatusCode::NOT_FOUND, "no_budget", "no budget was set for it"))
}
