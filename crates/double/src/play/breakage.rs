//! What a fault does to a body.

use std::time::Duration;

use bytes::Bytes;

use crate::fault::Fault;
use crate::sse::{Event, error_event};

/// What happens after the last piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ending {
    Close,
    Cut,
    Stall,
    /// Pings, one per so long.
    Pings(Duration),
}

/// An event in which a text begins with a letter that no UTF-8 has. It is cut within that letter.
const LATIN: (&[u8], &[u8]) = (
    b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\
      \"text_delta\",\"text\":\"gr\xe2\x82",
    b"\x28\xfcn\"}}\n\n",
);
const GARBLED: &[u8] =
    b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\n\n";
const NOISE: &[u8] = b"event: content_block_delta\ndata: {\"type\":\"content_\xff\xfe\n\ndata\n\n: \n\n";

/// The pieces of a stream, broken.
pub(super) fn of_events(
    mut all: Vec<Event>,
    fault: Option<&Fault>,
    request_id: &str,
) -> (Vec<Event>, Ending) {
    let mut ending = Ending::Close;
    match fault {
        Some(Fault::CutAfterEvents(count)) => {
            all.truncate(*count);
            ending = Ending::Cut;
        }
        Some(Fault::CutInEvent(count)) => {
            all.truncate(*count + 1);
            if let Some(last) = all.last_mut() {
                *last = Event::raw(last.bytes.slice(..last.bytes.len() / 2));
            }
            ending = Ending::Cut;
        }
        Some(Fault::StallAfterEvents(count)) => {
            all.truncate(*count);
            ending = Ending::Stall;
        }
        Some(Fault::Pings(every)) => {
            all.truncate(1);
            ending = Ending::Pings(*every);
        }
        Some(Fault::ErrorEvent { after, kind, message }) => {
            all.truncate(*after);
            all.push(error_event(kind, message, request_id));
        }
        Some(Fault::Garbage) => all = vec![Event::raw(Bytes::from_static(NOISE))],
        Some(Fault::GarbledJson(after)) => {
            all.insert((*after).min(all.len()), Event::raw(Bytes::from_static(GARBLED)));
        }
        Some(Fault::InvalidUtf8(after)) => {
            let place = (*after).min(all.len());
            let halves = [LATIN.0, LATIN.1].map(|half| Event::raw(Bytes::from_static(half)));
            all.splice(place..place, halves);
        }
        Some(Fault::Status { .. } | Fault::CutBeforeHeaders | Fault::Delay(_) | Fault::FirstByte(_))
        | None => {}
    }
    (all, ending)
}

/// A JSON body with so many bytes of content, broken.
pub(super) fn of_json(bytes: Bytes, content: u64, fault: Option<&Fault>) -> (Event, Ending) {
    match fault {
        Some(Fault::CutAfterEvents(count)) => (partial(&bytes, *count, content), Ending::Cut),
        Some(Fault::CutInEvent(_)) => (partial(&bytes, 1, content), Ending::Cut),
        // JSON has neither events nor pings; an error in the middle is a connection that ends in the middle.
        Some(Fault::ErrorEvent { after, .. }) => (partial(&bytes, *after, content), Ending::Cut),
        Some(Fault::StallAfterEvents(count)) => (partial(&bytes, *count, content), Ending::Stall),
        Some(Fault::Pings(_)) => (partial(&bytes, 1, content), Ending::Stall),
        Some(Fault::Garbage) => (Event::raw(Bytes::from_static(b"{\"type\": \"mess\xff")), Ending::Close),
        Some(Fault::GarbledJson(_)) => (partial(&bytes, 1, content), Ending::Close),
        Some(Fault::InvalidUtf8(_)) => {
            let mut broken = bytes.to_vec();
            let middle = broken.len() / 2;
            broken.splice(middle..middle, *b"\xe2\x82\x28");
            (Event { bytes: broken.into(), content: Some(content), last: false }, Ending::Close)
        }
        Some(Fault::Status { .. } | Fault::CutBeforeHeaders | Fault::Delay(_) | Fault::FirstByte(_))
        | None => (Event { bytes, content: Some(content), last: true }, Ending::Close),
    }
}

/// The first half of a JSON body, or nothing of it where not even one event is to be sent.
fn partial(bytes: &Bytes, events: usize, content: u64) -> Event {
    let sent = if events == 0 { 0 } else { bytes.len() / 2 };
    Event { bytes: bytes.slice(..sent), content: (events > 0).then_some(content / 2), last: false }
}
