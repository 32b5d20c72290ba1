//! Real stores for tests: one cluster per run (or per process), a database per test, a private Redis for
//! tests that break it.

mod private_redis;
mod run_beside_stores;
mod test_database;
mod test_stores;

pub use private_redis::PrivateRedis;
pub use run_beside_stores::run_beside_stores;
pub use test_database::TestDatabase;
pub use test_stores::TestStores;

/// Set to the Postgres of the run; `hive-stores` sets it.
pub const DATABASE_URL: &str = "HIVE_TEST_DATABASE_URL";

/// Set to the Redis of the run; `hive-stores` sets it.
pub const REDIS_URL: &str = "HIVE_TEST_REDIS_URL";
