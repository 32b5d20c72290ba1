//! What waits, and a batch of it: noted with the money of its requests before it is created.

use std::collections::{BTreeMap, HashSet};

use hive_domain::NanoUsd;
use uuid::Uuid;

use super::night_money::{NIGHT_IS_SPENT, NightMoney};
use crate::{budgets::reserve, error::Result, pool::Store, text::storable};

/// Seconds after which a request that found no room in a budget is taken again.
const POOR_SECONDS: f64 = 60.0;

/// What waits for one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The model.
    pub model: String,
    /// Requests that may be sent now.
    pub requests: i64,
    /// Seconds since the oldest of them was queued.
    pub oldest_seconds: f64,
}

/// A request that may be sent.
#[derive(Clone, Debug)]
pub struct QueuedRequest {
    /// Its id.
    pub id: Uuid,
    /// What is sent.
    pub body: String,
}

impl Store {
    /// What may be sent now, by model.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn waiting_for_batches(&self) -> Result<Vec<Waiting>> {
        let waiting = sqlx::query_as!(
            Waiting,
            r#"SELECT model, count(*) AS "requests!", extract(epoch FROM now() - min(created_at))::float8 AS "oldest_seconds!"
               FROM batch_requests WHERE state = 'queued' AND not_before <= now()
               GROUP BY model ORDER BY model"#,
        );
        Ok(waiting.fetch_all(&self.pool).await?)
    }

    /// The oldest requests for a model that may be sent now: at most `most`, and no more than fit into `bytes`, but for the
    /// first.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn queued_for_batch(&self, model: &str, most: i64, bytes: i64) -> Result<Vec<QueuedRequest>> {
        let queued = sqlx::query_as!(
            QueuedRequest,
            r#"SELECT id AS "id!", body AS "body!"
               FROM (SELECT id, body, sum(octet_length(body)) OVER (ORDER BY id) AS upto, row_number() OVER (ORDER BY id) AS nth
                     FROM (SELECT id, body FROM batch_requests
                           WHERE state = 'queued' AND model = $1 AND not_before <= now() ORDER BY id LIMIT $2) AS first)
                   AS sized
               WHERE nth = 1 OR upto <= $3 ORDER BY id"#,
            model,
            most,
            bytes,
        );
        Ok(queued.fetch_all(&self.pool).await?)
    }

    /// Notes a batch that is about to be created, of those of these requests that wait and whose worst case, which stands
    /// beside them, fits into the budgets that cover them. Returns these: none of them is sent before this returns. What
    /// found no room is taken again later, and what finds none in the money of its night is ended. Empty also when this worker
    /// does not hold the lease. `key` stands for the key that it is created with.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn begin_batch(
        &self,
        worker: &str,
        key: &str,
        batch: Uuid,
        model: &str,
        requests: &BTreeMap<Uuid, NanoUsd>,
    ) -> Result<Vec<Uuid>> {
        let ids: Vec<Uuid> = requests.keys().copied().collect();
        let mut tx = self.pool.begin().await?;
        let held = sqlx::query!(
            "SELECT FROM batch_lease WHERE holder = $1 AND held_until > now() FOR SHARE",
            worker
        );
        if held.fetch_optional(&mut *tx).await?.is_none() {
            return Ok(Vec::new());
        }
        // As for calls that are answered at once: whoever sets a budget waits, or is waited for.
        sqlx::query!("LOCK TABLE ONLY batch_calls IN ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
        let queued = sqlx::query!(
            r#"SELECT r.id, budget_targets(r.task_id, (SELECT t.parent_id FROM tasks t WHERE t.id = r.task_id),
                                           r.agent_id, r.session_id) AS "targets!"
               FROM batch_requests r
               WHERE r.id = ANY ($1) AND r.model = $2 AND r.state = 'queued' AND r.not_before <= now()
               ORDER BY r.id FOR NO KEY UPDATE"#,
            &ids,
            model,
        );
        let queued = queued.fetch_all(&mut *tx).await?;
        let targets: HashSet<Uuid> = queued.iter().flat_map(|row| row.targets.iter().copied()).collect();
        let mut budgets = reserve::lock(&mut tx, targets).await?;
        let mut nights = NightMoney::of(&mut tx, &ids).await?;
        let (mut admitted, mut poor, mut sums) = (Vec::new(), Vec::new(), BTreeMap::<Uuid, i64>::new());
        let mut spent = Vec::new();
        for row in &queued {
            let worst = requests.get(&row.id).copied().unwrap_or_default();
            if !nights.has_room(row.id, worst) {
                spent.push(row.id);
                continue;
            }
            let mine: Vec<Uuid> = budgets
                .values()
                .filter(|budget| row.targets.contains(&budget.target))
                .map(|b| b.id)
                .collect();
            let narrowest = mine.iter().filter_map(|id| budgets.get(id)).min_by_key(|budget| budget.left());
            if let Some(budget) = narrowest.filter(|budget| budget.left() < worst) {
                poor.push((row.id, budget.id));
                continue;
            }
            for id in &mine {
                if let Some(budget) = budgets.get_mut(id) {
                    budget.reserved = budget.reserved + worst;
                }
                let sum = sums.entry(*id).or_default();
                *sum = sum.saturating_add(worst.0);
            }
            nights.take(row.id, worst);
            admitted.push((row.id, worst, mine));
        }
        let (poor, of): (Vec<Uuid>, Vec<Uuid>) = poor.into_iter().unzip();
        sqlx::query!(
            "UPDATE batch_requests r
             SET budget_id = g.budget, not_before = now() + make_interval(secs => $3), updated_at = now()
             FROM unnest($1::uuid[], $2::uuid[]) AS g (id, budget) WHERE r.id = g.id",
            &poor,
            &of,
            POOR_SECONDS,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE batch_requests SET state = 'canceled', error = $2, completed_at = now(), updated_at = now()
             WHERE id = ANY ($1)",
            &spent,
            NIGHT_IS_SPENT,
        )
        .execute(&mut *tx)
        .await?;
        if !admitted.is_empty() {
            self.note_batch(&mut tx, (batch, key), model, &admitted).await?;
            reserve::reserve(&mut tx, &sums).await?;
        }
        tx.commit().await?;
        Ok(admitted.into_iter().map(|(id, ..)| id).collect())
    }

    async fn note_batch(
        &self,
        tx: &mut sqlx::PgTransaction<'_>,
        (batch, key): (Uuid, &str),
        model: &str,
        admitted: &[(Uuid, NanoUsd, Vec<Uuid>)],
    ) -> Result<()> {
        sqlx::query!(
            "INSERT INTO batches (id, model, requests, key_id) VALUES ($1, $2, $3, $4)",
            batch,
            model,
            i32::try_from(admitted.len()).unwrap_or(i32::MAX),
            key,
        )
        .execute(&mut **tx)
        .await?;
        let pairs = admitted.iter().flat_map(|(id, _, mine)| mine.iter().map(|budget| (*id, *budget)));
        let (of, budgets): (Vec<Uuid>, Vec<Uuid>) = pairs.unzip();
        sqlx::query!(
            "WITH sent AS (
                 UPDATE batch_requests r
                 SET state = 'sent', batch_id = $1, tries = tries + 1, budget_id = NULL, error = NULL, updated_at = now()
                 FROM unnest($2::uuid[]) AS g (id) WHERE r.id = g.id AND r.state = 'queued'
                 RETURNING r.id, r.model, r.project_id, r.task_id, r.agent_id, r.session_id
             )
             INSERT INTO batch_calls (batch_id, request_id, model, project_id, task_id, agent_id, session_id,
                                      reserved_nano_usd, budgets)
             SELECT $1, s.id, s.model, s.project_id, s.task_id, s.agent_id, s.session_id, g.worst_case,
                    ARRAY(SELECT p.budget FROM unnest($4::uuid[], $5::uuid[]) AS p (request, budget) WHERE p.request = s.id)
             FROM sent s JOIN unnest($2::uuid[], $3::bigint[]) AS g (id, worst_case) ON g.id = s.id",
            batch,
            &admitted.iter().map(|(id, ..)| *id).collect::<Vec<_>>(),
            &admitted.iter().map(|(_, worst, _)| worst.0).collect::<Vec<_>>(),
            &of,
            &budgets,
        )
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Ends a waiting request that cannot be sent. False: it does not wait.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn refuse_batch_request(&self, id: Uuid, error: &str) -> Result<bool> {
        let refused = sqlx::query!(
            "UPDATE batch_requests SET state = 'errored', error = $2, completed_at = now(), updated_at = now()
             WHERE id = $1 AND state = 'queued'",
            id,
            &*storable(error),
        );
        Ok(refused.execute(&self.pool).await?.rows_affected() == 1)
    }
}
