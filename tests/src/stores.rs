//! The database and the Redis of a story.

use std::borrow::Cow;

use hive_local::{
    Postgres, Stores, StoresConfig,
    testing::{PrivateRedis, TestDatabase, TestStores},
};
use hive_store::{MIGRATOR, Store};
use sqlx::migrate::Migrator;
use tempfile::TempDir;

/// Where the story's tables lie.
pub(crate) enum Database {
    /// In a database of its own on the Postgres of the run.
    Shared(TestDatabase),
    /// On a Postgres of its own, which the story may stop and crash. It is durable, unlike that of the run: what a
    /// crash loses there would not be our fault.
    Own(Box<Stores>, #[expect(dead_code, reason = "holds the directory until Postgres has ended")] TempDir),
}

impl Database {
    pub(crate) async fn shared() -> Self {
        Self::Shared(TestStores::get().database(&MIGRATOR).await.unwrap())
    }

    /// Without a table.
    pub(crate) async fn empty() -> Self {
        static NOTHING: Migrator = Migrator { migrations: Cow::Borrowed(&[]), ..Migrator::DEFAULT };
        let database = TestStores::get().database(&NOTHING).await.unwrap();
        let pool = database.pool().await.unwrap();
        sqlx::raw_sql("DROP TABLE _sqlx_migrations").execute(&pool).await.unwrap();
        pool.close().await;
        Self::Shared(database)
    }

    pub(crate) async fn own() -> Self {
        let directory = crate::builder::open_directory("hive-postgres-");
        let config = StoresConfig { want_redis: false, ..StoresConfig::new(directory.path()) };
        let stores = Stores::start(&config).unwrap();
        let own = Self::Own(Box::new(stores), directory);
        let store = Store::connect_lazy(&hive_store::Config::new(own.url())).unwrap();
        store.migrate().await.unwrap();
        store.close().await;
        own
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Shared(database) => database.url.clone(),
            Self::Own(stores, _) => stores.database_url().unwrap().to_owned(),
        }
    }

    pub(crate) fn postgres(&mut self) -> &mut Postgres {
        match self {
            Self::Shared(_) => panic!("this story shares its Postgres; build it with own_postgres()"),
            Self::Own(stores, _) => stores.postgres().unwrap(),
        }
    }
}

/// Where the story's tickets lie.
pub(crate) enum Tickets {
    /// Under a prefix of its own in the Redis of the run.
    Shared,
    /// In a Redis of its own, which the story may flush, freeze and kill.
    Own(Box<PrivateRedis>),
    /// In a Redis of its own, as a user who may not do everything; with the URL of that user.
    User(#[expect(dead_code, reason = "ends Redis when it is dropped")] Box<PrivateRedis>, String),
}

impl Tickets {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Shared => TestStores::get().redis_url().to_owned(),
            Self::Own(redis) => redis.url().to_owned(),
            Self::User(_, url) => url.clone(),
        }
    }

    /// A Redis of its own with a user `hive` of these rules.
    pub(crate) fn user(rules: &[String], password: &str) -> Self {
        let redis = PrivateRedis::start().unwrap();
        let mut connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
        redis::cmd("ACL").arg(&["SETUSER", "hive"]).arg(rules).exec(&mut connection).unwrap();
        let (address, _) = redis.url().split_once('?').expect("a socket, with a password");
        let url = format!("{address}?user=hive&pass={password}");
        Self::User(Box::new(redis), url)
    }
}
