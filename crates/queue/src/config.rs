//! Where Redis is and how full a lane may get.

use crate::Lane;
use std::fmt;

/// How the queue is reached. `Config::new(url)` and then change what differs.
#[derive(Clone)]
pub struct Config {
    /// `redis://[:password@]host:port/db` or `redis+unix:///path/to/socket`.
    pub url: String,
    /// First part of every key and channel, so that several hives share one Redis. Default `hive`.
    pub prefix: String,
    /// Tickets that may wait in one lane; further ones are skipped and announced again later by the
    /// reconciler, in priority order. Default 500: workers
    /// that find more to do than tickets lead to ask Postgres for many tasks at once, and tickets beyond that cost more
    /// than they tell. (At 8,000 apalis' own scripts break.)
    pub feed_cap: usize,
}

impl Config {
    /// The defaults, for the Redis at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), prefix: "hive".to_owned(), feed_cap: 500 }
    }
}

/// The URL may hold a password, so it is not shown.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("prefix", &self.prefix)
            .field("feed_cap", &self.feed_cap)
            .finish_non_exhaustive()
    }
}

/// How one worker process takes part.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Who this is, for people: letters, digits, `-`, `_` and `.`, at most 100. It is made unique per boot
    /// here, because apalis refuses a name for ten seconds after its last heartbeat.
    pub name: String,
    /// Which lanes it takes tickets from.
    pub lanes: &'static [Lane],
}
