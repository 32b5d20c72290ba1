//! `GET /api/v1/usage`

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{Days, NaiveDate};
use hive_store::GroupBy;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    error::{ApiError, Result},
    query::Query,
    views::UsageSumView,
};

/// Days that are shown unless the caller says otherwise.
const DAYS: Days = Days::new(29);

/// A part of what was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageList {
    /// The first day (UTC).
    from: NaiveDate,
    /// The last day.
    to: NaiveDate,
    /// All calls of these days together.
    total: UsageSumView,
    /// By key.
    items: Vec<UsageSumView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<String>,
}

/// What calls to the model used and cost, added up. By day, model, agent and session for good; by task and run while
/// their journal is kept. A call belongs to the day (UTC) on which it ended.
#[utoipa::path(
    get,
    path = "/api/v1/usage",
    operation_id = "show_usage",
    tag = "money",
    params(
        ("from" = Option<String>, Query, description = "The first day, as 2026-11-01; 29 days before the last unless given."),
        ("to" = Option<String>, Query, description = "The last day; today unless given."),
        ("group_by" = Option<String>, Query, description = "`day` unless given, `model`, `agent`, `session`, `task` or `run`."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = UsageList, description = "A part of the sums."))
)]
pub async fn handle(State(app): State<Arc<App>>, mut query: Query) -> Result<Json<UsageList>> {
    let by = match query.one::<String>("group_by")?.as_deref() {
        None | Some("day") => GroupBy::Day,
        Some("model") => GroupBy::Model,
        Some("agent") => GroupBy::Agent,
        Some("session") => GroupBy::Session,
        Some("task") => GroupBy::Task,
        Some("run") => GroupBy::Run,
        Some(_) => {
            return Err(ApiError::parameter("group_by", "must be day, model, agent, session, task or run"));
        }
    };
    let to = match day(&mut query, "to")? {
        Some(to) => to,
        None => app.store.now().await?.date_naive(),
    };
    let from = day(&mut query, "from")?.or_else(|| to.checked_sub_days(DAYS)).unwrap_or(to);
    if from > to {
        return Err(ApiError::parameter("from", "must not lie after to"));
    }
    let page = query.page::<String>()?;
    if page.cursor.as_deref().is_some_and(|cursor| !is_key(by, cursor)) {
        return Err(ApiError::parameter("cursor", "is not one that a part of this list named"));
    }
    let mut sums = app.store.usage(by, from, to, page.cursor.as_deref(), page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = sums.len() > limit;
    sums.truncate(limit);
    let next_cursor = sums.last().filter(|_| more).map(|last| last.key.clone());
    let total = app.store.usage_total(from, to).await?.into();
    Ok(Json(UsageList { from, to, total, items: sums.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Whether a part of the list can have ended with this key.
fn is_key(by: GroupBy, key: &str) -> bool {
    let is_id = |id: &str| id.len() == 36 && Uuid::parse_str(id).is_ok();
    match by {
        GroupBy::Day => NaiveDate::parse_from_str(key, "%Y-%m-%d").is_ok(),
        GroupBy::Model => !key.is_empty(),
        GroupBy::Agent | GroupBy::Session | GroupBy::Task => is_id(key),
        GroupBy::Run => {
            key.split_once('/').is_some_and(|(task, run)| is_id(task) && run.parse::<i64>().is_ok())
        }
    }
}

/// A day of the calendar that Postgres has, too.
fn day(query: &mut Query, name: &str) -> Result<Option<NaiveDate>> {
    let Some(text) = query.one::<String>(name)? else { return Ok(None) };
    let day = (text.len() == 10).then(|| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()).flatten();
    day.map(Some).ok_or_else(|| ApiError::parameter(name, "must be a day, as 2026-11-01"))
}
