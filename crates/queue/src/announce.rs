//! Announcing tickets: many callers, one script call.

use crate::{Error, Lane, Ticket, keys::LaneKeys, pace::Pace, scripts};
use redis::aio::ConnectionManager;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Tickets in one script call, which blocks Redis for about a millisecond.
const CHUNK: usize = 500;
/// Callers that wait for the next call. When it is full the announcement fails, which the reconciler repairs.
const WAITING: usize = 4_096;
/// A caller waits this long: a task was committed, and its hint is not worth holding the answer back for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where in its lane a ticket goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind all others.
    Last,
    /// Before all others.
    First,
}

struct Request {
    tickets: Vec<Ticket>,
    place: Place,
    done: oneshot::Sender<()>,
}

/// The sending half; the receiving half runs in a task of its own and ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Announcer {
    requests: mpsc::Sender<Request>,
    /// Set while Redis is slower than the callers' patience: then nobody waits for it.
    stalled: Arc<AtomicBool>,
    pace: Pace,
}

impl Announcer {
    pub(crate) fn spawn(
        conn: ConnectionManager,
        lanes: Arc<[LaneKeys; Lane::COUNT]>,
        feed_cap: usize,
        wake: String,
    ) -> Self {
        let (requests, mut inbox) = mpsc::channel(WAITING);
        let stalled = Arc::new(AtomicBool::new(false));
        let batcher =
            Batcher { conn, lanes, feed_cap, wake, stalled: Arc::clone(&stalled), pace: Pace::default() };
        tokio::spawn(async move {
            while let Some(first) = inbox.recv().await {
                batcher.send(collect(first, &mut inbox)).await;
            }
        });
        Self { requests, stalled, pace: Pace::default() }
    }

    pub(crate) async fn announce(&self, tickets: &[Ticket], place: Place) {
        for chunk in tickets.chunks(CHUNK) {
            let (done, answer) = oneshot::channel();
            let request = Request { tickets: chunk.to_vec(), place, done };
            if self.requests.try_send(request).is_err() {
                self.failed(chunk.len(), "too many announcements wait for Redis");
            } else if self.stalled.load(Ordering::Relaxed) {
                // It stays in line and is sent when Redis is back; only the caller does not wait for it.
                self.failed(chunk.len(), "Redis does not answer");
            } else if let Ok(answer) = tokio::time::timeout(PATIENCE, answer).await {
                if answer.is_err() {
                    self.failed(chunk.len(), "the queue is shutting down");
                }
            } else {
                self.stalled.store(true, Ordering::Relaxed);
                self.failed(chunk.len(), "Redis did not answer within 1 s");
            }
        }
    }

    fn failed(&self, tickets: usize, why: &str) {
        count_failed(tickets);
        if let Some(more) = self.pace.due() {
            tracing::warn!(
                tickets,
                more,
                "Tickets were not announced: {why}; the reconciler announces them again"
            );
        }
    }
}

fn count_failed(tickets: usize) {
    metrics::counter!("hive_queue_announce_failed_total").increment(tickets as u64);
}

/// What waits already goes along, without waiting for more.
fn collect(first: Request, inbox: &mut mpsc::Receiver<Request>) -> Vec<Request> {
    let mut tickets = first.tickets.len();
    let mut batch = vec![first];
    while tickets < CHUNK
        && let Ok(next) = inbox.try_recv()
    {
        tickets += next.tickets.len();
        batch.push(next);
    }
    batch
}

struct Batcher {
    conn: ConnectionManager,
    lanes: Arc<[LaneKeys; Lane::COUNT]>,
    feed_cap: usize,
    wake: String,
    stalled: Arc<AtomicBool>,
    pace: Pace,
}

impl Batcher {
    async fn send(&self, batch: Vec<Request>) {
        let of = |lane: Lane, place: Place| -> Vec<Ticket> {
            let there = batch.iter().filter(|request| request.place == place);
            there.flat_map(|request| &request.tickets).filter(|t| t.lane == lane).copied().collect()
        };
        let sending = Lane::ALL.map(|lane| async move {
            self.send_lane(lane, Place::First, &of(lane, Place::First)).await?;
            self.send_lane(lane, Place::Last, &of(lane, Place::Last)).await
        });
        let sent = futures::future::join_all(sending).await;
        if let Some(error) = sent.into_iter().find_map(Result::err)
            && let Some(more) = self.pace.due()
        {
            tracing::warn!(%error, more, "Tickets were not announced; the reconciler announces them again");
        }
        self.stalled.store(false, Ordering::Relaxed);
        for request in batch {
            // The caller may have stopped waiting meanwhile; then there is nobody to tell.
            let _ = request.done.send(());
        }
    }

    async fn send_lane(&self, lane: Lane, place: Place, tickets: &[Ticket]) -> Result<(), Error> {
        let keys = &self.lanes[lane.index()];
        for chunk in tickets.chunks(CHUNK) {
            match scripts::announce(&self.conn, keys, self.feed_cap, &self.wake, place, chunk).await {
                Ok(outcome) => {
                    let count = |what: &'static str, n| {
                        metrics::counter!("hive_queue_announced_total", "lane" => lane.as_str(), "outcome" => what)
                            .increment(n);
                    };
                    count("sent", outcome.sent);
                    count("already_there", outcome.there);
                    count("over_cap", outcome.over);
                }
                Err(error) => {
                    count_failed(chunk.len());
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
