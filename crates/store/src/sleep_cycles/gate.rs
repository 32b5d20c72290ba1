//! What the gate of a night asks, and what it searches.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, ContextId, ProjectId, SessionId};
use uuid::Uuid;

use super::CycleLease;
use crate::{contexts::FeedEntry, error::Result, pool::Store};

/// A question of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NightProbe {
    /// In words.
    pub question: String,
    /// What answers it.
    pub evidence: ContextId,
}

impl Store {
    /// What the gate searches: entries of the owner that are visible now or with this night's version; those after `after`,
    /// by id, at most `limit`. What this night found to be learnt again is as fresh as it will be.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn gate_feed(
        &self,
        lease: &CycleLease,
        model: &str,
        after: Option<ContextId>,
        limit: i64,
    ) -> Result<Vec<FeedEntry>> {
        let owner = lease.cycle.owner;
        let ids = sqlx::query_scalar!(
            "SELECT c.id FROM contexts c
             WHERE c.scope = $2::text::memory_scope AND c.project_id IS NOT DISTINCT FROM $3
               AND c.session_id IS NOT DISTINCT FROM $4 AND c.agent_id IS NOT DISTINCT FROM $5
               AND (c.born_version IS NULL OR c.born_version = $1 OR EXISTS (
                       SELECT FROM memory_versions v WHERE v.id = c.born_version AND v.state = 'active'))
               AND (c.died_version IS NULL OR NOT EXISTS (
                       SELECT FROM memory_versions v WHERE v.id = c.died_version AND v.state = 'active'))
               AND c.id > $6
             ORDER BY c.id LIMIT $7",
            lease.cycle.version.uuid(),
            owner.scope().as_str(),
            owner.project().map(ProjectId::uuid),
            owner.session().map(SessionId::uuid),
            owner.agent().map(AgentId::uuid),
            after.map_or(Uuid::nil(), ContextId::uuid),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let ids: Vec<ContextId> = ids.into_iter().map(Into::into).collect();
        let mut feed = self.context_feed_of(model, &ids).await?;
        feed.sort_unstable_by_key(|entry| entry.id);
        for (id, at) in self.renewed_by(lease, &ids).await? {
            if let Ok(place) = feed.binary_search_by_key(&id, |entry| entry.id) {
                feed[place].recorded_at = feed[place].recorded_at.max(at);
            }
        }
        Ok(feed)
    }

    /// Which of these entries this night found to be learnt again, and as of when.
    async fn renewed_by(
        &self,
        lease: &CycleLease,
        ids: &[ContextId],
    ) -> Result<Vec<(ContextId, DateTime<Utc>)>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows = sqlx::query!(
            "SELECT context_id, renewed_at FROM context_renewals WHERE version_id = $1 AND context_id = ANY($2)",
            lease.cycle.version.uuid(),
            &ids,
        );
        let rows = rows.fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (row.context_id.into(), row.renewed_at)).collect())
    }

    /// For each entry that this night retires, what stands for it: the entry that was drawn from it, or the one that
    /// overtook it.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn night_heirs(&self, lease: &CycleLease) -> Result<Vec<(ContextId, ContextId)>> {
        let rows = sqlx::query!(
            r#"SELECT r.old AS "old!", h.heir AS "heir!"
               FROM sleep_changes s LEFT JOIN contexts c ON c.id = s.born
               CROSS JOIN unnest(s.retired) AS r (old)
               CROSS JOIN LATERAL (
                   SELECT s.born UNION ALL SELECT c.superseded_by
                   UNION ALL SELECT k.source FROM unnest(s.sources) AS k (source) WHERE s.born IS NULL) AS h (heir)
               WHERE s.cycle_id = $1 AND s.kind IN ('merged', 'superseded') AND h.heir IS NOT NULL AND h.heir <> r.old"#,
            lease.cycle.id.uuid(),
        );
        let rows = rows.fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (row.old.into(), row.heir.into())).collect())
    }

    /// Entries that this night closes since a later one overtook them.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn night_overtaken(&self, lease: &CycleLease) -> Result<Vec<ContextId>> {
        let ids = sqlx::query_scalar!(
            r#"SELECT unnest(retired) AS "id!" FROM sleep_changes WHERE cycle_id = $1 AND kind = 'superseded'"#,
            lease.cycle.id.uuid(),
        );
        Ok(ids.fetch_all(&self.pool).await?.into_iter().map(Into::into).collect())
    }

    /// Keeps the questions of the gate, once; those that are kept are returned.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] `sleep_cycle_fenced`.
    pub async fn keep_probes(&self, lease: &CycleLease, probes: &[NightProbe]) -> Result<Vec<NightProbe>> {
        let mut tx = self.pool.begin().await?;
        lease.hold(&mut tx).await?;
        let numbers: Vec<i32> = (0..).take(probes.len()).collect();
        sqlx::query!(
            "INSERT INTO sleep_probes (cycle_id, number, question, evidence)
             SELECT $1, g.number, g.question, g.evidence
             FROM unnest($2::int[], $3::text[], $4::uuid[]) AS g (number, question, evidence)
             WHERE NOT EXISTS (SELECT FROM sleep_probes WHERE cycle_id = $1)",
            lease.cycle.id.uuid(),
            &numbers,
            &probes.iter().map(|probe| probe.question.clone()).collect::<Vec<_>>(),
            &probes.iter().map(|probe| probe.evidence.uuid()).collect::<Vec<_>>(),
        )
        .execute(&mut *tx)
        .await?;
        let kept = sqlx::query!(
            "SELECT question, evidence FROM sleep_probes WHERE cycle_id = $1 ORDER BY number",
            lease.cycle.id.uuid()
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let kept =
            kept.into_iter().map(|row| NightProbe { question: row.question, evidence: row.evidence.into() });
        Ok(kept.collect())
    }

    /// How many entries that this night brings want vectors of the active model.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn night_vectors_due(&self, lease: &CycleLease) -> Result<i64> {
        let due = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM context_vectors_due d
               JOIN embedding_models m ON m.model = d.model AND m.state = 'active'
               JOIN contexts c ON c.id = d.context_id WHERE c.born_version = $1 AND d.refusals = 0"#,
            lease.cycle.version.uuid(),
        );
        Ok(due.fetch_one(&self.pool).await?)
    }
}
