//! `GET /api/v1/events/stream`

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event as Frame, KeepAlive},
    },
};
use futures::{Stream, StreamExt, stream};
use hive_store::{SystemEvent, SystemEventFilter};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::{
    app::App,
    error::{ApiError, Result},
    query::Query,
    views::SystemEventView,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Events read at once.
const BATCH: i64 = 256;
/// Pause after Postgres did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Proxies close a connection that is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams what happens to the system as server-sent events, each once and in the order of the commits. A stream that broke
/// goes on after `Last-Event-ID`, at any replica.
#[utoipa::path(
    get,
    path = "/api/v1/events/stream",
    operation_id = "watch_system_events",
    tag = "events",
    params(
        ("channel" = Option<Vec<String>>, Query, description = "`system_events` or `health_checks`; may be repeated."),
        ("kind" = Option<Vec<String>>, Query, description = "Such as `queue.paused`; may be repeated."),
        ("subject" = Option<String>, Query, description = "About this: an id or a name."),
        ("Last-Event-ID" = Option<i64>, Header, description = "Events after this seq; browsers send it by themselves."),
        ("after" = Option<i64>, Query, description = "The same, for callers that cannot set headers; 0 is everything that is \
                                                     kept. What comes from now on unless given.")
    ),
    responses(
        (status = 200, body = SystemEventView, content_type = "text/event-stream", description =
            "`id` is the seq, `event` the kind, `data` this object."),
        (status = 410, description = "Events after this one were removed since: begin anew.")
    )
)]
pub async fn handle(State(app): State<Arc<App>>, headers: HeaderMap, mut query: Query) -> Result<Response> {
    let filter = super::filter(&mut query)?;
    let asked = query.one::<i64>("after")?;
    query.finish()?;
    let asked = match headers.get(&LAST_EVENT_ID).map(|header| header.to_str().map(str::parse::<i64>)) {
        None => asked,
        Some(Ok(Ok(seq))) => Some(seq),
        Some(_) => {
            let detail = "Last-Event-ID is not the id of an event of this stream";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_last_event_id", detail));
        }
    };
    let seat = app.live.seat().ok_or_else(|| {
        ApiError::unavailable("too_many_streams", "this process serves no more event streams", 5)
    })?;
    // Before the look at the last number, so that no event falls in between.
    let numbers = app.tail.follow();
    let last = app.store.last_system_event().await?;
    let after = asked.unwrap_or(last).clamp(0, last);
    if after > 0 && after + 1 < app.store.first_system_event().await? {
        let detail =
            "events after this one were removed since; without it, or with after=0, the stream begins anew";
        return Err(ApiError::new(StatusCode::GONE, "events_pruned", detail));
    }
    let stop = app.stop.clone();
    let reader = Reader { app, filter, after, last, numbers, _seat: seat };
    let events = events(reader).take_until(stop.cancelled_owned());
    let headers = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response())
}

struct Reader {
    app: Arc<App>,
    filter: SystemEventFilter,
    /// The last number that was looked at.
    after: i64,
    /// The last number that is known to be there.
    last: i64,
    numbers: watch::Receiver<i64>,
    _seat: OwnedSemaphorePermit,
}

fn events(reader: Reader) -> impl Stream<Item = std::result::Result<Frame, Infallible>> {
    let batches = stream::unfold(reader, |mut reader| async move {
        let batch = reader.next_batch().await;
        Some((stream::iter(batch.into_iter().map(frame)), reader))
    });
    batches.flatten()
}

impl Reader {
    /// At least one event.
    async fn next_batch(&mut self) -> Vec<SystemEvent> {
        loop {
            self.last = self.last.max(*self.numbers.borrow_and_update());
            if self.after >= self.last {
                // The sender lives as long as the app, which this holds.
                drop(self.numbers.changed().await);
                continue;
            }
            match self.app.store.system_events_after(&self.filter, self.after, self.last, BATCH).await {
                Ok(found) => {
                    let whole = found.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
                    self.after = found.last().filter(|_| !whole).map_or(self.last, |event| event.seq);
                    if !found.is_empty() {
                        return found;
                    }
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "Events could not be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn frame(event: SystemEvent) -> std::result::Result<Frame, Infallible> {
    let frame = Frame::default().id(event.seq.to_string()).event(event.kind.as_str());
    let frame = frame.json_data(SystemEventView::from(event));
    Ok(frame.unwrap_or_else(|error| Frame::default().comment(error.to_string())))
}
