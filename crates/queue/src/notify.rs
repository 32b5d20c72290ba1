//! Publishing live events: callers leave a message, one task carries them to Redis in pipelines.

use crate::pace::Pace;
use redis::{Pipeline, aio::ConnectionManager};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Messages that may wait. When Redis is slower than that, the oldest go: they are hints, and readers read
/// the truth again when they miss some.
const WAITING: usize = 8_192;
/// What comes within this time after a pipeline left goes with the next one.
const GATHER: Duration = Duration::from_millis(5);
/// Messages in one pipeline.
const PIPELINE: usize = 512;

#[derive(Debug, Default)]
struct Outbox {
    // Protects the messages between callers and the one task; held for a push or a drain.
    messages: Mutex<VecDeque<(String, String)>>,
    arrived: Notify,
    closed: AtomicBool,
}

impl Outbox {
    fn take(&self) -> Vec<(String, String)> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let n = messages.len().min(PIPELINE);
        messages.drain(..n).collect()
    }
}

/// The sending half; its task ends when this is dropped and the outbox is empty.
#[derive(Debug)]
pub(crate) struct Notifier {
    outbox: Arc<Outbox>,
}

impl Notifier {
    pub(crate) fn spawn(conn: ConnectionManager) -> Self {
        let outbox = Arc::new(Outbox::default());
        tokio::spawn(carry(conn, Arc::clone(&outbox)));
        Self { outbox }
    }

    pub(crate) fn notify(&self, channel: String, payload: &str) {
        let mut messages = self.outbox.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() >= WAITING {
            messages.pop_front();
            count_dropped(1);
        }
        messages.push_back((channel, payload.to_owned()));
        drop(messages);
        self.outbox.arrived.notify_one();
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.outbox.closed.store(true, Ordering::Release);
        self.outbox.arrived.notify_one();
    }
}

fn count_dropped(messages: usize) {
    metrics::counter!("hive_queue_notify_dropped_total").increment(messages as u64);
}

async fn carry(conn: ConnectionManager, outbox: Arc<Outbox>) {
    let pace = Pace::default();
    loop {
        let messages = outbox.take();
        if messages.is_empty() {
            if outbox.closed.load(Ordering::Acquire) {
                return;
            }
            outbox.arrived.notified().await;
            continue;
        }
        let mut pipeline = Pipeline::with_capacity(messages.len());
        for (channel, payload) in &messages {
            pipeline.publish(channel, payload).ignore();
        }
        if let Err(error) = pipeline.query_async::<()>(&mut conn.clone()).await {
            count_dropped(messages.len());
            if let Some(more) = pace.due() {
                tracing::warn!(%error, messages = messages.len(), more, "Live events were not published");
            }
        }
        tokio::time::sleep(GATHER).await;
    }
}
