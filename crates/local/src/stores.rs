//! Postgres and Redis of one state directory, started and stopped together.

use std::path::{Path, PathBuf};

use crate::{
    account::Account,
    error::Error,
    hold::Hold,
    postgres::Postgres,
    redis::{Redis, RedisData},
    socket_dir, state_dir,
};

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct StoresConfig {
    /// The directory that holds data, passwords, logs and the lock. Created if it is not there.
    pub state: PathBuf,
    /// The directory of fetched programs; see [`crate::default_cache_dir`].
    pub cache: PathBuf,
    /// Whether data must survive a crash of the machine. Off only for throw-away clusters.
    pub durable: bool,
    /// Whether to start Postgres.
    pub want_postgres: bool,
    /// Whether to start Redis.
    pub want_redis: bool,
}

impl StoresConfig {
    /// Both stores, durable, programs in the default cache.
    #[must_use]
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            cache: state_dir::default_cache_dir(),
            durable: true,
            want_postgres: true,
            want_redis: true,
        }
    }
}

/// What a store needs to know about its surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) state: PathBuf,
    pub(crate) sockets: PathBuf,
    pub(crate) account: Account,
    pub(crate) durable: bool,
}

/// Running stores. They end when this is dropped, and (on Linux) when this process dies in any way.
#[derive(Debug)]
pub struct Stores {
    place: Place,
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    // Last, so that it is released last.
    _one_instance: Hold,
}

impl Stores {
    /// Finds or fetches the programs and starts what is wanted; both take connections on return. The first
    /// start takes half a second, a later one some 30 ms; a first fetch takes seconds to minutes.
    ///
    /// # Errors
    /// When another process runs on the same state, a program is missing, a directory is unsafe or cannot
    /// be entered by the user the stores run as, or a store does not start. Nothing keeps running then.
    pub fn start(config: &StoresConfig) -> Result<Self, Error> {
        let account = Account::for_stores();
        let state = state_dir::prepare(&config.state, account)?;
        let one_instance =
            Hold::try_take(&state.join("lock"))?.ok_or_else(|| Error::AlreadyRunning(state.clone()))?;
        let sockets = socket_dir::of(&state, account);
        socket_dir::prepare(&sockets, account)?;
        let place = Place { state, sockets, account, durable: config.durable };
        let mut stores =
            Self { place: place.clone(), postgres: None, redis: None, _one_instance: one_instance };
        if config.want_redis {
            stores.redis = Some(Redis::begin(place.clone(), &config.cache)?);
        }
        if config.want_postgres {
            stores.postgres = Some(Postgres::begin(place, &config.cache)?);
        }
        if let Some(redis) = &mut stores.redis {
            redis.wait_ready()?;
        }
        if let Some(postgres) = &mut stores.postgres {
            postgres.wait_ready()?;
        }
        Ok(stores)
    }

    /// The URL of Postgres, or `None` when it was not wanted.
    #[must_use]
    pub fn database_url(&self) -> Option<&str> {
        self.postgres.as_ref().map(Postgres::url)
    }

    /// The URL of Redis, or `None` when it was not wanted.
    #[must_use]
    pub fn redis_url(&self) -> Option<&str> {
        self.redis.as_ref().map(Redis::url)
    }

    /// Name and pid of each running store.
    #[must_use]
    pub fn pids(&self) -> Vec<(&'static str, u32)> {
        let postgres = self.postgres.as_ref().and_then(Postgres::pid).map(|pid| ("postgres", pid));
        let redis = self.redis.as_ref().and_then(Redis::pid).map(|pid| ("redis", pid));
        postgres.into_iter().chain(redis).collect()
    }

    /// The state directory under its one true name.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.place.state
    }

    /// The directory of the sockets.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.place.sockets
    }

    /// Says which store has ended unasked, and how.
    pub fn ended(&mut self) -> Option<String> {
        let state = self.place.state.display();
        if let Some(status) = self.postgres.as_mut().and_then(Postgres::ended) {
            return Some(format!("postgres ended with {status}; its log is {state}/postgres.log"));
        }
        let status = self.redis.as_mut().and_then(Redis::ended)?;
        Some(format!("redis ended with {status}; its log is {state}/redis.log"))
    }

    /// Postgres alone: stop, crash, start.
    pub fn postgres(&mut self) -> Option<&mut Postgres> {
        self.postgres.as_mut()
    }

    /// Redis alone: stop, kill, freeze, start.
    pub fn redis(&mut self) -> Option<&mut Redis> {
        self.redis.as_mut()
    }

    pub(crate) fn redis_ref(&self) -> Option<&Redis> {
        self.redis.as_ref()
    }

    /// Stops Redis and leaves Postgres running.
    pub fn stop_redis(&mut self) {
        if let Some(redis) = &mut self.redis {
            redis.stop();
        }
    }

    /// Kills Redis and leaves Postgres running.
    pub fn kill_redis(&mut self) {
        if let Some(redis) = &mut self.redis {
            redis.kill();
        }
    }

    /// Starts Redis again, with its data or empty.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_redis(&mut self, data: RedisData) -> Result<(), Error> {
        self.redis.as_mut().map_or(Ok(()), |redis| redis.start(data))
    }

    /// Stops both in order and returns when they are gone: at most 30 s for Postgres' checkpoint.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        if let Some(postgres) = &mut self.postgres {
            postgres.begin_stop();
        }
        if let Some(redis) = &mut self.redis {
            redis.stop();
        }
        if let Some(postgres) = &mut self.postgres {
            postgres.stop();
        }
        socket_dir::remove(&self.place.sockets, self.place.account);
    }
}
