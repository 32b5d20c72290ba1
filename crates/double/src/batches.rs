//! Message Batches: what was sent together, and how far each batch is by the double's clock.

mod batch;
mod form;
mod work;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::check::Sent;
use crate::refusal::Refusal;
use crate::stage::Stage;
use batch::Batch;
pub(crate) use form::requests;

/// All batches, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    // Handlers, the clock's controls and the wake of each batch settle what is due.
    all: Mutex<Vec<Batch>>,
}

impl Stage {
    /// Accepts a batch; it ends after the delay that is set now.
    pub(crate) fn open_batch(
        self: &Arc<Self>,
        requests: Vec<(String, Value)>,
        sent: Sent,
        base: &str,
    ) -> Value {
        let delay = self.batch_delay.get();
        let id = format!("msgbatch_{}", Uuid::new_v4().simple());
        let batch = Batch::new(id, requests, sent, self.clock.now(), delay);
        let view = batch.view(base, self.clock.now());
        self.lock_batches().push(batch);
        self.wake_after(delay);
        view
    }

    /// Ends what is due although nobody asks, so that the ledger has it.
    fn wake_after(self: &Arc<Self>, delay: Duration) {
        let stage = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => stage.settle_batches(),
                () = stage.closing.cancelled() => {}
            }
        });
    }

    /// Answers all requests of batches whose time has come.
    pub(crate) fn settle_batches(&self) {
        let now = self.clock.now();
        for batch in self.lock_batches().iter_mut() {
            batch.settle(now, |id, request, sent| work::done(self, id, request, sent));
        }
    }

    pub(crate) fn batch(&self, id: &str, base: &str) -> Result<Value, Refusal> {
        self.settle_batches();
        self.with_batch(id, |batch| Ok(batch.view(base, self.clock.now())))
    }

    pub(crate) fn cancel_batch(&self, id: &str, base: &str) -> Result<Value, Refusal> {
        self.settle_batches();
        let now = self.clock.now();
        self.with_batch(id, |batch| {
            batch.cancel(now)?;
            Ok(batch.view(base, self.clock.now()))
        })
    }

    pub(crate) fn delete_batch(&self, id: &str) -> Result<Value, Refusal> {
        self.settle_batches();
        self.with_batch(id, |batch| batch.ended("deleted"))?;
        self.lock_batches().retain(|batch| batch.id != id);
        Ok(json!({ "id": id, "type": "message_batch_deleted" }))
    }

    /// The results as JSON lines, in an order of their own.
    pub(crate) fn batch_results(&self, id: &str) -> Result<String, Refusal> {
        self.settle_batches();
        let now = self.clock.now();
        self.with_batch(id, |batch| batch.results(now))
    }

    /// All batches, newest first, as ids and views.
    pub(crate) fn list_batches(&self, base: &str) -> Vec<(String, Value)> {
        self.settle_batches();
        self.lock_batches()
            .iter()
            .rev()
            .map(|batch| (batch.id.clone(), batch.view(base, self.clock.now())))
            .collect()
    }

    fn with_batch<T>(
        &self,
        id: &str,
        act: impl FnOnce(&mut Batch) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut all = self.lock_batches();
        let batch = all.iter_mut().find(|batch| batch.id == id);
        let missing = || Refusal::new(StatusCode::NOT_FOUND, format!("Batch {id} not found"));
        act(batch.ok_or_else(missing)?)
    }

    fn lock_batches(&self) -> std::sync::MutexGuard<'_, Vec<Batch>> {
        self.batches.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time as the API writes it.
fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
