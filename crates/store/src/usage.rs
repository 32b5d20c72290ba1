//! What calls used and cost: by day, model, agent or session for good, by task or run while their journal is kept.

use chrono::NaiveDate;
use hive_domain::{NanoUsd, Usage};

use crate::{error::Result, pool::Store};

/// What is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The day (UTC) on which the calls ended.
    Day,
    /// The model that was asked.
    Model,
    /// The task's agent.
    Agent,
    /// The task's session; all zeros for none.
    Session,
    /// The task.
    Task,
    /// The claim of the task, as `<task>/<epoch>`.
    Run,
}

impl GroupBy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Agent => "agent",
            Self::Session => "session",
            Self::Task => "task",
            Self::Run => "run",
        }
    }
}

/// Calls that ended, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageSum {
    /// What they have in common; empty for all.
    pub key: String,
    /// Calls that ended, however they did.
    pub calls: i64,
    /// Of them, those that brought no answer.
    pub failed: i64,
    /// Of them, those of which nobody knows what came.
    pub unknown: i64,
    /// Tokens and money that are known.
    pub usage: Usage,
    /// What the unknown ones cost at most, besides.
    pub unknown_cost: NanoUsd,
}

struct Row {
    key: String,
    calls: i64,
    failed: i64,
    unknown: i64,
    input_tokens: i64,
    output_tokens: i64,
    cache_read_tokens: i64,
    cache_write_tokens: i64,
    cache_write_1h_tokens: i64,
    cost: i64,
    assumed: i64,
}

impl From<Row> for UsageSum {
    fn from(row: Row) -> Self {
        Self {
            key: row.key,
            calls: row.calls,
            failed: row.failed,
            unknown: row.unknown,
            usage: Usage {
                input_tokens: row.input_tokens,
                output_tokens: row.output_tokens,
                cache_read_tokens: row.cache_read_tokens,
                cache_write_tokens: row.cache_write_tokens,
                cache_write_1h_tokens: row.cache_write_1h_tokens,
                cost: NanoUsd(row.cost),
            },
            unknown_cost: NanoUsd(row.assumed),
        }
    }
}

impl Store {
    /// Sums of the days from `from` to `to`, both included, by key, after `after`, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn usage(
        &self,
        by: GroupBy,
        from: NaiveDate,
        to: NaiveDate,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<UsageSum>> {
        let after = after.unwrap_or_default();
        let rows = match by {
            GroupBy::Day | GroupBy::Model | GroupBy::Agent | GroupBy::Session => {
                self.usage_of_days(by, from, to, after, limit).await?
            }
            GroupBy::Task | GroupBy::Run => self.usage_of_calls(by, from, to, after, limit).await?,
        };
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// The sum of all calls of these days.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn usage_total(&self, from: NaiveDate, to: NaiveDate) -> Result<UsageSum> {
        let row = sqlx::query_as!(
            Row,
            r#"SELECT '' AS "key!", coalesce(sum(calls), 0)::bigint AS "calls!",
                      coalesce(sum(failed), 0)::bigint AS "failed!", coalesce(sum(unknown), 0)::bigint AS "unknown!",
                      coalesce(sum(input_tokens), 0)::bigint AS "input_tokens!",
                      coalesce(sum(output_tokens), 0)::bigint AS "output_tokens!",
                      coalesce(sum(cache_read_tokens), 0)::bigint AS "cache_read_tokens!",
                      coalesce(sum(cache_write_tokens), 0)::bigint AS "cache_write_tokens!",
                      coalesce(sum(cache_write_1h_tokens), 0)::bigint AS "cache_write_1h_tokens!",
                      coalesce(sum(cost_nano_usd), 0)::bigint AS "cost!",
                      coalesce(sum(unknown_nano_usd), 0)::bigint AS "assumed!"
               FROM usage_days WHERE day BETWEEN $1 AND $2"#,
            from,
            to,
        );
        Ok(row.fetch_one(&self.pool).await?.into())
    }

    async fn usage_of_days(
        &self,
        by: GroupBy,
        from: NaiveDate,
        to: NaiveDate,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Row>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT key AS "key!", sum(calls)::bigint AS "calls!", sum(failed)::bigint AS "failed!",
                      sum(unknown)::bigint AS "unknown!", sum(input_tokens)::bigint AS "input_tokens!",
                      sum(output_tokens)::bigint AS "output_tokens!",
                      sum(cache_read_tokens)::bigint AS "cache_read_tokens!",
                      sum(cache_write_tokens)::bigint AS "cache_write_tokens!",
                      sum(cache_write_1h_tokens)::bigint AS "cache_write_1h_tokens!",
                      sum(cost_nano_usd)::bigint AS "cost!", sum(unknown_nano_usd)::bigint AS "assumed!"
               FROM (SELECT u.*, (CASE $1 WHEN 'day' THEN to_char(u.day, 'YYYY-MM-DD') WHEN 'model' THEN u.model
                                          WHEN 'agent' THEN u.agent_id::text ELSE u.session_id::text END) COLLATE "C" AS key
                     FROM usage_days u WHERE u.day BETWEEN $2 AND $3) AS named
               WHERE key > $4 COLLATE "C" GROUP BY key ORDER BY key LIMIT $5"#,
            by.as_str(),
            from,
            to,
            after,
            limit,
        );
        Ok(rows.fetch_all(&self.pool).await?)
    }

    async fn usage_of_calls(
        &self,
        by: GroupBy,
        from: NaiveDate,
        to: NaiveDate,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Row>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT key AS "key!", count(*) AS "calls!", count(*) FILTER (WHERE state = 'failed') AS "failed!",
                      count(*) FILTER (WHERE state = 'unknown') AS "unknown!",
                      sum(input_tokens)::bigint AS "input_tokens!", sum(output_tokens)::bigint AS "output_tokens!",
                      sum(cache_read_tokens)::bigint AS "cache_read_tokens!",
                      sum(cache_write_tokens)::bigint AS "cache_write_tokens!",
                      sum(cache_write_1h_tokens)::bigint AS "cache_write_1h_tokens!",
                      sum(cost_nano_usd)::bigint AS "cost!",
                      sum(CASE WHEN state = 'unknown' THEN reserved_nano_usd ELSE 0 END)::bigint AS "assumed!"
               FROM (SELECT c.*, (CASE $1 WHEN 'task' THEN c.task_id::text
                                          ELSE c.task_id || '/' || lpad(c.epoch::text, 6, '0') END) COLLATE "C" AS key
                     FROM (SELECT task_id, epoch, state, input_tokens, output_tokens, cache_read_tokens,
                                  cache_write_tokens, cache_write_1h_tokens, cost_nano_usd, reserved_nano_usd, finished_at
                           FROM llm_calls
                           UNION ALL
                           -- Those of no run stand under 0.
                           SELECT task_id, 0, state, input_tokens, output_tokens, cache_read_tokens,
                                  cache_write_tokens, cache_write_1h_tokens, cost_nano_usd, reserved_nano_usd, finished_at
                           FROM batch_calls WHERE task_id IS NOT NULL) AS c
                     WHERE c.state <> 'intent' AND (c.finished_at AT TIME ZONE 'UTC')::date BETWEEN $2 AND $3
                       -- A key begins with its task, so what comes after the cursor is of that task or a later one.
                       AND c.task_id >= coalesce(nullif(left($4, 36), ''), '00000000-0000-0000-0000-000000000000')::uuid)
                     AS named
               WHERE key > $4 COLLATE "C" GROUP BY key ORDER BY key LIMIT $5"#,
            by.as_str(),
            from,
            to,
            after,
            limit,
        );
        Ok(rows.fetch_all(&self.pool).await?)
    }
}
