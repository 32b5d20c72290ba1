//! Versions of the routing rules, the active one, and what was chosen for the steps of a task.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hive_domain::{RouteReason, RoutingRule, TaskId};

use crate::{
    error::{Error, Result},
    pool::Store,
};

/// A version of the rules. It never changes.
#[derive(Clone, Debug)]
pub struct RoutingVersion {
    /// Its number, from 1 without gaps.
    pub version: i32,
    /// The rules.
    pub rules: Vec<RoutingRule>,
    /// Why, in the words of whoever made it.
    pub note: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Tasks that begin now are pinned to it.
    pub active: bool,
}

/// The model that answered a step, and why it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRoute {
    /// Its id.
    pub model: String,
    /// Why it was asked; `None` in calls from before there were rules.
    pub reason: Option<RouteReason>,
    /// The version of the rules that was looked into.
    pub version: Option<i32>,
}

struct Row {
    version: i32,
    rules: serde_json::Value,
    note: String,
    created_by: String,
    created_at: DateTime<Utc>,
    active: bool,
}

impl TryFrom<Row> for RoutingVersion {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let rules = serde_json::from_value(row.rules);
        Ok(Self {
            rules: rules.map_err(|e| Error::inconsistent("routing_rules", "rules", row.version, e))?,
            version: row.version,
            note: row.note,
            created_by: row.created_by,
            created_at: row.created_at,
            active: row.active,
        })
    }
}

impl Store {
    /// One version of the rules; the active one unless a number is given.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn routing(&self, version: Option<i32>) -> Result<RoutingVersion> {
        let row = sqlx::query_as!(
            Row,
            r#"SELECT r.version, r.rules, r.note, r.created_by, r.created_at, r.version = a.version AS "active!"
               FROM routing_rules r CROSS JOIN active_routing a WHERE r.version = coalesce($1, a.version)"#,
            version,
        );
        let row = row.fetch_optional(&self.pool).await?;
        let missing = || Error::NotFound { what: "version", id: version.unwrap_or(0).to_string() };
        row.ok_or_else(missing)?.try_into()
    }

    /// Versions before `before`, newest first, at most `limit`.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn routings(&self, before: Option<i32>, limit: i64) -> Result<Vec<RoutingVersion>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT r.version, r.rules, r.note, r.created_by, r.created_at, r.version = a.version AS "active!"
               FROM routing_rules r CROSS JOIN active_routing a
               WHERE ($1::integer IS NULL OR r.version < $1) ORDER BY r.version DESC LIMIT $2"#,
            before,
            limit,
        );
        rows.fetch_all(&self.pool).await?.into_iter().map(RoutingVersion::try_from).collect()
    }

    /// Adds a version, which is not active yet.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn add_routing(
        &self,
        rules: &[RoutingRule],
        note: &str,
        actor: &str,
    ) -> Result<RoutingVersion> {
        let rules = serde_json::to_value(rules)
            .map_err(|e| Error::inconsistent("routing_rules", "rules", "new", e))?;
        let row = sqlx::query_as!(
            Row,
            r#"WITH one_at_a_time AS MATERIALIZED (SELECT version FROM active_routing FOR UPDATE)
               INSERT INTO routing_rules (version, rules, note, created_by)
               -- Read anew after the wait for the lock, which a subquery of this statement would not be.
               SELECT next_routing_version(), $1, $2, $3 FROM one_at_a_time
               RETURNING version, rules, note, created_by, created_at, false AS "active!""#,
            rules,
            note,
            actor,
        );
        row.fetch_one(&self.pool).await?.try_into()
    }

    /// Makes a version the one that tasks are pinned to from now on; those that have begun keep theirs. With `expected` only
    /// while that one is active.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] `routing_changed` when another version is active than was expected.
    pub async fn activate_routing(
        &self,
        version: i32,
        expected: Option<i32>,
        actor: &str,
    ) -> Result<RoutingVersion> {
        let wanted = self.routing(Some(version)).await?;
        let activated = sqlx::query!(
            "UPDATE active_routing SET version = $1, activated_by = $3, activated_at = now()
             WHERE $2::integer IS NULL OR version = $2",
            version,
            expected,
            actor,
        );
        if activated.execute(&self.pool).await?.rows_affected() == 1 {
            return Ok(RoutingVersion { active: true, ..wanted });
        }
        let active = self.routing(None).await?.version;
        let expected = expected.unwrap_or(active);
        let message = format!("version {active} is active, and not version {expected}");
        Err(Error::Conflict { code: "routing_changed", message })
    }

    /// The models that answered the steps `first` to `last` of a task, by the number of the step.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn step_routes(&self, task: TaskId, first: i32, last: i32) -> Result<BTreeMap<i32, StepRoute>> {
        let rows = sqlx::query!(
            r#"SELECT seq, model, route::text AS route, routing_version FROM llm_calls
               WHERE task_id = $1 AND seq BETWEEN $2 AND $3 AND state = 'answered'"#,
            task.uuid(),
            first,
            last,
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let route = |seq: i32, model, reason: Option<String>, version| {
            let reason = reason.map(|reason| reason.parse()).transpose();
            let reason =
                reason.map_err(|e| Error::inconsistent("llm_calls", "route", format!("{task}/{seq}"), e))?;
            Ok((seq, StepRoute { model, reason, version }))
        };
        rows.into_iter().map(|row| route(row.seq, row.model, row.route, row.routing_version)).collect()
    }
}
