//! The conditions of a rule, compiled.

use regex::Regex;

use super::ScriptError;
use super::form::{TurnForm, WhenForm};
use super::template::Captured;
use crate::conversation::Conversation;
use crate::night;

/// Conditions, compiled. Cheap ones are looked at first.
#[derive(Debug)]
pub(super) struct When {
    turn: Option<TurnForm>,
    night: Option<bool>,
    tool: Option<String>,
    model: Option<Regex>,
    system: Option<Regex>,
    first_text: Option<Regex>,
    last_text: Option<Regex>,
    last_result: Option<Regex>,
    result_of: Vec<(String, Regex)>,
    request: Option<Regex>,
    not: Option<Box<When>>,
}

impl When {
    pub(super) fn compile(rule: &str, form: WhenForm) -> Result<Self, ScriptError> {
        let pattern = |field: &str, text: &str| {
            Regex::new(text).map_err(|source| ScriptError::Pattern {
                rule: rule.to_owned(),
                field: field.to_owned(),
                source: Box::new(source),
            })
        };
        let optional = |field: &str, text: Option<String>| text.map(|text| pattern(field, &text)).transpose();
        let mut result_of = Vec::new();
        for (tool, text) in form.result_of {
            let compiled = pattern("result_of", &text)?;
            result_of.push((tool, compiled));
        }
        Ok(Self {
            turn: form.turn,
            night: form.night,
            tool: form.tool,
            model: optional("model", form.model)?,
            system: optional("system", form.system)?,
            first_text: optional("first_text", form.first_text)?,
            last_text: optional("last_text", form.last_text)?,
            last_result: optional("last_result", form.last_result)?,
            result_of,
            request: optional("request", form.request)?,
            not: form.not.map(|not| Self::compile(rule, *not).map(Box::new)).transpose()?,
        })
    }

    /// Names of all groups.
    pub(super) fn names(&self) -> Vec<&str> {
        let single =
            [&self.model, &self.system, &self.first_text, &self.last_text, &self.last_result, &self.request];
        let patterns = single.into_iter().flatten().chain(self.result_of.iter().map(|(_, pattern)| pattern));
        patterns.flat_map(|pattern| pattern.capture_names().flatten()).collect()
    }

    /// Whether it names nights as what it is about.
    pub(super) fn asks_for_nights(&self) -> bool {
        self.night == Some(true)
    }

    pub(super) fn holds(&self, conversation: &Conversation<'_>, captured: &mut Captured) -> bool {
        if self.turn.is_some_and(|turn| !turn.holds(conversation.turn())) {
            return false;
        }
        if self.night.is_some_and(|night| night != night::asks(conversation)) {
            return false;
        }
        let mut matches = |pattern: &Option<Regex>, text: &dyn Fn() -> String| {
            pattern.as_ref().is_none_or(|pattern| capture(pattern, &text(), captured))
        };
        if !matches(&self.model, &|| conversation.model().to_owned()) {
            return false;
        }
        if let Some(tool) = &self.tool
            && !conversation.last_results().iter().any(|result| result.tool == tool)
        {
            return false;
        }
        if !matches(&self.last_text, &|| conversation.last_text())
            || !matches(&self.last_result, &|| last_result(conversation, self.tool.as_deref()))
            || !matches(&self.first_text, &|| conversation.first_text())
            || !matches(&self.system, &|| conversation.system())
        {
            return false;
        }
        for (tool, pattern) in &self.result_of {
            let found = conversation.result_of(tool);
            if !found.is_some_and(|text| capture(pattern, &text, captured)) {
                return false;
            }
        }
        if let Some(pattern) = &self.request
            && !capture(pattern, conversation.everything(), captured)
        {
            return false;
        }
        self.not.as_ref().is_none_or(|not| !not.holds(conversation, &mut Captured::new()))
    }
}

/// Whether the pattern matches; its named groups are kept.
fn capture(pattern: &Regex, text: &str, captured: &mut Captured) -> bool {
    let Some(found) = pattern.captures(text) else {
        return false;
    };
    for name in pattern.capture_names().flatten() {
        let value = found.name(name).map_or("", |group| group.as_str());
        captured.insert(name.to_owned(), value.to_owned());
    }
    true
}

/// The tool results in the last message; only those of `tool`, where it is given.
pub(super) fn last_result(conversation: &Conversation<'_>, tool: Option<&str>) -> String {
    let results = conversation.last_results().into_iter();
    let texts: Vec<_> = results
        .filter(|result| tool.is_none_or(|tool| result.tool == tool))
        .map(|result| result.text)
        .collect();
    texts.join("\n")
}
