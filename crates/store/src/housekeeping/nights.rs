//! What nights left behind: rows that they retired, their changes and questions; texts that others replaced long ago; and
//! the marks of what was deleted. A night can be taken back until it is marked here, and never after that.

use serde_json::{Map, json};
use sqlx::PgConnection;

use super::{
    Done, Order,
    prune::{Keep, PORTION, Prune, count},
};
use crate::{error::Result, pool::Store};

/// That a night was marked.
const OF_PRUNED: &str =
    "EXISTS (SELECT FROM sleep_cycles c WHERE c.id = cycle_id AND c.pruned_at IS NOT NULL) AND $1 >= 0";

/// In this order: what says which rows may go stays until they are gone.
const PRUNES: &[Prune] = &[
    Prune {
        table: "contexts",
        over: "NOT locked AND $1 >= 0 AND (
                   EXISTS (SELECT FROM memory_versions v JOIN sleep_cycles c ON c.version_id = v.id
                           WHERE v.id = died_version AND v.state = 'active' AND c.pruned_at IS NOT NULL)
                   OR EXISTS (SELECT FROM memory_versions v JOIN sleep_cycles c ON c.version_id = v.id
                              WHERE v.id = born_version AND v.state IN ('rejected', 'rolled_back')
                                AND c.pruned_at IS NOT NULL))",
        bytes: "octet_length(content)",
        keep: Keep::Memory,
    },
    Prune {
        table: "contexts",
        // Replaced that long ago, and nothing that a night may still bring back or be asked about.
        over: "valid_to < now() - make_interval(days => $1) AND NOT pinned AND NOT locked
               AND EXISTS (SELECT FROM contexts n
                           WHERE (n.id = contexts.superseded_by
                                  OR n.lineage = contexts.lineage AND n.recorded_at > contexts.recorded_at)
                             AND n.recorded_at < now() - make_interval(days => $1))
               AND NOT EXISTS (SELECT FROM sleep_changes s
                               WHERE s.born = contexts.id OR s.retired @> ARRAY[contexts.id]
                                  OR s.sources @> ARRAY[contexts.id])",
        bytes: "octet_length(content)",
        keep: Keep::Memory,
    },
    Prune { table: "sleep_changes", over: OF_PRUNED, bytes: "octet_length(reason)", keep: Keep::Memory },
    Prune { table: "sleep_probes", over: OF_PRUNED, bytes: "octet_length(question)", keep: Keep::Memory },
    Prune { table: "sleep_requests", over: OF_PRUNED, bytes: "0", keep: Keep::Memory },
    Prune {
        table: "context_tombstones",
        over: "deleted_at < now() - make_interval(days => $1)",
        bytes: "0",
        keep: Keep::Memory,
    },
];

impl Store {
    pub(super) async fn prune_nights(&self, order: &Order, days: i32) -> Result<Done> {
        let (mut done, mut report) = (Done::default(), Map::new());
        // In a dry run all of it is marked, counted and forgotten again.
        let mut trial = match order.dry_run {
            true => Some(self.pool.begin().await?),
            false => None,
        };
        let mut cycles = 0;
        loop {
            let marked = match &mut trial {
                Some(trial) => mark(trial, days).await?,
                None => mark(&mut *self.pool.acquire().await?, days).await?,
            };
            cycles += marked;
            if marked < PORTION {
                break;
            }
        }
        report.insert("sleep_cycles".to_owned(), json!(cycles));
        for prune in PRUNES {
            let (rows, bytes) = match &mut trial {
                Some(trial) => count(trial, prune, days).await?,
                None => self.remove(prune, days).await?,
            };
            done.removed_rows += rows;
            done.removed_bytes += bytes;
            let sum = report.get(prune.table).and_then(serde_json::Value::as_i64).unwrap_or(0);
            report.insert(prune.table.to_owned(), json!(sum + rows));
        }
        if let Some(trial) = trial {
            trial.rollback().await?;
        }
        Ok(Done { report: report.into(), ..done })
    }
}

/// From now on these are not taken back. One that is being taken back at this moment is left to the next order.
async fn mark(connection: &mut PgConnection, days: i32) -> Result<i64> {
    let marked = sqlx::query!(
        "UPDATE sleep_cycles SET pruned_at = now()
         WHERE id = ANY (ARRAY(
             SELECT id FROM sleep_cycles
             WHERE pruned_at IS NULL AND finished_at < now() - make_interval(days => $1)
             ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
        days,
        PORTION,
    );
    let marked = marked.execute(connection).await?.rows_affected();
    Ok(i64::try_from(marked).unwrap_or(i64::MAX))
}
