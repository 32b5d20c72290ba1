//! Models as they are shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hive_claude::{Finding, ListedPrice, ModelFacts, PriceTable, Standing};
use hive_store::ModelRefresh;
use serde::Serialize;
use utoipa::ToSchema;

/// One model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelView {
    /// Its id.
    id: String,
    /// The name for people.
    display_name: Option<String>,
    /// The family, such as `opus`.
    line: Option<String>,
    /// `active`, `deprecated` or `retired`.
    lifecycle: &'static str,
    /// When it was deprecated.
    deprecated_at: Option<DateTime<Utc>>,
    /// When it ends, or may end.
    retires_at: Option<DateTime<Utc>>,
    /// What to name instead.
    successor: Option<String>,
    /// Whether it may be named: `good`, `ending` (within 30 days, or deprecated), `vanished`, `retired`, `unpriced`,
    /// `unknown`.
    standing: &'static str,
    /// Why it does not stand well.
    trouble: Option<String>,
    /// The largest prompt, in tokens.
    max_input_tokens: Option<u64>,
    /// The most tokens that a reply may have.
    max_output_tokens: Option<u64>,
    /// What requests to it may be like.
    rules: ModelRulesView,
    /// By the size of the prompt; empty for a model without a price, which is never asked.
    prices: Vec<ModelPriceView>,
    /// Who says what: `seed` (this build) or `service`, by the name of the field.
    sources: BTreeMap<&'static str, &'static str>,
    /// When the service last listed it.
    refreshed_at: Option<DateTime<Utc>>,
    /// When a list of the service was first without it.
    vanished_at: Option<DateTime<Utc>>,
}

/// What requests to a model may be like. A request that breaks one of these is not sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelRules)]
pub struct ModelRulesView {
    /// Values of `thinking.type`.
    thinking: Vec<String>,
    /// `disabled` thinking is taken up to this effort; with any when null.
    disabled_up_to: Option<String>,
    /// Values of `output_config.effort`.
    effort: Vec<String>,
    /// It can be made to call a tool.
    forced_tool: bool,
    /// The last message may be the assistant's.
    prefill: bool,
    /// It takes `temperature`, `top_p` and `top_k`; they are never sent.
    sampling: bool,
    /// Messages with the role `system` may stand between turns.
    system_turns: bool,
}

/// Prices in US dollars for a million tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelPrice)]
pub struct ModelPriceView {
    /// They hold for calls whose prompt has more tokens than this.
    above_prompt_tokens: u64,
    /// Neither read from nor written to the prompt cache.
    input_usd: f64,
    /// Of the reply.
    output_usd: f64,
    /// Kept for five minutes.
    cache_write_5m_usd: f64,
    /// Kept for an hour.
    cache_write_1h_usd: f64,
    /// Read from the cache.
    cache_read_usd: f64,
}

impl From<ListedPrice> for ModelPriceView {
    fn from(price: ListedPrice) -> Self {
        // Billionths of a dollar per token are thousandths of a dollar per million of them.
        let usd = |nano: u32| f64::from(nano) / 1e3;
        Self {
            above_prompt_tokens: price.above_prompt_tokens,
            input_usd: usd(price.input),
            output_usd: usd(price.output),
            cache_write_5m_usd: usd(price.cache_write_5m),
            cache_write_1h_usd: usd(price.cache_write_1h),
            cache_read_usd: usd(price.cache_read),
        }
    }
}

impl ModelView {
    /// A model and how it stands.
    pub fn new(facts: &ModelFacts, standing: &Standing) -> Self {
        Self {
            id: facts.id.clone(),
            display_name: facts.display_name.clone(),
            line: facts.line.clone(),
            lifecycle: facts.lifecycle.as_str(),
            deprecated_at: facts.deprecated_at,
            retires_at: facts.retires_at,
            successor: facts.successor.clone(),
            standing: standing.as_str(),
            trouble: standing.trouble().map(str::to_owned),
            max_input_tokens: facts.max_input_tokens,
            max_output_tokens: facts.max_output_tokens,
            rules: ModelRulesView {
                thinking: facts.thinking.clone(),
                disabled_up_to: facts.disabled_up_to.map(|effort| effort.to_string()),
                effort: facts.effort.iter().map(ToString::to_string).collect(),
                forced_tool: facts.forced_tool,
                prefill: facts.prefill,
                sampling: facts.sampling,
                system_turns: facts.system_turns,
            },
            prices: PriceTable::embedded().listed(&facts.id).into_iter().map(Into::into).collect(),
            sources: facts.sources.iter().map(|(field, source)| (*field, source.as_str())).collect(),
            refreshed_at: facts.refreshed_at,
            vanished_at: facts.vanished_at,
        }
    }
}

/// A place that names a model which does not stand well.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelFinding)]
pub struct ModelFindingView {
    /// `class`, `agent`, `rule`, `fallback` or `schedule`.
    user: &'static str,
    /// Which one.
    name: String,
    /// The id that it comes to.
    model: String,
    /// How that stands.
    standing: &'static str,
    /// One sentence for a person.
    detail: String,
}

impl From<Finding> for ModelFindingView {
    fn from(finding: Finding) -> Self {
        Self {
            user: finding.used.user.as_str(),
            detail: finding.sentence(),
            standing: finding.standing.as_str(),
            name: finding.used.name,
            model: finding.model,
        }
    }
}

/// How the list of the service stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelRefresh)]
pub struct ModelRefreshView {
    /// When it was last taken over.
    refreshed_at: Option<DateTime<Utc>>,
    /// By which worker.
    refreshed_by: Option<String>,
    /// When a person last asked for a newer one.
    requested_at: Option<DateTime<Utc>>,
    /// A newer one was asked for and is not there yet.
    pending: bool,
    /// Why the last try failed.
    error: Option<String>,
}

impl From<ModelRefresh> for ModelRefreshView {
    fn from(refresh: ModelRefresh) -> Self {
        let ModelRefresh { requested_at, refreshed_at, refreshed_by, error } = refresh;
        Self { pending: requested_at > refreshed_at, refreshed_at, refreshed_by, requested_at, error }
    }
}
