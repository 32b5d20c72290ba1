//! Connections, and the schema they expect.

use std::{str::FromStr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use hive_domain::{
    MemoryReader,
    task::{Awaiting, NewTask, Task},
};
use sqlx::{
    Connection, PgConnection, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    append, awaiting,
    budgets::reserve::Begun,
    calls, claim,
    contexts::{Context, recall},
    error::{Error, Result},
    group::Group,
    settle::{self, Settled},
    tasks::enqueue_many,
};

/// All migrations, in order. Forward only; run under an advisory lock.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// A connection that was used this recently is taken as it is. A test costs a round trip, as much as a small statement;
/// what breaks in between is an error that says the database is away, and is asked again.
const UNTESTED: Duration = Duration::from_secs(1);

/// Connections for what meets in groups, in a process whose other statements are planned for what they ask. In the api
/// that is what arrives and what searches show, of each of which as many are under way as there are flights.
const LINES: u32 = 4;

/// Settings of a session whose statements are lookups; see [`Config::lookups`].
pub(crate) const LOOKUPS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
];

/// How to reach Postgres.
#[derive(Clone, Debug)]
pub struct Config {
    /// `postgres://…`; never logged.
    pub url: String,
    /// Connections of this process at most.
    pub max_connections: u32,
    /// How long a call waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long a statement may run.
    pub statement_timeout: Duration,
    /// Whether Postgres refuses every write of this process.
    pub read_only: bool,
    /// Whether the statements of this process find rows by their keys, or few in the order of an index. They are planned
    /// once then, and always so: what the statistics of a table that was empty a minute ago suggest is not asked.
    pub lookups: bool,
}

impl Config {
    /// The usual bounds: 16 connections, 2 s for a free one, 5 s for a statement (the safe-migration rule of squawk).
    #[must_use]
    pub const fn new(url: String) -> Self {
        Self {
            url,
            max_connections: 16,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
            read_only: false,
            lookups: false,
        }
    }
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
    /// Where groups are sent: their statements are lookups, whatever else this process asks.
    pub(crate) lines: PgPool,
    pub(crate) groups: Arc<Groups>,
}

/// Where the requests of this process meet; see [`Group`].
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) claims: Group<claim::Claim, claim::Followed>,
    pub(crate) steps: Group<append::Append, Option<append::Edge>>,
    pub(crate) intents: Group<calls::Intent, Begun>,
    pub(crate) settlements: Group<settle::Change, Settled>,
    pub(crate) arrivals: Group<Arc<NewTask>, Task>,
    pub(crate) beginnings: Group<MemoryReader, Awaiting>,
    pub(crate) recalls: Group<recall::Asked, Vec<Context>>,
}

impl Groups {
    fn new() -> Self {
        Self {
            claims: Group::new(claim::send),
            steps: Group::new(append::send),
            intents: Group::new(calls::send),
            settlements: Group::new(settle::send),
            arrivals: Group::new(enqueue_many::send),
            beginnings: Group::new(awaiting::send),
            recalls: Group::new(recall::send),
        }
    }
}

impl Store {
    /// Makes a pool that connects when it is first used, so that a process can start while Postgres is away.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn connect_lazy(config: &Config) -> Result<Self> {
        let timeout = config.statement_timeout.as_millis().to_string();
        let options = PgConnectOptions::from_str(&config.url)?.application_name("hive").options([
            ("statement_timeout", timeout.as_str()),
            ("lock_timeout", "2000"),
            // A process that is frozen in a transaction would keep the rows of others locked until it is gone. No longer than
            // a pass of a scheduler: no transaction waits for anything but Postgres.
            ("idle_in_transaction_session_timeout", "5000"),
            // Compiling a statement that runs for a millisecond takes a second, and 50 MB of each connection.
            ("jit", "off"),
            ("default_transaction_read_only", if config.read_only { "on" } else { "off" }),
        ]);
        let pool = |most, options| Self::pool_of(config, most, options);
        let lookups = options.clone().options(LOOKUPS);
        let (pool, lines) = if config.lookups {
            let pool = pool(config.max_connections, lookups);
            (pool.clone(), pool)
        } else {
            (pool(config.max_connections, options), pool(LINES, lookups))
        };
        Ok(Self { pool, lines, groups: Arc::new(Groups::new()) })
    }

    fn pool_of(config: &Config, most: u32, options: PgConnectOptions) -> PgPool {
        PgPoolOptions::new()
            .max_connections(most)
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    if about.idle_for > UNTESTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options)
    }

    /// Brings the schema up to this version. Safe to call from any number of processes at once.
    ///
    /// # Errors
    /// [`Error::Schema`] when the database was migrated by a newer version; [`Error::Database`] when Postgres is away.
    pub async fn migrate(&self) -> Result<()> {
        // Out of the pool for good: it has other limits than its neighbours, and whatever ends this call ends its lock.
        let mut connection = self.pool.acquire().await?.detach();
        let outcome = migrate_on(&MIGRATOR, &mut connection).await;
        connection.close().await?;
        outcome
    }

    /// Refuses a schema that is not exactly the one of this version.
    ///
    /// # Errors
    /// [`Error::Schema`] names what differs; [`Error::Database`] when Postgres is away.
    pub async fn check_schema(&self) -> Result<()> {
        let applied: Result<Vec<(i64, Vec<u8>)>, sqlx::Error> =
            sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
                .fetch_all(&self.pool)
                .await;
        let applied = match applied {
            Ok(applied) => applied,
            // 42P01: no such table.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => {
                return Err(Error::Schema("it is empty; run `hive migrate`".to_owned()));
            }
            Err(error) => return Err(error.into()),
        };
        for (version, checksum) in &applied {
            match MIGRATOR.iter().find(|migration| migration.version == *version) {
                None => {
                    return Err(Error::Schema(format!("migration {version} comes from a newer version")));
                }
                Some(ours) if ours.checksum != *checksum => {
                    return Err(Error::Schema(format!("migration {version} was changed after it ran")));
                }
                Some(_) => {}
            }
        }
        match MIGRATOR.iter().find(|ours| applied.iter().all(|(version, _)| *version != ours.version)) {
            Some(missing) => {
                Err(Error::Schema(format!("migration {} did not run; run `hive migrate`", missing.version)))
            }
            None => Ok(()),
        }
    }

    /// Waits until Postgres answers and fits, for at most `patience`.
    ///
    /// # Errors
    /// The last error when the time is up; at once when the schema does not fit.
    pub async fn wait_ready(&self, patience: Duration) -> Result<()> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            match self.check_schema().await {
                Err(error) if error.is_unavailable() && tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// One round trip, for health checks.
    ///
    /// # Errors
    /// When Postgres does not answer in the acquire timeout.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// What time it is, by the only clock that decides.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(&self.pool).await?)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        tokio::join!(self.pool.close(), self.lines.close());
    }
}

pub(crate) async fn migrate_on(migrator: &Migrator, connection: &mut PgConnection) -> Result<()> {
    // A migration may rewrite a table, and one that runs elsewhere is waited for however long it takes: the limits of
    // ordinary statements do not apply. Its own locks stay bounded, since whoever waits for a table stops all others.
    for statement in [
        "SET statement_timeout = 0",
        "SET lock_timeout = 0",
        "SELECT pg_advisory_lock(hashtext('hive.migrate'))",
        "SET lock_timeout = 2000",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    // Not `run`, whose future cannot be sent to another thread.
    let error = match migrator.run_direct(connection).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let message = error.to_string();
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)
            if Error::is_passing(&error) =>
        {
            Err(error.into())
        }
        _ => Err(Error::Schema(message)),
    }
}
