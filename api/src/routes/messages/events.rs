//! `GET /api/v1/messages/{agent_id}/events`

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
use hive_domain::AgentId;
use hive_queue::{Subscription, agent_events};
use hive_store::{Answers, Delivery, DeliveryFilter};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    app::App,
    error::{ApiError, Result},
    ids::Id,
    query::Query,
    views::DeliveryView,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Messages read at once.
const BATCH: i64 = 100;
/// How often the inbox is looked at should a hint be lost.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause after Postgres did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Proxies close a connection that is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams what an agent is sent as server-sent events, each once and in the order of its inbox. A stream that broke goes
/// on after `Last-Event-ID`, at any replica. Watching acknowledges nothing.
#[utoipa::path(
    get,
    path = "/api/v1/messages/{agent_id}/events",
    operation_id = "watch_inbox",
    tag = "messages",
    params(
        ("agent_id" = uuid::Uuid, Path),
        ("Last-Event-ID" = Option<i64>, Header, description = "Messages after this place; browsers send it by themselves."),
        ("after" = Option<i64>, Query, description = "The same, for callers that cannot set headers; what comes from now on \
                                                     unless given.")
    ),
    responses((status = 200, body = DeliveryView, content_type = "text/event-stream", description =
        "`id` is the place, `event` is `agent.message`, `data` this object."))
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Id(agent): Id<AgentId>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response> {
    let asked = query.one::<i64>("after")?;
    query.finish()?;
    let seat = app.live.seat().ok_or_else(|| {
        ApiError::unavailable("too_many_streams", "this process serves no more event streams", 5)
    })?;
    // Before the look at the inbox, so that nothing falls in between.
    let hints = app.queue.subscribe(&[&agent_events(agent)]);
    let last_place = app.store.inbox(agent).await?.last_place;
    let after = match headers.get(&LAST_EVENT_ID).map(|header| header.to_str().map(str::parse::<i64>)) {
        None => asked.unwrap_or(last_place),
        Some(Ok(Ok(place))) => place,
        Some(_) => {
            let detail = "Last-Event-ID is not the id of an event of this stream";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_last_event_id", detail));
        }
    };
    let after = after.clamp(0, last_place);
    let stop = app.stop.clone();
    let reader = Reader { app, agent, after, hints, _seat: seat };
    let events = messages(reader).take_until(stop.cancelled_owned());
    let headers = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response())
}

struct Reader {
    app: Arc<App>,
    agent: AgentId,
    after: i64,
    hints: Subscription,
    _seat: OwnedSemaphorePermit,
}

fn messages(reader: Reader) -> impl Stream<Item = Result<Frame, Infallible>> {
    let batches = stream::unfold(reader, |mut reader| async move {
        let batch = reader.next_batch().await;
        Some((stream::iter(batch.into_iter().map(frame)), reader))
    });
    batches.flatten()
}

impl Reader {
    /// At least one message.
    async fn next_batch(&mut self) -> Vec<DeliveryView> {
        loop {
            let all = DeliveryFilter::default();
            match self.look(&all).await {
                Ok((found, answers)) if !found.is_empty() => {
                    self.after = found.last().map_or(self.after, |last| last.place);
                    return found.into_iter().map(|delivery| DeliveryView::new(delivery, &answers)).collect();
                }
                // A hint, a gap in the hints or the clock: each is a reason to look.
                Ok(_) => drop(tokio::time::timeout(LOOK_EVERY, self.hints.recv()).await),
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "An inbox could not be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn look(&self, filter: &DeliveryFilter) -> hive_store::Result<(Vec<Delivery>, Answers)> {
        let store = &self.app.store;
        let found = store.inbox_after(self.agent, self.after, filter, BATCH).await?;
        let answers = store.answers(found.iter().map(|delivery| &delivery.message)).await?;
        Ok((found, answers))
    }
}

fn frame(delivery: DeliveryView) -> Result<Frame, Infallible> {
    let frame = Frame::default().id(delivery.place().to_string()).event("agent.message").json_data(delivery);
    Ok(frame.unwrap_or_else(|error| Frame::default().comment(error.to_string())))
}
