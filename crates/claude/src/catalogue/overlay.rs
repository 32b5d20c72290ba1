//! What the service says of a model, laid over what was known. What it does not say stays.

use hive_domain::{Effort, ReportedModel};
use serde_json::Value;

use super::facts::{ModelFacts, Source};

/// The values of `thinking.type` that a request can have.
const THINKING: [&str; 4] = ["adaptive", "enabled", "disabled", "between_tools"];

pub(super) fn lay_over(facts: &mut ModelFacts, report: &ReportedModel) {
    let mut said = |field: &'static str, is_said: bool| {
        if is_said {
            facts.sources.insert(field, Source::Service);
        }
        is_said
    };
    if said("display_name", report.display_name.is_some()) {
        facts.display_name.clone_from(&report.display_name);
    }
    if said("line", report.line.is_some()) {
        facts.line.clone_from(&report.line);
    }
    if said("lifecycle", report.lifecycle.is_some())
        && let Some(lifecycle) = report.lifecycle
    {
        facts.lifecycle = lifecycle;
    }
    if said("deprecated_at", report.deprecated_at.is_some()) {
        facts.deprecated_at = report.deprecated_at;
    }
    if said("retires_at", report.retires_at.is_some()) {
        facts.retires_at = report.retires_at;
    }
    let tokens = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    if said("max_input_tokens", report.max_input_tokens.is_some()) {
        facts.max_input_tokens = tokens(report.max_input_tokens);
    }
    if said("max_output_tokens", report.max_output_tokens.is_some()) {
        facts.max_output_tokens = tokens(report.max_output_tokens);
    }
    let leaf = |path: &[&str]| supports(report.capabilities.as_ref(), path);
    let thinking: Vec<_> =
        THINKING.iter().filter_map(|kind| Some((*kind, leaf(&["thinking", "types", kind])?))).collect();
    if said("thinking", !thinking.is_empty()) {
        facts.thinking = taken(&thinking, |kind| (*kind).to_owned());
    }
    let effort: Vec<_> = Effort::ALL
        .iter()
        .filter_map(|effort| Some((*effort, leaf(&["effort", effort.as_str()])?)))
        .collect();
    if said("effort", !effort.is_empty()) {
        facts.effort = taken(&effort, |effort| *effort);
    }
    facts.refreshed_at = Some(report.refreshed_at);
    facts.vanished_at = report.vanished_at;
}

fn taken<T, U>(leaves: &[(T, bool)], to: impl Fn(&T) -> U) -> Vec<U> {
    leaves.iter().filter(|(_, is_supported)| *is_supported).map(|(value, _)| to(value)).collect()
}

fn supports(capabilities: Option<&Value>, path: &[&str]) -> Option<bool> {
    path.iter().try_fold(capabilities?, |node, name| node.get(name))?.get("supported")?.as_bool()
}
