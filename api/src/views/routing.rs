//! Routing rules as they are shown, and what was chosen for a step.

use chrono::{DateTime, Utc};
use hive_domain::{Effort, RoutingRule};
use hive_store::{RoutingVersion, StepRoute};
use serde::Serialize;
use utoipa::ToSchema;

use super::names;

/// A version of the routing rules. It never changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoutingVersion)]
pub struct RoutingView {
    /// Its number.
    version: i32,
    /// Tasks that begin now are pinned to it.
    active: bool,
    /// The rules; where none fits, the class of the agent decides.
    rules: Vec<RoutingRuleView>,
    /// Why, in the words of whoever made it.
    note: String,
    /// Who made it.
    created_by: String,
    /// When.
    created_at: DateTime<Utc>,
}

/// For this role and kind of step, ask this model. It holds for agents that name a class; one that names a model by its
/// id is answered by that.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoutingRule)]
pub struct RoutingRuleView {
    /// The type of the agent, or `*`.
    role: String,
    /// What is asked for, or `*`.
    #[schema(schema_with = names::call_kind)]
    step: String,
    /// A class or a model id.
    model: String,
    /// How hard it tries; its own default when null.
    #[schema(schema_with = names::effort)]
    effort: Option<Effort>,
    /// Tokens that a reply may have; the worker's setting when null.
    max_tokens: Option<u32>,
    /// Classes or ids that may be asked in this order when it does not answer.
    fallback: Vec<String>,
}

impl From<RoutingRule> for RoutingRuleView {
    fn from(rule: RoutingRule) -> Self {
        let RoutingRule { role, step, model, effort, max_tokens, fallback } = rule;
        Self { role, step, model, effort, max_tokens, fallback }
    }
}

impl From<RoutingVersion> for RoutingView {
    fn from(routing: RoutingVersion) -> Self {
        Self {
            version: routing.version,
            active: routing.active,
            rules: routing.rules.into_iter().map(Into::into).collect(),
            note: routing.note,
            created_by: routing.created_by,
            created_at: routing.created_at,
        }
    }
}

/// The model that answered a step.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StepRoute)]
pub struct StepRouteView {
    /// Its id.
    model: String,
    /// Why it was asked: `task`, `agent`, `rule`, `default` or `fallback`; null in steps from before there were rules.
    reason: Option<&'static str>,
    /// The version of the rules that was looked into.
    routing_version: Option<i32>,
}

impl From<StepRoute> for StepRouteView {
    fn from(route: StepRoute) -> Self {
        let reason = route.reason.map(hive_domain::RouteReason::as_str);
        Self { model: route.model, reason, routing_version: route.version }
    }
}
