//! Removing what apalis keeps for ever, in slices.

use crate::{Error, Lane, Queue, keys::LaneKeys, scripts};

/// Spent tickets dropped by one script call, and calls per lane and visit: 50,000 tickets.
const SPENT_SLICE: usize = 1_000;
const SPENT_CALLS: usize = 50;
/// Worker names looked at per lane and visit.
const WORKER_SLICE: usize = 200;
/// Remembered tickets looked at by one call, and calls per lane and visit. Each old one costs a walk through
/// the waiting list, hence the small slice.
const LOST_SLICE: usize = 50;
const LOST_CALLS: usize = 100;

impl Queue {
    /// Drops spent tickets, dead workers' records and tickets that lie nowhere, a bounded number of each.
    /// Returns how many entries were dropped. Meant to be called every few seconds to a minute, by anyone:
    /// several at once do no harm.
    ///
    /// # Errors
    /// [`Error::Redis`]: Redis is away; what was dropped stays dropped.
    pub async fn janitor(&self) -> Result<u64, Error> {
        let mut dropped = 0;
        for lane in Lane::ALL {
            dropped += self.sweep(&self.shared.lanes[lane.index()]).await?;
        }
        metrics::counter!("hive_queue_swept_total").increment(dropped);
        Ok(dropped)
    }

    async fn sweep(&self, keys: &LaneKeys) -> Result<u64, Error> {
        let conn = &self.shared.conn;
        let mut dropped = 0;
        for _ in 0..SPENT_CALLS {
            let n = scripts::sweep_spent(conn, keys, SPENT_SLICE).await?;
            dropped += n;
            if n == 0 {
                break;
            }
        }
        dropped += scripts::sweep_workers(conn, keys, WORKER_SLICE).await?;
        let mut cursor = 0;
        for _ in 0..LOST_CALLS {
            let (next, n) = scripts::sweep_lost(conn, keys, cursor, LOST_SLICE).await?;
            dropped += n;
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        Ok(dropped)
    }
}
