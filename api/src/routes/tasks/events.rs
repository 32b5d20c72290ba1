//! `GET /api/v1/tasks/{id}/events`

mod stream;

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{IntoResponse, Response, Sse, sse::KeepAlive},
};
use hive_domain::TaskId;
use std::time::Duration;
use stream::Position;

use super::steps;
use crate::{
    app::App,
    error::{ApiError, Result},
    ids::Id,
    query::Query,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies close a connection that is silent for a minute; a comment says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams what happens to a task as server-sent events, each once and in order, until the task has ended. A stream
/// that broke goes on after `Last-Event-ID`, at any replica; when nothing more will come the answer is 204.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/events",
    operation_id = "watch_task",
    tag = "tasks",
    params(
        ("id" = uuid::Uuid, Path),
        ("Last-Event-ID" = Option<i64>, Header, description = "Events after this seq; browsers send it by themselves."),
        ("after" = Option<i64>, Query, description = "The same, for callers that cannot set headers."),
        ("follow" = Option<bool>, Query, description = "`false`: the stream ends behind what is there now.")
    ),
    responses(
        (status = 200, body = stream::EventView, content_type = "text/event-stream", description =
            "`id` is the seq, `event` the kind, `data` this object."),
        (status = 204, description = "Everything was already sent, and nothing more will be.")
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(id): Id<TaskId>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response> {
    let follows = query.one::<bool>("follow")?.unwrap_or(true);
    let after = after(&headers, query)?;
    // The place among the watchers comes before the look at the task, so that no change falls in between.
    let watcher = app.live.watch(id).ok_or_else(|| {
        ApiError::unavailable("too_many_streams", "this process serves no more event streams", 5)
    })?;
    let task = app.store.task(id).await?;
    let after = after.min(task.event_seq);
    if (task.status.is_end() || !follows) && after == task.event_seq {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if task.status.is_end() {
        steps::refuse_pruned(&app, id).await?;
    }
    let until = (!follows).then_some(task.event_seq);
    let events = stream::events(app, watcher, Position { task: id, after, until });
    let headers = [(HeaderName::from_static("x-accel-buffering"), "no")];
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok((headers, Sse::new(events).keep_alive(keep_alive)).into_response())
}

fn after(headers: &HeaderMap, mut query: Query) -> Result<i64> {
    let asked = query.one::<i64>("after")?;
    query.finish()?;
    let Some(header) = headers.get(&LAST_EVENT_ID) else {
        return Ok(asked.unwrap_or(0).max(0));
    };
    let seq = header.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok());
    match seq {
        Some(seq) => Ok(seq.max(0)),
        None => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_last_event_id",
            "Last-Event-ID is not the id of an event of this stream",
        )),
    }
}
