//! The gate of a concurrency key: its tasks wait as `pending` until one of its places is free.
//!
//! A task holds its place while it is ready or running. A parked task holds none, as it holds no worker; it passes the
//! gate again when its time comes. Places are counted under a lock of the key, so that two admissions never give one
//! place away twice.

use hive_domain::event::EventKind;

use crate::{error::Result, group::answered, pool::Store, settle::Announcement, tickets::Row};

/// Keys that one pass looks at.
const KEYS: i64 = 500;

impl Store {
    /// Gives the free places of these keys to the most urgent tasks that wait for them. Those want a ticket: the caller's is
    /// the quick way, and the next pass of the reconciler writes one in any case.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn admit(&self, keys: &[String]) -> Result<Vec<Announcement>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        answered(self.admit_now(keys)).await
    }

    async fn admit_now(&self, keys: &[String]) -> Result<Vec<Announcement>> {
        let mut tx = self.pool.begin().await?;
        // In one order, so that no two admissions wait for each other in a circle.
        sqlx::query!(
            "SELECT pg_advisory_xact_lock(hashtextextended('hive.key:' || key, 0))
             FROM (SELECT DISTINCT unnest($1::text[]) AS key ORDER BY 1) AS keys",
            keys,
        )
        .fetch_all(&mut *tx)
        .await?;
        // A statement of its own: it sees what was committed while the locks were waited for.
        let rows = sqlx::query_as!(
            Row,
            r#"WITH room AS (
                 SELECT k.key, coalesce(l.max_running, 1)
                               - (SELECT count(*) FROM tasks t
                                  WHERE t.concurrency_key = k.key AND t.status IN ('ready', 'running')) AS places
                 FROM (SELECT DISTINCT unnest($1::text[]) AS key) AS k
                 LEFT JOIN task_limits l ON l.kind = 'key' AND l.name = k.key
             ), next AS (
                 SELECT chosen.id FROM room, LATERAL (
                     SELECT t.id FROM tasks t
                     WHERE t.concurrency_key = room.key AND t.status = 'pending' AND t.status_reason = 'concurrency'
                     ORDER BY t.priority, t.id LIMIT greatest(room.places, 0)) AS chosen
             ), held AS (
                 SELECT id FROM tasks
                 WHERE id IN (SELECT id FROM next) AND status = 'pending' AND status_reason = 'concurrency'
                 ORDER BY id FOR NO KEY UPDATE
             ), task AS (
                 UPDATE tasks
                 SET status = 'ready', status_reason = NULL, status_detail = NULL, announced_at = NULL, run_at = now(),
                     event_seq = event_seq + 1, updated_at = now()
                 FROM held WHERE tasks.id = held.id
                 RETURNING tasks.id, tasks.event_seq, tasks.epoch, tasks.priority, tasks.isolated
             ), event AS (
                 INSERT INTO events (task_id, seq, kind) SELECT id, event_seq, $2 FROM task
             )
             SELECT id, epoch, priority, isolated, false AS "first!" FROM task"#,
            keys,
            EventKind::Ready.as_str(),
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows.into_iter().map(Announcement::try_from).collect()
    }

    /// The same for every key with tasks that wait and a free place. Keys that are full are passed by here already, so
    /// that many of them never keep others from being looked at.
    pub(crate) async fn admit_all(&self) -> Result<Vec<Announcement>> {
        let keys = sqlx::query_scalar!(
            // Each key is looked up once, by its place in the index, however many tasks wait at it.
            r#"WITH RECURSIVE k (key) AS (
                   (SELECT concurrency_key FROM tasks
                    WHERE status = 'pending' AND status_reason = 'concurrency' ORDER BY concurrency_key LIMIT 1)
                   UNION ALL
                   SELECT (SELECT t.concurrency_key FROM tasks t
                           WHERE t.status = 'pending' AND t.status_reason = 'concurrency' AND t.concurrency_key > k.key
                           ORDER BY t.concurrency_key LIMIT 1)
                   FROM k WHERE k.key IS NOT NULL
               )
               SELECT k.key AS "key!" FROM k LEFT JOIN task_limits l ON l.kind = 'key' AND l.name = k.key
               WHERE k.key IS NOT NULL
                 AND (SELECT count(*) FROM tasks t
                      WHERE t.concurrency_key = k.key AND t.status IN ('ready', 'running')) < coalesce(l.max_running, 1)
               LIMIT $1"#,
            KEYS,
        );
        let keys = keys.fetch_all(&self.pool).await?;
        self.admit(&keys).await
    }
}
