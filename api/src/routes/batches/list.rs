//! `GET /api/v1/batches`

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use hive_store::{BatchCensus, ListedBatch};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{app::App, error::Result, query::Query};

/// A part of the list of batches, and what waits for one.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchList {
    /// What is not at its end.
    waiting: BatchesWaiting,
    /// The newest first.
    items: Vec<BatchView>,
    /// The cursor of the next part; null at the end.
    next_cursor: Option<Uuid>,
}

/// Requests for batches that are not at their end.
#[derive(Debug, Serialize, ToSchema)]
struct BatchesWaiting {
    /// Those that wait for a batch.
    queued: i64,
    /// Of them, those that found no room in a budget when they were last taken.
    no_room: i64,
    /// Those that are in a batch.
    sent: i64,
    /// Seconds since the oldest of all these was queued; 0 without any.
    oldest_seconds: f64,
}

/// Requests that were sent to the provider together, for half the price. Dollars are exact to the billionth.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
struct BatchView {
    /// Its id here.
    id: Uuid,
    /// Its id at the provider; null while it is not known.
    provider_id: Option<String>,
    /// The model of all its requests.
    model: String,
    /// `intent` while nobody knows whether it was created, `created`, `ended`, `unsent` or `lost`.
    state: String,
    /// How many requests it was made of.
    requests: i32,
    /// Of them, those that were answered.
    answered: i64,
    /// Of them, those that were not.
    failed: i64,
    /// Of them, those of which nobody knows what came.
    unknown: i64,
    /// What it cost.
    cost_usd: f64,
    /// What its open requests may cost at most.
    reserved_usd: f64,
    /// When it was noted.
    created_at: DateTime<Utc>,
    /// When what is not done by then expires, as the provider says.
    expires_at: Option<DateTime<Utc>>,
    /// When a worker looks at it next; null when it has ended.
    next_poll_at: Option<DateTime<Utc>>,
    /// When it ended.
    ended_at: Option<DateTime<Utc>>,
    /// The last failure, or what is not decided yet.
    detail: Option<String>,
}

impl From<ListedBatch> for BatchView {
    fn from(batch: ListedBatch) -> Self {
        Self {
            id: batch.id,
            provider_id: batch.provider_id,
            model: batch.model,
            state: batch.state.to_string(),
            requests: batch.requests,
            answered: batch.answered,
            failed: batch.failed,
            unknown: batch.unknown,
            cost_usd: batch.cost.usd(),
            reserved_usd: batch.reserved.usd(),
            created_at: batch.created_at,
            expires_at: batch.expires_at,
            next_poll_at: batch.next_poll_at,
            ended_at: batch.ended_at,
            detail: batch.detail,
        }
    }
}

impl From<BatchCensus> for BatchesWaiting {
    fn from(census: BatchCensus) -> Self {
        let BatchCensus { queued, poor, sent, oldest_seconds } = census;
        Self { queued, no_room: poor, sent, oldest_seconds }
    }
}

/// Lists batches of requests that can wait, and what waits for one.
#[utoipa::path(
    get,
    path = "/api/v1/batches",
    operation_id = "list_batches",
    tag = "money",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "50 unless given."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the part before.")
    ),
    responses((status = 200, body = BatchList, description = "A part of the list."))
)]
pub async fn handle(State(app): State<Arc<App>>, query: Query) -> Result<Json<BatchList>> {
    let page = query.page::<Uuid>()?;
    let mut batches = app.store.batches(page.cursor, page.limit + 1).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = batches.len() > limit;
    batches.truncate(limit);
    let next_cursor = batches.last().filter(|_| more).map(|last| last.id);
    let waiting = app.store.batch_census().await?.into();
    Ok(Json(BatchList { waiting, items: batches.into_iter().map(Into::into).collect(), next_cursor }))
}
