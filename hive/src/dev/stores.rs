//! Postgres and Redis for `hive dev`: those that were named, else local ones.

use std::path::PathBuf;

use hive_local::{RedisData, Stores, StoresConfig};

use super::Options;
use crate::failure::Failure;

/// The stores of this run. Local ones end with it.
pub(super) struct LocalStores {
    local: Option<Stores>,
    pub(super) state: PathBuf,
    pub(super) database_url: String,
    pub(super) redis_url: String,
}

impl LocalStores {
    pub(super) fn start(options: &Options) -> Result<Self, Failure> {
        let state = options.state.clone().unwrap_or_else(hive_local::default_state_dir);
        let state = std::path::absolute(state)?;
        let failed = |error: hive_local::Error| Failure::Failed(error.to_string());
        let (postgres, redis) = (options.database_url.is_none(), options.redis_url.is_none());
        let config = StoresConfig { want_postgres: postgres, want_redis: redis, ..StoresConfig::new(&state) };
        let local = Stores::start(&config).map_err(failed)?;
        let missing = |what: &str| Failure::Failed(format!("{what} was not started"));
        let given = |given: &Option<String>, local: Option<String>, what: &str| {
            given.clone().or(local).ok_or_else(|| missing(what))
        };
        Ok(Self {
            database_url: given(&options.database_url, local.database_url().map(str::to_owned), "Postgres")?,
            redis_url: given(&options.redis_url, local.redis_url().map(str::to_owned), "Redis")?,
            local: Some(local),
            state,
        })
    }

    /// Starts Redis again when it died: it holds nothing that cannot be rebuilt. Says so when Postgres died.
    pub(super) fn revive(&mut self) -> Result<Option<String>, Failure> {
        let Some(local) = &mut self.local else { return Ok(None) };
        if let Some(redis) = local.redis()
            && let Some(status) = redis.ended()
        {
            eprintln!("redis ended ({status}) and is started again");
            redis.start(RedisData::Keep).map_err(|error| Failure::Failed(error.to_string()))?;
        }
        Ok(local.ended())
    }

    pub(super) fn stop(&mut self) {
        if let Some(local) = self.local.take() {
            local.stop();
        }
    }
}
