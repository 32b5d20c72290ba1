//! From a payload to the caller's handler, so that nothing a ticket holds or a handler does reaches apalis.

use crate::{Lane, Ticket, pace::Pace, payload::Payload};
use std::sync::Arc;
use tokio_util::task::AbortOnDropHandle;

/// The caller's handler and the lane it serves.
#[derive(Clone)]
pub(crate) struct Handler<F> {
    lane: Lane,
    handle: F,
    pace: Arc<Pace>,
}

impl<F> Handler<F> {
    pub(crate) fn new(lane: Lane, handle: F) -> Self {
        Self { lane, handle, pace: Arc::default() }
    }

    /// Always ends well: for apalis an error means a second-grained retry in its scheduled set, 25 times.
    pub(crate) async fn handle<Fut>(self, payload: Payload)
    where
        F: Fn(Ticket) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let lane = self.lane.as_str();
        let Some(ticket) = Ticket::read(&payload.0, self.lane) else {
            metrics::counter!("hive_queue_bad_tickets_total", "lane" => lane).increment(1);
            if let Some(more) = self.pace.due() {
                let payload = String::from_utf8_lossy(&payload.0[..payload.0.len().min(80)]).into_owned();
                tracing::error!(lane, payload, more, "A ticket could not be read and was dropped");
            }
            return;
        };
        metrics::counter!("hive_queue_taken_total", "lane" => lane).increment(1);
        // Its own task: a handler that blocks does not stop the heartbeats, one that panics does not end the
        // worker, and dropping this future ends it.
        let running = AbortOnDropHandle::new(tokio::spawn((self.handle)(ticket)));
        if let Err(error) = running.await {
            metrics::counter!("hive_queue_handler_panics_total", "lane" => lane).increment(1);
            tracing::error!(task.id = %ticket.task_id, %error, "The ticket handler panicked; the ticket is spent");
        }
    }
}
