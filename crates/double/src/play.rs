//! Sends an answer: at once or slowly, whole or broken, with its charge.

mod breakage;

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use tokio_util::sync::CancellationToken;

use crate::answer::Pace;
use crate::charge::Charge;
use crate::fault::Fault;
use crate::message::{Message, block_bytes};
use crate::sse::{Event, events, ping};
use breakage::Ending;

/// A body that is on its way.
struct Play {
    pieces: std::vec::IntoIter<Event>,
    started: bool,
    /// Wait before the first piece.
    first: Duration,
    between: Duration,
    ending: Ending,
    charge: Charge,
    closing: CancellationToken,
}

/// How an answer is to be sent.
pub(crate) struct Staging<'a> {
    pub(crate) fault: Option<&'a Fault>,
    pub(crate) pace: Pace,
    pub(crate) request_id: &'a str,
    /// Fires when the double shuts down: everything that is still open is cut.
    pub(crate) closing: CancellationToken,
}

/// The answer as a stream of events.
pub(crate) fn streamed(message: &Message, charge: Charge, staging: &Staging<'_>) -> Response {
    let (mut all, ending) = breakage::of_events(events(message), staging.fault, staging.request_id);
    let kept_apart = matches!(staging.fault, Some(Fault::InvalidUtf8(_)));
    if staging.pace.between_events_ms == 0 && !kept_apart {
        all = vec![joined(&all)];
    }
    if let Some(size) = staging.pace.chunk_bytes {
        all = all.iter().flat_map(|event| sliced(event, size.max(1))).collect();
    }
    let body = body(all, ending, charge, staging);
    response(body, "text/event-stream; charset=utf-8")
}

/// The answer as one JSON object.
pub(crate) fn whole(message: &Message, charge: Charge, staging: &Staging<'_>) -> Response {
    let bytes = Bytes::from(message.view().to_string());
    let content: u64 = message.content.iter().map(block_bytes).sum();
    let (piece, ending) = breakage::of_json(bytes, content, staging.fault);
    let pieces = match staging.pace.chunk_bytes {
        Some(size) => sliced(&piece, size.max(1)),
        None => vec![piece],
    };
    let body = body(pieces, ending, charge, staging);
    response(body, "application/json")
}

fn response(body: Body, content_type: &'static str) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn joined(events: &[Event]) -> Event {
    let bytes: Vec<u8> = events.iter().flat_map(|event| event.bytes.iter().copied()).collect();
    let counted: Vec<u64> = events.iter().filter_map(|event| event.content).collect();
    Event {
        bytes: Bytes::from(bytes),
        content: (!counted.is_empty()).then(|| counted.iter().sum()),
        last: events.last().is_some_and(|event| event.last),
    }
}

/// An event in pieces of so many bytes; its meaning goes with the first piece, its end with the last.
fn sliced(event: &Event, size: usize) -> Vec<Event> {
    let starts = (0..event.bytes.len()).step_by(size);
    starts
        .map(|start| {
            let end = (start + size).min(event.bytes.len());
            Event {
                bytes: event.bytes.slice(start..end),
                content: event.content.filter(|_| start == 0),
                last: event.last && end == event.bytes.len(),
            }
        })
        .collect()
}

fn body(pieces: Vec<Event>, ending: Ending, charge: Charge, staging: &Staging<'_>) -> Body {
    let play = Play {
        pieces: pieces.into_iter(),
        started: false,
        first: match staging.fault {
            Some(Fault::FirstByte(wait)) => *wait,
            _ => Duration::ZERO,
        },
        between: Duration::from_millis(staging.pace.between_events_ms),
        ending,
        charge,
        closing: staging.closing.clone(),
    };
    if ending == Ending::Close && play.between.is_zero() && play.first.is_zero() && play.pieces.len() == 1 {
        return at_once(play);
    }
    Body::from_stream(stream::unfold(play, |mut play| async move {
        let piece = play.next().await?;
        Some((piece, play))
    }))
}

/// A body of one piece needs no stream, and tells its length.
fn at_once(mut play: Play) -> Body {
    let Some(piece) = play.pieces.next() else {
        return Body::empty();
    };
    play.note(&piece);
    Body::from(piece.bytes)
}

impl Play {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.started {
            // Lets the connection flush what it has, so that pieces arrive as pieces and a cut comes after them.
            tokio::task::yield_now().await;
        }
        let Some(piece) = self.pieces.next() else {
            return self.end().await;
        };
        let wait = if self.started { self.between } else { self.first };
        if !self.waited(wait).await {
            self.pieces = Vec::new().into_iter();
            self.ending = Ending::Close;
            return Some(Err(cut()));
        }
        self.started = true;
        self.note(&piece);
        Some(Ok(piece.bytes))
    }

    /// False when the double shuts down meanwhile.
    async fn waited(&self, wait: Duration) -> bool {
        if wait.is_zero() {
            return true;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = self.closing.cancelled() => false,
        }
    }

    fn note(&mut self, piece: &Event) {
        if let Some(bytes) = piece.content {
            self.charge.content(bytes);
        }
        if piece.last {
            self.charge.finish();
        }
    }

    async fn end(&mut self) -> Option<io::Result<Bytes>> {
        match self.ending {
            Ending::Close => None,
            Ending::Cut => {
                self.ending = Ending::Close;
                Some(Err(cut()))
            }
            Ending::Stall => {
                self.closing.cancelled().await;
                self.ending = Ending::Close;
                Some(Err(cut()))
            }
            Ending::Pings(every) => {
                if self.waited(every).await {
                    return Some(Ok(ping().bytes));
                }
                self.ending = Ending::Close;
                Some(Err(cut()))
            }
        }
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the double cuts this answer")
}
