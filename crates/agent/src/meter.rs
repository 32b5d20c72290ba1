//! What is counted of model calls, steps, tools and commands. Labels are of closed sets: a model is counted only when
//! its price is known, and a name that somebody else may choose becomes `other`.

use std::time::Duration;

use hive_claude::{CacheMiss, Error, ErrorKind};
use hive_domain::{NanoUsd, ToolName, journal::Compacted};
use hive_sandbox::{Limit, Output};
use hive_store::ProviderState;
use hive_telemetry::metrics::Description;

use crate::tools::ToolError;

/// Everything that this crate counts.
pub const METRICS: [Description; 23] = [
    Description::counter(
        "hive_llm_calls_total",
        "Calls to the model by how they ended: ok, cut by us, or a class of error",
    ),
    Description::histogram(
        "hive_llm_call_seconds",
        "How long calls to the model took that brought a reply or an error",
    ),
    Description::counter("hive_llm_tokens_total", "Tokens charged, by model and kind"),
    Description::counter("hive_llm_cost_nano_usd_total", "Money charged, in billionths of a US dollar"),
    Description::counter(
        "hive_llm_unheard_total",
        "Calls to the model that broke off before their charge was heard: what they cost at most counts as spent",
    ),
    Description::counter(
        "hive_llm_repeats_total",
        "Calls to the model that repeat one that failed, by model",
    ),
    Description::counter(
        "hive_llm_fallbacks_total",
        "Replies of a model that stood in for the one that was wished for, by both",
    ),
    Description::counter(
        "hive_llm_turned_away_total",
        "Calls that were not made and whose task waits, by model and cause",
    ),
    Description::counter("hive_breaker_changes_total", "Times that a model's breaker opened or closed"),
    Description::gauge("hive_breaker_open", "1 while the breaker of a model is open, for the whole fleet"),
    Description::counter("hive_key_stops_total", "Times that the provider's key was stopped, by reason"),
    Description::gauge("hive_key_stopped", "1 while no worker calls with this worker's key"),
    Description::histogram(
        "hive_llm_cache_read_percent",
        "Share of each call's input that was read from the prompt cache, in percent",
    ),
    Description::counter(
        "hive_llm_cache_misses_total",
        "Calls whose prompt cache was missed, by the reason that the provider gave",
    ),
    Description::counter(
        "hive_llm_cache_missed_tokens_total",
        "Tokens that such calls did not read from the prompt cache",
    ),
    Description::counter(
        "hive_segments_total",
        "Segments of conversations that were begun, by trigger and source of the summary",
    ),
    Description::counter(
        "hive_recorded_calls_total",
        "Calls to the model that were to be recorded, by whether they could be written",
    ),
    Description::counter("hive_steps_total", "Steps written to journals, by kind"),
    Description::histogram("hive_step_seconds", "How long a step took from the one before it, by kind"),
    Description::histogram("hive_tool_seconds", "How long tools took, by tool and whether they failed"),
    Description::histogram(
        "hive_recall_seconds",
        "How long runs searched memory, by route (the call recall, or briefing when they began) and status",
    ),
    Description::counter(
        "hive_sandbox_commands_total",
        "Commands that ran in the sandbox, by how they ended",
    ),
    Description::counter(
        "hive_sandbox_kills_total",
        "Commands that the sandbox ended, by the limit that was reached",
    ),
];

/// The reasons for a miss that the provider names.
const MISSES: [&str; 6] = [
    "model_changed",
    "system_changed",
    "tools_changed",
    "messages_changed",
    "previous_message_not_found",
    "unavailable",
];

/// How a call ended, as a label.
pub(crate) enum Ended<'a> {
    Ok,
    /// We gave it up: the lease was lost, the worker stopped or the task's time was over.
    Cut,
    Failed(&'a Error),
}

pub(crate) fn call(model: &str, ended: &Ended<'_>, took: Duration) {
    let outcome = match ended {
        Ended::Ok => "ok",
        Ended::Cut => "given_up",
        Ended::Failed(error) => class(error),
    };
    metrics::counter!("hive_llm_calls_total", "model" => model.to_owned(), "outcome" => outcome).increment(1);
    if !matches!(ended, Ended::Cut) {
        metrics::histogram!("hive_llm_call_seconds", "model" => model.to_owned()).record(took.as_secs_f64());
    }
}

/// How the prompt cache met a call.
pub(crate) fn cached(model: &str, usage: &hive_claude::Usage, miss: Option<&CacheMiss>) {
    let prompt = usage.prompt_tokens();
    if prompt > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a share of a few million tokens")]
        let percent = usage.cache_read_input_tokens as f64 * 100.0 / prompt as f64;
        metrics::histogram!("hive_llm_cache_read_percent", "model" => model.to_owned()).record(percent);
    }
    if let Some(miss) = miss {
        let reason = MISSES.into_iter().find(|known| *known == miss.reason).unwrap_or("other");
        metrics::counter!("hive_llm_cache_misses_total", "model" => model.to_owned(), "reason" => reason)
            .increment(1);
        metrics::counter!("hive_llm_cache_missed_tokens_total", "model" => model.to_owned(), "reason" => reason)
            .increment(miss.cache_missed_input_tokens.unwrap_or(0));
    }
}

pub(crate) fn segment(compacted: &Compacted) {
    let summary = match (&compacted.summary, &compacted.block) {
        (Some(_), _) => "model",
        (None, Some(_)) => "provider",
        (None, None) => "none",
    };
    metrics::counter!("hive_segments_total", "trigger" => compacted.trigger.as_str(), "summary" => summary)
        .increment(1);
}

pub(crate) fn recorded(is_written: bool) {
    let outcome = if is_written { "ok" } else { "failed" };
    metrics::counter!("hive_recorded_calls_total", "outcome" => outcome).increment(1);
}

/// What was charged, whether a reply came or not.
pub(crate) fn charged(model: &str, usage: &hive_domain::Usage) {
    for (kind, tokens) in [
        ("input", usage.input_tokens),
        ("output", usage.output_tokens),
        ("cache_read", usage.cache_read_tokens),
        ("cache_write", usage.cache_write_tokens),
    ] {
        metrics::counter!("hive_llm_tokens_total", "model" => model.to_owned(), "kind" => kind)
            .increment(u64::try_from(tokens).unwrap_or(0));
    }
    let NanoUsd(cost) = usage.cost;
    metrics::counter!("hive_llm_cost_nano_usd_total", "model" => model.to_owned())
        .increment(u64::try_from(cost).unwrap_or(0));
}

/// A call of which nobody knows what it was charged.
pub(crate) fn unknown() {
    metrics::counter!("hive_llm_unheard_total").increment(1);
}

pub(crate) fn repeat(model: &str) {
    metrics::counter!("hive_llm_repeats_total", "model" => model.to_owned()).increment(1);
}

pub(crate) fn fallback(wished: &str, answered: &str) {
    metrics::counter!("hive_llm_fallbacks_total", "wished" => wished.to_owned(), "model" => answered.to_owned())
        .increment(1);
}

pub(crate) fn turned_away(model: &str, cause: &'static str) {
    metrics::counter!("hive_llm_turned_away_total", "model" => model.to_owned(), "cause" => cause)
        .increment(1);
}

pub(crate) fn breaker(model: &str, to: &'static str) {
    metrics::counter!("hive_breaker_changes_total", "model" => model.to_owned(), "to" => to).increment(1);
}

pub(crate) fn key_stopped(reason: &'static str) {
    metrics::counter!("hive_key_stops_total", "reason" => reason).increment(1);
}

/// What this worker has read of its key.
pub(crate) fn provider(state: &ProviderState) {
    metrics::gauge!("hive_key_stopped").set(if state.stopped.is_empty() { 0.0 } else { 1.0 });
    for model in &state.models {
        metrics::gauge!("hive_breaker_open", "model" => model.model.clone()).set(if model.open.is_some() {
            1.0
        } else {
            0.0
        });
    }
}

pub(crate) fn step(kind: &'static str, took: Duration) {
    metrics::counter!("hive_steps_total", "kind" => kind).increment(1);
    metrics::histogram!("hive_step_seconds", "kind" => kind).record(took.as_secs_f64());
}

/// A tool that agents have, or `other`: the model may invent names.
pub(crate) fn tool(name: &str, outcome: &Result<String, ToolError>, took: Duration) {
    let tool = name.parse::<ToolName>().map_or("other", ToolName::as_str);
    let outcome = match outcome {
        Ok(_) => "ok",
        Err(ToolError::Tell(_)) => "error",
        Err(ToolError::Abort(_)) => "aborted",
    };
    metrics::histogram!("hive_tool_seconds", "tool" => tool, "outcome" => outcome).record(took.as_secs_f64());
}

/// What a run searched memory for.
#[derive(Clone, Copy)]
pub(crate) enum Route {
    /// A call of the tool.
    Recall,
    /// The run began.
    Briefing,
}

/// A search of memory, labelled as the api labels those of its callers.
pub(crate) fn recalled(route: Route, found: bool, took: Duration) {
    let route = match route {
        Route::Recall => "recall",
        Route::Briefing => "briefing",
    };
    let status = if found { "ok" } else { "failed" };
    metrics::histogram!("hive_recall_seconds", "route" => route, "status" => status)
        .record(took.as_secs_f64());
}

pub(crate) fn command(output: &Output) {
    let ended = match output.ended_by {
        Some(_) => "killed",
        None if output.success() => "ok",
        None => "failed",
    };
    metrics::counter!("hive_sandbox_commands_total", "outcome" => ended).increment(1);
    if let Some(limit) = output.ended_by {
        metrics::counter!("hive_sandbox_kills_total", "limit" => limit_label(limit)).increment(1);
    }
}

const fn limit_label(limit: Limit) -> &'static str {
    match limit {
        Limit::WallTime => "wall_time",
        Limit::CpuTime => "cpu_time",
        Limit::Memory => "memory",
        Limit::Processes => "processes",
        Limit::FileSize => "file_size",
        Limit::Disk => "disk",
        Limit::Inodes => "inodes",
        Limit::OutputFlood => "output_flood",
        Limit::Cancelled => "cancelled",
    }
}

const fn class(error: &Error) -> &'static str {
    match error {
        Error::Config(_) => "config",
        Error::Request(_) => "request",
        Error::Connect(_) => "connect",
        Error::Late => "late",
        Error::Timeout { .. } => "timeout",
        Error::Idle { .. } => "idle",
        Error::Cut { .. } => "connection_cut",
        Error::Protocol { .. } => "protocol",
        Error::Api(error) => match error.kind {
            ErrorKind::InvalidRequest => "invalid_request",
            ErrorKind::Authentication => "authentication",
            ErrorKind::Billing => "billing",
            ErrorKind::Permission => "permission",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::RequestTooLarge => "request_too_large",
            ErrorKind::RateLimit => "rate_limited",
            ErrorKind::ApiError => "api_error",
            ErrorKind::Timeout => "provider_timeout",
            ErrorKind::Overloaded => "overloaded",
            ErrorKind::Unknown(_) => "other",
        },
    }
}
