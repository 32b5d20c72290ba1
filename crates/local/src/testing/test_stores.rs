//! The stores of a test run.

use std::{env, sync::OnceLock};

use sqlx::migrate::Migrator;

use super::{DATABASE_URL, REDIS_URL, TestDatabase};
use crate::{Error, ThrowAway, clean_at_exit, secret::random_hex};

/// Postgres and Redis shared by the tests of a process, or of a whole run under `hive-stores`.
#[derive(Debug)]
pub struct TestStores {
    database_url: String,
    redis_url: String,
}

impl TestStores {
    /// The stores named by `HIVE_TEST_DATABASE_URL` and `HIVE_TEST_REDIS_URL`; what is not named is started
    /// once per process and removed at its exit.
    ///
    /// # Panics
    /// When they cannot be started: no test that asks for them can run.
    #[must_use]
    pub fn get() -> &'static Self {
        static STORES: OnceLock<TestStores> = OnceLock::new();
        STORES.get_or_init(|| match Self::start() {
            Ok(stores) => stores,
            Err(error) => panic!("the stores for tests: {error}"),
        })
    }

    fn start() -> Result<Self, Error> {
        let named = |name| env::var(name).ok().filter(|url| !url.is_empty());
        let (database, redis) = (named(DATABASE_URL), named(REDIS_URL));
        if let (Some(database_url), Some(redis_url)) = (&database, &redis) {
            return Ok(Self { database_url: database_url.clone(), redis_url: redis_url.clone() });
        }
        let own = ThrowAway::start(database.is_none(), redis.is_none())?;
        let owned = |url: Option<&str>| url.map(str::to_owned).unwrap_or_default();
        let stores = Self {
            database_url: database.unwrap_or_else(|| owned(own.database_url())),
            redis_url: redis.unwrap_or_else(|| owned(own.redis_url())),
        };
        clean_at_exit(own);
        Ok(stores)
    }

    /// The URL of the cluster's database `postgres`. Use [`Self::database`] for anything that writes.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The URL of the Redis that all tests share; keep to a prefix of [`Self::redis_prefix`].
    #[must_use]
    pub fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// A key prefix that nobody else uses.
    ///
    /// # Panics
    /// When the operating system gives no random bytes.
    #[must_use]
    pub fn redis_prefix() -> String {
        match random_hex(8) {
            Ok(random) => format!("t_{random}"),
            Err(error) => panic!("{error}"),
        }
    }

    /// A new database with the schema of `migrator`, copied from a template that is migrated once per run.
    ///
    /// # Errors
    /// When Postgres refuses, or a migration fails.
    pub async fn database(&self, migrator: &Migrator) -> Result<TestDatabase, Error> {
        TestDatabase::create(&self.database_url, migrator).await
    }
}
