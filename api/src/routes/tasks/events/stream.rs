//! The events of one task, one after the other. Every round reads Postgres from where the last one ended, so nothing
//! is left out or sent twice, whatever happened to the hints.

use std::{convert::Infallible, mem, sync::Arc, time::Duration};

use axum::response::sse::Event as Frame;
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, stream};
use hive_domain::{EventKind, TaskId};
use hive_store::Event;
use rand::Rng;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{app::App, live::Watcher};

/// Events read at once.
const BATCH: i64 = 256;
/// Pause after Postgres did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// When a reader comes back after a break, in milliseconds: spread, so that they do not all come at once.
const RETRY_MILLISECONDS: std::ops::RangeInclusive<u64> = 1_000..=3_000;

/// One event as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView<'a> {
    /// Its number in the task, from 1 without gaps.
    seq: i64,
    /// What happened, such as `task.started`.
    kind: &'a str,
    /// When it was committed.
    at: DateTime<Utc>,
    /// What is known about it.
    #[schema(value_type = Object)]
    data: &'a Value,
}

/// How far a reader is.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// In which task.
    pub task: TaskId,
    /// The last event it has.
    pub after: i64,
    /// The last one it wants, unless it waits for more.
    pub until: Option<i64>,
}

struct Reader {
    app: Arc<App>,
    watcher: Watcher,
    at: Position,
    /// The last event says that the task has ended.
    ended: bool,
    /// The last look found all that there was.
    has_all: bool,
}

/// All events from `at` on, until the task has ended or the process is about to.
pub fn events(
    app: Arc<App>,
    watcher: Watcher,
    at: Position,
) -> impl Stream<Item = Result<Frame, Infallible>> + use<> {
    let retry = Duration::from_millis(rand::rng().random_range(RETRY_MILLISECONDS));
    let stop = app.stop.clone();
    let reader = Reader { app, watcher, at, ended: false, has_all: false };
    let batches = stream::unfold(reader, |mut reader| async move {
        let batch = reader.next_batch().await?;
        Some((stream::iter(batch), reader))
    });
    stream::once(async move { Ok(Frame::default().retry(retry)) })
        .chain(batches.flatten())
        .take_until(stop.cancelled_owned())
}

impl Reader {
    /// At least one event, or `None` when all were read that are wanted, or all there will be.
    async fn next_batch(&mut self) -> Option<Vec<Result<Frame, Infallible>>> {
        loop {
            // A hint that came since the last look is not lost by this.
            if mem::take(&mut self.has_all) && !self.ended && self.at.until.is_none() {
                self.watcher.changed().await;
            }
            match self.app.store.events_after(self.at.task, self.at.after, BATCH).await {
                Ok(mut events) if !events.is_empty() => {
                    self.has_all = i64::try_from(events.len()).is_ok_and(|read| read < BATCH);
                    events.retain(|event| self.at.until.is_none_or(|until| event.seq <= until));
                    if events.is_empty() {
                        return None;
                    }
                    if let Some(last) = events.last() {
                        self.at.after = last.seq;
                        self.ended = is_end(&last.kind);
                    }
                    return Some(events.iter().map(|event| Ok(frame(event))).collect());
                }
                // A task that was reopened has events after its end, so the end counts only when nothing follows it.
                Ok(_) if self.ended || self.at.until.is_some() => return None,
                Ok(_) => self.watcher.changed().await,
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "Events could not be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn is_end(kind: &str) -> bool {
    use EventKind::{Cancelled, Dead, Failed, Succeeded};
    matches!(kind.parse(), Ok(Succeeded | Failed | Cancelled | Dead))
}

fn frame(event: &Event) -> Frame {
    let view = EventView { seq: event.seq, kind: &event.kind, at: event.at, data: &event.data };
    // Kinds are stored names without line breaks, and JSON text has none either.
    Frame::default()
        .id(event.seq.to_string())
        .event(&event.kind)
        .json_data(view)
        .unwrap_or_else(|error| Frame::default().comment(error.to_string()))
}
