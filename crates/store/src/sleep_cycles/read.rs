//! Nights as they stand.

use chrono::{DateTime, Utc};
use hive_domain::{AgentId, CycleBudget, CycleId, MemoryOwner, NanoUsd, ProjectId, SessionId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{CycleCalls, CycleCounts, SleepCycle};
use crate::{
    contexts,
    error::{Error, Result},
    pool::Store,
};

struct Row {
    id: Uuid,
    scope: String,
    project_id: Option<Uuid>,
    session_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    trigger: String,
    asked_by: String,
    budget_nano_usd: Option<i64>,
    budget_tokens: Option<i64>,
    budget_minutes: i32,
    version_id: Uuid,
    created_at: DateTime<Utc>,
    state: String,
    phase: String,
    worker: Option<String>,
    started_at: Option<DateTime<Utc>>,
    extracted: i32,
    merged: i32,
    superseded: i32,
    promoted: i32,
    decayed: i32,
    refused: i32,
    kept: i32,
    skipped: Value,
    stopped_by: Option<String>,
    probes: i32,
    quality_before: Option<f32>,
    quality_after: Option<f32>,
    failure: Option<String>,
    finished_at: Option<DateTime<Utc>>,
    rolled_back_at: Option<DateTime<Utc>>,
    rolled_back_by: Option<String>,
    requests: i64,
    input_tokens: i64,
    output_tokens: i64,
    cost: i64,
    unknown_cost: i64,
}

/// `select_cycles!(tail, arguments…)`: reads [`Row`]s of `sleep_cycles c`.
macro_rules! select_cycles {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT c.id, c.scope::text AS "scope!", c.project_id, c.session_id, c.agent_id,
                      c.trigger::text AS "trigger!", c.asked_by, c.budget_nano_usd, c.budget_tokens, c.budget_minutes,
                      c.version_id, c.created_at, c.state::text AS "state!", c.phase::text AS "phase!", c.worker,
                      c.started_at, c.extracted, c.merged, c.superseded, c.promoted, c.decayed, c.refused, c.kept,
                      c.skipped, c.stopped_by, c.probes, c.quality_before, c.quality_after, c.failure, c.finished_at,
                      c.rolled_back_at, c.rolled_back_by, greatest(c.requests, l.requests) AS "requests!",
                      greatest(c.input_tokens, l.input) AS "input_tokens!",
                      greatest(c.output_tokens, l.output) AS "output_tokens!",
                      greatest(c.cost_nano_usd, l.cost) AS "cost!", l.assumed AS "unknown_cost!"
               FROM sleep_cycles c CROSS JOIN LATERAL (
                   SELECT count(DISTINCT r.request_id) AS requests,
                          coalesce(sum(b.input_tokens + b.cache_read_tokens + b.cache_write_tokens), 0)::bigint AS input,
                          coalesce(sum(b.output_tokens), 0)::bigint AS output,
                          coalesce(sum(b.cost_nano_usd), 0)::bigint AS cost,
                          coalesce(sum(b.reserved_nano_usd) FILTER (WHERE b.state = 'unknown'), 0)::bigint AS assumed
                   FROM sleep_requests r LEFT JOIN batch_calls b ON b.request_id = r.request_id
                   WHERE r.cycle_id = c.id) AS l "# + $tail
            $(, $argument)*
        )
    };
}

impl TryFrom<Row> for SleepCycle {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        let wrong = |column, error| Error::inconsistent("sleep_cycles", column, id, error);
        let owner = contexts::owner(&row.scope, row.project_id, row.session_id, row.agent_id)
            .ok_or_else(|| Error::inconsistent("sleep_cycles", "scope", id, "it does not fit its owner"))?;
        Ok(Self {
            id: id.into(),
            owner,
            trigger: row.trigger.parse().map_err(|e| wrong("trigger", e))?,
            asked_by: row.asked_by,
            budget: CycleBudget {
                money: row.budget_nano_usd.map(NanoUsd),
                tokens: row.budget_tokens,
                minutes: row.budget_minutes,
            },
            version: row.version_id.into(),
            created_at: row.created_at,
            state: row.state.parse().map_err(|e| wrong("state", e))?,
            phase: row.phase.parse().map_err(|e| wrong("phase", e))?,
            worker: row.worker,
            started_at: row.started_at,
            counts: CycleCounts {
                extracted: row.extracted,
                merged: row.merged,
                superseded: row.superseded,
                promoted: row.promoted,
                decayed: row.decayed,
                refused: row.refused,
                kept: row.kept,
            },
            skipped: row.skipped,
            stopped_by: row.stopped_by,
            probes: row.probes,
            quality_before: row.quality_before,
            quality_after: row.quality_after,
            failure: row.failure,
            finished_at: row.finished_at,
            rolled_back: row.rolled_back_at.zip(row.rolled_back_by),
            calls: CycleCalls {
                requests: row.requests,
                input_tokens: row.input_tokens,
                output_tokens: row.output_tokens,
                cost: NanoUsd(row.cost),
                unknown_cost: NanoUsd(row.unknown_cost),
            },
        })
    }
}

/// Which nights are listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct CycleFilter {
    /// Of this memory only.
    pub owner: Option<MemoryOwner>,
    /// Open ones only, or ended ones only.
    pub open: Option<bool>,
}

impl Store {
    /// One night.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn sleep_cycle(&self, id: CycleId) -> Result<SleepCycle> {
        one(&mut *self.pool.acquire().await?, id).await
    }

    /// Nights, latest first, at most `limit`, those before `before` when it is named.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn sleep_cycles(
        &self,
        filter: CycleFilter,
        before: Option<CycleId>,
        limit: i64,
    ) -> Result<Vec<SleepCycle>> {
        let owner = filter.owner;
        select_cycles!(
            "WHERE ($1::text IS NULL OR c.scope = $1::text::memory_scope AND c.project_id IS NOT DISTINCT FROM $2
                        AND c.session_id IS NOT DISTINCT FROM $3 AND c.agent_id IS NOT DISTINCT FROM $4)
               AND ($5::bool IS NULL OR (c.finished_at IS NULL) = $5) AND ($6::uuid IS NULL OR c.id < $6)
             ORDER BY c.id DESC LIMIT $7",
            owner.map(|owner| owner.scope().as_str()),
            owner.and_then(MemoryOwner::project).map(ProjectId::uuid),
            owner.and_then(MemoryOwner::session).map(SessionId::uuid),
            owner.and_then(MemoryOwner::agent).map(AgentId::uuid),
            filter.open,
            before.map(CycleId::uuid),
            limit,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(SleepCycle::try_from)
        .collect()
    }
}

/// The night as this connection sees it.
pub(super) async fn one(connection: &mut PgConnection, id: CycleId) -> Result<SleepCycle> {
    select_cycles!("WHERE c.id = $1", id.uuid())
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::NotFound { what: "sleep cycle", id: id.to_string() })?
        .try_into()
}
