//! `PUT /api/v1/limits`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use hive_store::{LimitKind, Rate};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    body::Body,
    error::{ApiError, Result},
    faults::Faults,
};

const MAX_KEY: usize = 255;

/// The limits of a concurrency key or an agent; what is left out is taken away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTaskLimit {
    /// What they hold for.
    kind: Kind,
    /// The concurrency key, or the agent's id.
    #[schema(max_length = 255)]
    name: String,
    /// Tasks of the key that may run at a time; 1 without a limit. For keys only.
    #[schema(minimum = 1, maximum = 100_000)]
    max_running: Option<i32>,
    /// Tasks that may start in a time.
    #[serde(default, deserialize_with = "crate::body::object::optional")]
    rate: Option<NewRate>,
}

/// What limits hold for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Tasks with one concurrency key, in all projects.
    Key,
    /// Tasks of one agent.
    Agent,
}

impl From<Kind> for LimitKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Key => Self::Key,
            Kind::Agent => Self::Agent,
        }
    }
}

/// A number of starts in a sliding time.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRate {
    /// Starts.
    #[schema(minimum = 1, maximum = 1000)]
    max_starts: i32,
    /// Seconds of the window.
    #[schema(minimum = 1, maximum = 86_400)]
    per_seconds: i32,
}

/// Sets the limits of a concurrency key or an agent. Tasks beyond them wait.
#[utoipa::path(
    put,
    path = "/api/v1/limits",
    operation_id = "set_limit",
    tag = "queue",
    request_body = NewTaskLimit,
    responses((status = 204, description = "They hold."))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(new): Body<NewTaskLimit>) -> Result<StatusCode> {
    let mut faults = Faults::default();
    faults.demand_text(&new.name, MAX_KEY, "/name");
    let of_key = new.max_running.is_none() || new.kind == Kind::Key;
    faults.demand(of_key, "/max_running", "holds for keys only");
    let running = new.max_running.is_none_or(|most| (1..=100_000).contains(&most));
    faults.demand(running, "/max_running", "must be 1 to 100000");
    if let Some(rate) = new.rate {
        faults.demand((1..=1_000).contains(&rate.max_starts), "/rate/max_starts", "must be 1 to 1000");
        faults.demand((1..=86_400).contains(&rate.per_seconds), "/rate/per_seconds", "must be 1 to 86400");
    }
    let agent = match (new.kind, Uuid::parse_str(&new.name)) {
        (Kind::Agent, Ok(id)) => Some(id),
        (Kind::Agent, Err(_)) => {
            faults.refuse("/name", "must be the id of an agent");
            None
        }
        (Kind::Key, _) => None,
    };
    faults.finish()?;
    let mut name = new.name;
    if let Some(id) = agent {
        if let Err(hive_store::Error::NotFound { .. }) = app.store.agent(id.into()).await {
            return Err(ApiError::field("/name", format!("agent {id} does not exist")));
        }
        name = id.to_string();
    }
    let rate = new.rate.map(|rate| Rate { max_starts: rate.max_starts, per_seconds: rate.per_seconds });
    app.store.set_task_limit(new.kind.into(), &name, new.max_running, rate).await?;
    Ok(StatusCode::NO_CONTENT)
}
