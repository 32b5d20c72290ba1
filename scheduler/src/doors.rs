//! The doors that duties go through.

use std::time::Duration;

use anyhow::Context;
use hive_queue::{Lane, Queue};
use hive_store::{Store, housekeeping::Retention};

use crate::{Bases, Config};

/// Postgres, Redis and git. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Doors {
    /// The truth.
    pub store: Store,
    /// The tickets.
    pub queue: Queue,
    /// Tickets that one lane takes at most.
    pub feed_cap: u64,
    /// How long a ready task may wait before it goes to the head of its lane.
    pub ageing: Duration,
    /// Repositories of schedules.
    pub bases: Bases,
    /// How long things are kept.
    pub retention: Retention,
}

impl Doors {
    /// Prepares them; none has to answer yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A setting that cannot be used; the message names it.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let store = Store::connect_lazy(&hive_store::Config::new(config.database_url.clone()))
            .context("DATABASE_URL cannot be used; write postgres://user:password@host:port/database")?;
        let queue = hive_queue::Config {
            prefix: config.redis_prefix.clone(),
            ..hive_queue::Config::new(config.redis_url.clone())
        };
        let feed_cap = queue.feed_cap as u64;
        let queue = Queue::connect(queue).context("REDIS_URL or HIVE_REDIS_PREFIX cannot be used")?;
        let bases = Bases::new(&config.data, config.repo_roots.clone());
        let retention = Retention {
            journal_days: config.retention_days,
            records_days: config.records_days,
            memory_days: config.memory_retention_days,
        };
        let ageing = Duration::from_secs(config.ageing_seconds);
        Ok(Self { store, queue, feed_cap, ageing, bases, retention })
    }

    /// How many tickets each lane can still take, in the order of [`Lane::ALL`].
    ///
    /// # Errors
    /// Redis is away.
    pub async fn room(&self) -> Result<[u64; Lane::COUNT], hive_queue::Error> {
        let depth = self.queue.depth().await?;
        Ok(depth.map(|waiting| self.feed_cap.saturating_sub(waiting)))
    }
}
