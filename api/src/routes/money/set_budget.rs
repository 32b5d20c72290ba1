//! `PUT /api/v1/budgets`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use hive_domain::{BudgetPeriod, BudgetScope, NanoUsd};
use hive_store::BudgetKey;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    faults::Faults,
};

/// The largest cap, in dollars.
const MAX_CAP_USD: f64 = 1_000_000.0;

/// A cap on money. One that exists is changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBudget {
    /// What it covers.
    #[schema(value_type = String, pattern = "^(org|session|agent|task)$")]
    scope: BudgetScope,
    /// The id of the session, the agent or the task; left out for `org`.
    name: Option<String>,
    /// `total` holds for good, `day` begins anew each day (UTC).
    #[schema(value_type = String, pattern = "^(total|day)$")]
    period: BudgetPeriod,
    /// The most that may be spent and reserved together, in dollars: 0, or at least a billionth.
    #[schema(minimum = 0, maximum = 1_000_000)]
    cap_usd: f64,
}

/// Sets a cap. A new budget begins with what its scope has spent so far; raising one resumes the tasks that wait for it,
/// as many as have room.
#[utoipa::path(
    put,
    path = "/api/v1/budgets",
    operation_id = "set_budget",
    tag = "money",
    request_body = NewBudget,
    responses((status = 204, description = "It holds for every call that begins from now on."))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(new): Body<NewBudget>) -> Result<StatusCode> {
    let mut faults = Faults::default();
    let cap = NanoUsd::from_usd(new.cap_usd).filter(|_| new.cap_usd <= MAX_CAP_USD);
    faults.demand(cap.is_some(), "/cap_usd", "must be 0 to 1000000");
    // As nothing it would stop everything that it covers.
    let vanishes = new.cap_usd > 0.0 && cap == Some(NanoUsd(0));
    faults.demand(!vanishes, "/cap_usd", "must be 0 or at least 0.000000001");
    let target = match target(new.scope, new.name.as_deref()) {
        Ok(target) => target,
        Err(message) => {
            faults.refuse("/name", message);
            Uuid::nil()
        }
    };
    faults.finish()?;
    let key = BudgetKey { scope: new.scope, target, period: new.period };
    app.store.set_budget(key, cap.unwrap_or_default(), ACTOR).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a name stands for: nothing for the organisation, an id for anything else.
pub(super) fn target(scope: BudgetScope, name: Option<&str>) -> Result<Uuid, &'static str> {
    match (scope, name) {
        (BudgetScope::Org, None | Some("")) => Ok(Uuid::nil()),
        (BudgetScope::Org, Some(_)) => Err("the organisation has no name"),
        (_, Some(name)) => match Uuid::parse_str(name) {
            Ok(id) if !id.is_nil() => Ok(id),
            _ => Err("must be an id"),
        },
        (_, None) => Err("must be given: the id of the session, the agent or the task"),
    }
}
