//! Removing rows that a condition finds, in portions.

use serde_json::{Map, json};
use sqlx::PgConnection;

use super::{Done, Order, Retention};
use crate::{error::Result, pool::Store};

/// Rows of one statement: a portion takes well under a second, and whoever waits for one of them waits no longer.
pub(super) const PORTION: i64 = 500;

/// Rows that may go.
#[derive(Debug)]
pub(super) struct Prune {
    /// Of this table.
    pub table: &'static str,
    /// Which fulfil this condition; `$1` is the number of days that are kept, and has to be named.
    pub over: &'static str,
    /// The size of one, as an expression over its columns.
    pub bytes: &'static str,
    /// How many days that is.
    pub keep: Keep,
}

/// Which retention a prune goes by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    /// None: the condition knows by itself.
    Nothing,
    /// [`Retention::journal_days`].
    Journal,
    /// [`Retention::records_days`].
    Records,
    /// [`Retention::memory_days`].
    Memory,
}

impl Store {
    pub(super) async fn prune(&self, prunes: &[Prune], order: &Order, retention: &Retention) -> Result<Done> {
        let (mut done, mut report) = (Done::default(), Map::new());
        for prune in prunes {
            let days = match prune.keep {
                Keep::Nothing => 0,
                Keep::Journal => order.keep_days.unwrap_or(retention.journal_days),
                Keep::Records => order.keep_days.unwrap_or(retention.records_days),
                Keep::Memory => order.keep_days.unwrap_or(retention.memory_days),
            };
            let (rows, bytes) = match order.dry_run {
                true => count(&mut *self.pool.acquire().await?, prune, days).await?,
                false => self.remove(prune, days).await?,
            };
            done.removed_rows += rows;
            done.removed_bytes += bytes;
            report.insert(prune.table.to_owned(), json!(rows));
        }
        Ok(Done { report: report.into(), ..done })
    }

    // As below, put together of constants of this crate; a test runs each of them.
    pub(super) async fn remove(&self, prune: &Prune, days: i32) -> Result<(i64, i64)> {
        let Prune { table, over, bytes, .. } = prune;
        let remove = format!(
            "WITH gone AS (
                 DELETE FROM {table}
                 -- Locked first: what somebody touches at this moment is looked at again, and stays.
                 WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {over} LIMIT $2 FOR UPDATE SKIP LOCKED))
                 RETURNING {bytes} AS bytes
             )
             SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM gone"
        );
        let mut sum = (0, 0);
        loop {
            let (rows, bytes): (i64, i64) =
                sqlx::query_as(&remove).bind(days).bind(PORTION).fetch_one(&self.pool).await?;
            sum = (sum.0 + rows, sum.1 + bytes);
            if rows < PORTION {
                return Ok(sum);
            }
        }
    }
}

/// How many rows a prune would remove, and their size.
pub(super) async fn count(connection: &mut PgConnection, prune: &Prune, days: i32) -> Result<(i64, i64)> {
    let Prune { table, over, bytes, .. } = prune;
    let count = format!("SELECT count(*), coalesce(sum({bytes}), 0)::bigint FROM {table} WHERE {over}");
    Ok(sqlx::query_as(&count).bind(days).fetch_one(connection).await?)
}
