//! The money of a night: besides the budgets that cover it, its own bound holds for all tries of its requests. What a try of
//! unknown outcome may have cost counts as spent.

use std::collections::HashMap;

use hive_domain::NanoUsd;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Result;

/// What is said of a request that is not sent since the money of its night is used up.
pub const NIGHT_IS_SPENT: &str = "the money of its sleep cycle is used up";

/// What is left of nights that have such a bound.
pub(super) struct NightMoney {
    /// The night of a request.
    nights: HashMap<Uuid, Uuid>,
    left: HashMap<Uuid, i64>,
}

impl NightMoney {
    /// Of the nights of these requests.
    pub(super) async fn of(connection: &mut PgConnection, requests: &[Uuid]) -> Result<Self> {
        let rows = sqlx::query!(
            r#"SELECT r.request_id, c.id AS cycle,
                      c.budget_nano_usd - (
                          SELECT coalesce(sum(b.cost_nano_usd + CASE WHEN b.state IN ('intent', 'unknown')
                                                                     THEN b.reserved_nano_usd ELSE 0 END), 0)::bigint
                          FROM sleep_requests o JOIN batch_calls b ON b.request_id = o.request_id
                          WHERE o.cycle_id = c.id) AS "left!"
               FROM sleep_requests r JOIN sleep_cycles c ON c.id = r.cycle_id
               WHERE r.request_id = ANY ($1) AND c.budget_nano_usd IS NOT NULL"#,
            requests,
        );
        let rows = rows.fetch_all(connection).await?;
        Ok(Self {
            nights: rows.iter().map(|row| (row.request_id, row.cycle)).collect(),
            left: rows.iter().map(|row| (row.cycle, row.left)).collect(),
        })
    }

    /// Whether a try that may cost this fits into the bound of its night, if it has one.
    pub(super) fn has_room(&self, request: Uuid, worst: NanoUsd) -> bool {
        let left = self.nights.get(&request).and_then(|night| self.left.get(night));
        left.is_none_or(|left| *left >= worst.0)
    }

    /// Notes that it is made.
    pub(super) fn take(&mut self, request: Uuid, worst: NanoUsd) {
        if let Some(left) = self.nights.get(&request).and_then(|night| self.left.get_mut(night)) {
            *left = left.saturating_sub(worst.0);
        }
    }
}
