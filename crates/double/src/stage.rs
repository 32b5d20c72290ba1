//! What all handlers of one double share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::batches::Batches;
use crate::cache::PromptCache;
use crate::clock::Clock;
use crate::config::DoubleConfig;
use crate::diagnosis::Diagnoses;
use crate::ledger::{Ledger, LedgerError};
use crate::limits::{Limits, Meter};
use crate::outage::{Begun, Outage};
use crate::recording::Recording;
use crate::requests::Requests;
use crate::script::Script;
use crate::storm::Storm;
use crate::windows::Windows;

/// Something that is replaced while requests run; a request keeps what it began with.
#[derive(Debug)]
pub(crate) struct Replaceable<T>(RwLock<T>);

impl<T: Clone> Replaceable<T> {
    fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    pub(crate) fn get(&self) -> T {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

pub(crate) struct Stage {
    script: Replaceable<Option<Arc<Script>>>,
    storm: Replaceable<Option<Arc<Storm>>>,
    outage: Replaceable<Option<Arc<Begun>>>,
    meter: Replaceable<Arc<Meter>>,
    pub(crate) windows: Replaceable<Arc<Windows>>,
    pub(crate) batch_delay: Replaceable<Duration>,
    pub(crate) default_part: bool,
    pub(crate) keys: Vec<String>,
    pub(crate) latency: Duration,
    pub(crate) recording: Option<Recording>,
    pub(crate) clock: Clock,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) requests: Requests,
    pub(crate) cache: PromptCache,
    pub(crate) diagnoses: Diagnoses,
    pub(crate) batches: Batches,
    /// Requests that were refused by the rules of the API.
    pub(crate) refused: AtomicU64,
    /// Answers that were broken on purpose.
    pub(crate) broken: AtomicU64,
    /// Fires when the double shuts down.
    pub(crate) closing: CancellationToken,
}

impl Stage {
    pub(crate) fn new(config: DoubleConfig) -> Result<Self, LedgerError> {
        let clock = Clock::start();
        let meter = Meter::new(&config.limits.unwrap_or_default(), clock.now());
        Ok(Self {
            ledger: Arc::new(Ledger::open(config.ledger_file.as_deref())?),
            script: Replaceable::new(config.script.map(Arc::new)),
            storm: Replaceable::new(config.faults.map(Arc::new)),
            outage: Replaceable::new(None),
            meter: Replaceable::new(Arc::new(meter)),
            windows: Replaceable::new(Arc::new(config.windows)),
            batch_delay: Replaceable::new(config.batch_delay),
            default_part: config.default_part,
            keys: config.keys,
            latency: config.latency,
            recording: config.recording,
            clock,
            requests: Requests::default(),
            cache: PromptCache::default(),
            diagnoses: Diagnoses::default(),
            batches: Batches::default(),
            refused: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            closing: CancellationToken::new(),
        })
    }

    pub(crate) fn script(&self) -> Option<Arc<Script>> {
        self.script.get()
    }

    pub(crate) fn set_script(&self, script: Option<Script>) {
        self.script.set(script.map(Arc::new));
    }

    pub(crate) fn storm(&self) -> Option<Arc<Storm>> {
        self.storm.get()
    }

    pub(crate) fn set_storm(&self, storm: Option<Storm>) {
        self.storm.set(storm.map(Arc::new));
    }

    pub(crate) fn outage(&self) -> Option<Arc<Begun>> {
        self.outage.get()
    }

    /// Begins an outage at once; `None` ends the one that is on.
    pub(crate) fn set_outage(&self, outage: Option<Outage>) {
        let at = self.clock.now();
        self.outage.set(outage.map(|outage| Arc::new(Begun { outage, at })));
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        self.meter.get()
    }

    /// Replaces the limits; all buckets are full again.
    pub(crate) fn set_limits(&self, limits: &Limits) {
        self.meter.set(Arc::new(Meter::new(limits, self.clock.now())));
    }

    /// Puts the clock forward, and does what is due by then.
    pub(crate) fn advance(&self, more: Duration) {
        self.clock.advance(more);
        self.settle_batches();
    }

    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The time of the machine, for entries that people read.
pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}
