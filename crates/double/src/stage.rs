//! What all handlers of one double share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::cache::PromptCache;
use crate::config::DoubleConfig;
use crate::ledger::{Ledger, LedgerError};
use crate::requests::Requests;
use crate::script::Script;
use crate::storm::Storm;

pub(crate) struct Stage {
    // Both are replaced while requests run; a request keeps what it began with.
    script: RwLock<Option<Arc<Script>>>,
    storm: RwLock<Option<Arc<Storm>>>,
    pub(crate) default_part: bool,
    pub(crate) keys: Vec<String>,
    pub(crate) latency: Duration,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) requests: Requests,
    pub(crate) cache: PromptCache,
    /// Requests that were refused by the rules of the API.
    pub(crate) refused: AtomicU64,
    /// Answers that were broken on purpose.
    pub(crate) broken: AtomicU64,
    /// Fires when the double shuts down.
    pub(crate) closing: CancellationToken,
}

impl Stage {
    pub(crate) fn new(config: DoubleConfig) -> Result<Self, LedgerError> {
        Ok(Self {
            ledger: Arc::new(Ledger::open(config.ledger_file.as_deref())?),
            script: RwLock::new(config.script.map(Arc::new)),
            storm: RwLock::new(config.faults.map(Arc::new)),
            default_part: config.default_part,
            keys: config.keys,
            latency: config.latency,
            requests: Requests::default(),
            cache: PromptCache::default(),
            refused: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            closing: CancellationToken::new(),
        })
    }

    pub(crate) fn script(&self) -> Option<Arc<Script>> {
        self.script.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_script(&self, script: Option<Script>) {
        *self.script.write().unwrap_or_else(PoisonError::into_inner) = script.map(Arc::new);
    }

    pub(crate) fn storm(&self) -> Option<Arc<Storm>> {
        self.storm.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_storm(&self, storm: Option<Storm>) {
        *self.storm.write().unwrap_or_else(PoisonError::into_inner) = storm.map(Arc::new);
    }

    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The time of the machine, for entries that people read.
pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}
