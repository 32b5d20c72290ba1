//! `POST /api/v1/routing-rules`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{
        StatusCode,
        header::{ETAG, LOCATION},
    },
    response::IntoResponse,
};
use hive_domain::{CallKind, Effort, RoutingRule, routing::ANY};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{ACTOR, App},
    body::Body,
    error::Result,
    etag,
    faults::Faults,
    known_models::KnownModels,
    views::{RoutingView, call_kind, effort},
};

const MAX_RULES: usize = 200;
const MAX_ROLE: usize = 100;
const MAX_MODEL: usize = 100;
const MAX_FALLBACK: usize = 8;
const MAX_NOTE: usize = 1_000;

/// A version of the routing rules to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRouting {
    /// At most 200, one for each role and kind of step. One that names the role goes before one that names the step, and
    /// both before `*`.
    #[serde(deserialize_with = "crate::body::object::each")]
    rules: Vec<NewRule>,
    /// Why, for a person.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: String,
}

/// For this role and kind of step, ask this model.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRoutingRule)]
struct NewRule {
    /// The type of the agent, or `*`.
    #[schema(min_length = 1, max_length = 100)]
    role: String,
    /// What is asked for, or `*`.
    #[schema(schema_with = call_kind)]
    step: String,
    /// A class or a model id.
    #[schema(min_length = 1, max_length = 100)]
    model: String,
    /// How hard it tries; its own default unless given.
    #[schema(schema_with = effort)]
    effort: Option<Effort>,
    /// Tokens that a reply may have; the worker's setting unless given.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    /// Classes or ids that may be asked in this order when it does not answer, at most 8.
    #[serde(default)]
    fallback: Vec<String>,
}

/// Adds a version of the routing rules. It is not active before `…/activate`.
#[utoipa::path(
    post,
    path = "/api/v1/routing-rules",
    operation_id = "create_routing_rules",
    tag = "models",
    request_body = NewRouting,
    responses((status = 201, body = RoutingView, description = "Added.",
               headers(("Location" = String), ("ETag" = String))))
)]
pub async fn handle(State(app): State<Arc<App>>, Body(new): Body<NewRouting>) -> Result<impl IntoResponse> {
    let rules: Vec<RoutingRule> = new.rules.into_iter().map(Into::into).collect();
    let mut faults = Faults::default();
    faults.demand(new.note.chars().count() <= MAX_NOTE, "/note", "must have at most 1000 characters");
    check(&rules, &KnownModels::read(&app.store).await?, &mut faults);
    faults.finish()?;
    let routing = app.store.add_routing(&rules, &new.note, ACTOR).await?;
    let location = [(LOCATION, format!("/api/v1/routing-rules/{}", routing.version))];
    Ok((StatusCode::CREATED, location, [(ETAG, etag::of(routing.version))], Json(RoutingView::from(routing))))
}

impl From<NewRule> for RoutingRule {
    fn from(new: NewRule) -> Self {
        let NewRule { role, step, model, effort, max_tokens, fallback } = new;
        Self { role, step, model, effort, max_tokens, fallback }
    }
}

/// Notes what of the rules cannot be accepted.
pub fn check(rules: &[RoutingRule], known: &KnownModels, faults: &mut Faults) {
    faults.demand_count(rules.len(), MAX_RULES, "/rules");
    for (index, rule) in rules.iter().enumerate().take(MAX_RULES) {
        let at = |field: &str| format!("/rules/{index}/{field}");
        faults.demand_text(&rule.role, MAX_ROLE, at("role"));
        if rule.step != ANY && rule.step.parse::<CallKind>().is_err() {
            let names: Vec<&str> = CallKind::ALL.iter().map(|kind| kind.as_str()).collect();
            faults.refuse(at("step"), format!("is none of {} and {ANY}", names.join(", ")));
        }
        if rules[..index].iter().any(|other| (&other.role, &other.step) == (&rule.role, &rule.step)) {
            let detail = format!("a rule for {} × {} stands before this one", rule.role, rule.step);
            faults.refuse(format!("/rules/{index}"), detail);
        }
        check_model(&rule.model, at("model"), known, faults);
        check_manner(rule, &at, known, faults);
        faults.demand_count(rule.fallback.len(), MAX_FALLBACK, &at("fallback"));
        for (place, name) in rule.fallback.iter().enumerate().take(MAX_FALLBACK) {
            let pointer = at(&format!("fallback/{place}"));
            if *name == rule.model || rule.fallback[..place].contains(name) {
                faults.refuse(pointer, "is named before in this rule");
            } else {
                check_model(name, pointer, known, faults);
            }
        }
    }
}

fn check_model(name: &str, pointer: String, known: &KnownModels, faults: &mut Faults) {
    let before = faults.count();
    faults.demand_text(name, MAX_MODEL, &pointer);
    if faults.count() == before {
        known.check(name, pointer, faults);
    }
}

/// What a model cannot do is told here rather than by each call.
fn check_manner(rule: &RoutingRule, at: &impl Fn(&str) -> String, known: &KnownModels, faults: &mut Faults) {
    faults.demand(rule.max_tokens != Some(0), &at("max_tokens"), "must be at least 1");
    let Some(facts) = known.facts(&rule.model) else { return };
    if let Some(effort) = rule.effort
        && !facts.effort.contains(&effort)
    {
        faults.refuse(at("effort"), format!("{} does not take the effort {effort}", facts.id));
    }
    if let (Some(wanted), Some(most)) = (rule.max_tokens, facts.max_output_tokens)
        && u64::from(wanted) > most
    {
        faults.refuse(at("max_tokens"), format!("{} has {most} tokens at most", facts.id));
    }
}
