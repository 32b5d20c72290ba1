//! One moment of the database, read table by table.

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use sqlx::{Connection, PgConnection};

use super::{
    DatabaseMark, ExportedTable, SequenceMark, UsedRepository,
    schema::{self, MIGRATIONS},
};
use crate::{
    error::{Error, Result},
    pool::{LOOKUPS, Store},
};

/// Tables that are left out, and why. They say which processes of this deployment are alive and what they hold: nobody
/// of them is there after a restore.
pub const LEFT_OUT: [(&str, &str); 3] = [
    ("batch_lease", "which worker sends batches at this moment"),
    ("fleet_health", "how the fleet is at this moment"),
    ("workers", "which workers are alive at this moment"),
];

/// How long one table may take to be read, in milliseconds: an hour.
const TABLE_WITHIN_MS: &str = "3600000";
/// How long a table that is being changed is waited for, in milliseconds.
const LOCKED_FOR_MS: &str = "30000";
/// How long the reader may do nothing, in milliseconds: a frozen one would keep vacuum from its work.
const IDLE_FOR_MS: &str = "60000";

/// One moment of the database. It is held open until this is dropped or closed.
#[derive(Debug)]
pub struct Snapshot {
    connection: PgConnection,
    mark: DatabaseMark,
    tables: Vec<ExportedTable>,
}

impl Store {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        // Out of the pool for good: it has other limits than its neighbours.
        let mut connection = self.pool.acquire().await?.detach();
        let texts = [("IntervalStyle", "postgres"), ("bytea_output", "hex"), ("TimeZone", "UTC")];
        let limits = [
            ("statement_timeout", TABLE_WITHIN_MS),
            ("lock_timeout", LOCKED_FOR_MS),
            ("idle_in_transaction_session_timeout", IDLE_FOR_MS),
        ];
        let plans = LOOKUPS.iter().filter(|(_, value)| *value == "off").map(|(name, _)| (*name, "on"));
        for (name, value) in texts.into_iter().chain(limits).chain(plans) {
            sqlx::query("SELECT set_config($1, $2, false)")
                .bind(name)
                .bind(value)
                .execute(&mut connection)
                .await?;
        }
        sqlx::query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut connection).await?;
        // The first statement takes the snapshot.
        let (snapshot, wal, taken_at, postgres) = sqlx::query_as(
            "SELECT pg_current_snapshot()::text, pg_current_wal_lsn()::text, clock_timestamp(),
                    current_setting('server_version')",
        )
        .fetch_one(&mut connection)
        .await?;
        let migrations = schema::migrations(&mut connection).await?;
        let schema = migrations.last().copied().ok_or_else(|| Error::Schema("it is empty".to_owned()))?;
        let mut tables = schema::tables(&mut connection).await?;
        tables.retain(|table| {
            table.name != MIGRATIONS && LEFT_OUT.iter().all(|(left_out, _)| table.name != *left_out)
        });
        let mark = DatabaseMark { snapshot, wal, taken_at, postgres, schema, migrations };
        Ok(Snapshot { connection, mark, tables })
    }
}

impl Snapshot {
    /// Which moment it is.
    #[must_use]
    pub const fn mark(&self) -> &DatabaseMark {
        &self.mark
    }

    /// What is to be read, by name.
    #[must_use]
    pub fn tables(&self) -> &[ExportedTable] {
        &self.tables
    }

    /// The rows of a table in the text format of `COPY`, a line for each.
    ///
    /// # Errors
    /// When Postgres refuses; so may the stream.
    pub async fn rows(&mut self, table: &ExportedTable) -> Result<BoxStream<'_, Result<Bytes>>> {
        let columns: Vec<String> = table.columns.iter().map(|column| schema::quoted(column)).collect();
        // As a query: a table of partitions cannot be copied otherwise.
        let copy =
            format!("COPY (SELECT {} FROM {}) TO STDOUT", columns.join(", "), schema::quoted(&table.name));
        let rows = self.connection.copy_out_raw(&copy).await?;
        Ok(rows.map(|part| part.map_err(Error::from)).boxed())
    }

    /// Where the sequences stand; ask after the last table, so that none stands before a number in a row.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn sequences(&mut self) -> Result<Vec<SequenceMark>> {
        schema::sequences(&mut self.connection).await
    }

    /// Every repository that a task or a schedule names, by address.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn repositories(&mut self) -> Result<Vec<UsedRepository>> {
        let used: Vec<(String, bool)> = sqlx::query_as(
            "SELECT url, bool_or(open)
             FROM (SELECT repository_url AS url,
                          status IN ('proposed', 'pending', 'ready', 'running', 'waiting') AS open
                   FROM tasks WHERE repository_url IS NOT NULL
                   UNION ALL
                   SELECT task #>> '{repository,url}', enabled FROM schedules
                   WHERE task #>> '{repository,url}' IS NOT NULL) AS used
             GROUP BY url ORDER BY url",
        )
        .fetch_all(&mut self.connection)
        .await?;
        Ok(used.into_iter().map(|(url, open)| UsedRepository { url, open }).collect())
    }

    /// Lets the moment go.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn close(mut self) -> Result<()> {
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok(self.connection.close().await?)
    }
}
