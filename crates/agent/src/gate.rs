//! The gate before every call to the model: a stopped key, an open breaker, a hold of the provider and the fleet's rate
//! each turn a call away, for all workers alike. What they know lies in Postgres; Redis is asked before each call since
//! it is fast, and each worker keeps to its share of the rate while Redis is away.

mod estimate;
mod pass;
mod policy;
mod refusals;
mod report;
mod share;
mod view;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hive_queue::Queue;
use hive_store::Store;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

pub(crate) use pass::{Entry, Permit};
pub use policy::{GatePolicy, RateLimits};

use self::{estimate::Estimate, refusals::Refusals, share::Share, view::View};

/// The channel that says that something in Postgres has changed.
pub const PROVIDER_UPDATES: &str = "provider_updates";

/// One per worker process. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    queue: Queue,
    /// The first digits of the key's SHA-256: what lies in the stores instead of it.
    key: String,
    policy: GatePolicy,
    view: View,
    // Protects what this process knows by itself of each model; never held over an await.
    own: Mutex<HashMap<String, Own>>,
    // Protects what it has seen of refusals; never held over an await.
    refusals: Mutex<Refusals>,
    // Until when Redis is not asked, since it has just not answered.
    redis_away: Mutex<Option<Instant>>,
}

/// What this process knows of a model by itself.
#[derive(Default)]
struct Own {
    estimate: Estimate,
    /// Its share of the rate, while Redis is away.
    share: Share,
    /// Whatever the stores say: no call before.
    held_until: Option<Instant>,
    /// Since when that lies in Postgres too.
    hold_written: Option<Instant>,
    /// When a call of it was last answered.
    answered: Option<Instant>,
    /// The limits that were last written down.
    learned: [u64; 3],
}

/// What stands for a key at an address in the stores: the first digits of the SHA-256 of both.
#[must_use]
pub fn fingerprint(key: &str, address: &str) -> String {
    let digest = Sha256::digest(format!("{address}\n{key}"));
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

impl Gate {
    /// The gate for a key at an address. Another key, or the same one elsewhere, has a state of its own.
    #[must_use]
    pub fn new(store: Store, queue: Queue, key: &str, address: &str, policy: GatePolicy) -> Self {
        let key = fingerprint(key, address);
        let view = View::default();
        let inner = Inner {
            store,
            queue,
            key,
            policy,
            view,
            own: Mutex::default(),
            refusals: Mutex::default(),
            redis_away: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// What stands for the key in the stores, in logs and on the page of the provider.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.inner.key
    }
}

impl Inner {
    fn own(&self) -> MutexGuard<'_, HashMap<String, Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False for a second after Redis did not answer: not each call shall wait for it.
    fn asks_redis(&self) -> bool {
        let away = self.redis_away.lock().unwrap_or_else(PoisonError::into_inner);
        away.is_none_or(|until| until <= Instant::now())
    }

    fn redis_failed(&self, error: &hive_queue::Error) {
        tracing::debug!("the rate of the fleet cannot be asked for; this worker keeps to its share: {error}");
        let until = Instant::now() + std::time::Duration::from_secs(1);
        *self.redis_away.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn bucket<'a>(&'a self, model: &'a str) -> hive_queue::Bucket<'a> {
        hive_queue::Bucket { key: &self.key, model }
    }
}
