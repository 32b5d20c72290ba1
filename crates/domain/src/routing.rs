//! Which model answers which call: rules by role and kind of step, and the choice that follows from them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    model::Effort,
    status::{UnknownName, names},
};

/// What stands for every role and every kind of step.
pub const ANY: &str = "*";

names! {
    /// What a model is asked for.
    CallKind, "kind of step" {
        /// The next turn of a task.
        Work = "work",
        /// The next turn after acceptance commands were found red.
        CheckRepair = "check_repair",
        /// The summary of a conversation that grew too long.
        Summary = "summary",
        /// What an agent keeps of what it lived through.
        Consolidation = "consolidation",
        /// An opinion about work.
        Judge = "judge",
        /// Facts out of text.
        Extraction = "extraction",
    }
}

names! {
    /// Why a model was asked.
    RouteReason, "reason of a route" {
        /// The task names it.
        Task = "task",
        /// The agent names it by its id.
        Agent = "agent",
        /// A rule of the run's version names it.
        Rule = "rule",
        /// No rule fits: the agent's class of the configuration.
        Default = "default",
        /// The model that was chosen did not answer.
        Fallback = "fallback",
    }
}

/// One rule: for this role and kind of step, ask this model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingRule {
    /// The type of the agent, or `*`.
    pub role: String,
    /// The name of a [`CallKind`], or `*`.
    pub step: String,
    /// A class of the configuration or a model id.
    pub model: String,
    /// How hard it tries; the model's own default unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// Tokens that one reply may have; the worker's setting unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Classes or ids that are asked in this order when the model does not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
}

/// Where a choice came from, as it is written beside the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Why this model.
    pub reason: RouteReason,
    /// The version of the rules that was looked into.
    pub version: i32,
}

/// The rule for a call: one that names the role goes before one that names the step, and both before `*`.
#[must_use]
pub fn rule_for<'a>(rules: &'a [RoutingRule], role: &str, kind: CallKind) -> Option<&'a RoutingRule> {
    let fits = |pattern: &str, name: &str| pattern == ANY || pattern == name;
    rules
        .iter()
        .filter(|rule| fits(&rule.role, role) && fits(&rule.step, kind.as_str()))
        .max_by_key(|rule| (rule.role != ANY, rule.step != ANY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_rule_wins_wherever_it_stands() {
        let rule = |role: &str, step: &str| RoutingRule {
            role: role.to_owned(),
            step: step.to_owned(),
            model: format!("{role}/{step}"),
            effort: None,
            max_tokens: None,
            fallback: Vec::new(),
        };
        let rules = [rule("*", "*"), rule("qa", "*"), rule("*", "work"), rule("qa", "judge")];
        for (role, kind, expected) in [
            ("qa", CallKind::Judge, "qa/judge"),
            ("qa", CallKind::Work, "qa/*"),
            ("backend", CallKind::Work, "*/work"),
            ("backend", CallKind::Summary, "*/*"),
        ] {
            assert_eq!(rule_for(&rules, role, kind).unwrap().model, expected);
            let turned: Vec<_> = rules.iter().rev().cloned().collect();
            assert_eq!(rule_for(&turned, role, kind).unwrap().model, expected, "in any order");
        }
        assert_eq!(rule_for(&rules[1..2], "backend", CallKind::Work), None);
    }
}
