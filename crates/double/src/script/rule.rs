//! One rule: its conditions, its answer, and how often it applies.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use super::ScriptError;
use super::form::RuleForm;
use super::mode::Mode;
use super::template::{Captured, Input, Template, UnknownFilter};
use super::when::{When, last_result};
use crate::answer::{Answer, InputEnd, Pace, RefusalForm, Strange};
use crate::conversation::Conversation;
use crate::fault::Fault;
use crate::night;

/// Names that every rule can use without capturing them.
const GIVEN: [&str; 6] = ["turn", "user_id", "model", "first_text", "last_text", "last_result"];
/// Users that `times_per_user` counts at most; beyond them it counts anew.
const MOST_USERS: usize = 100_000;

#[derive(Debug)]
pub(super) struct Rule {
    name: String,
    when: When,
    say: Option<Template>,
    thinking: Option<Template>,
    tools: Vec<(String, Input)>,
    given: Vec<&'static str>,
    stop_reason: Option<String>,
    usage: Map<String, Value>,
    pace: Pace,
    fault: Option<Fault>,
    input_end: InputEnd,
    refusal: RefusalForm,
    strange: Vec<Strange>,
    mode: Option<Mode>,
    times: Option<u64>,
    times_per_user: Option<u64>,
    // Requests that match at the same moment must not share one of the times.
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    in_all: u64,
    by_user: HashMap<String, u64>,
}

impl Rule {
    pub(super) fn compile(index: usize, form: RuleForm) -> Result<Self, ScriptError> {
        let name = form.name.unwrap_or_else(|| format!("rule {}", index + 1));
        let filter = |UnknownFilter(filter)| ScriptError::Filter { rule: name.clone(), filter };
        let say = form.say.as_deref().map(Template::parse).transpose().map_err(filter)?;
        let thinking = form.thinking.as_deref().map(Template::parse).transpose().map_err(filter)?;
        let mut tools = Vec::new();
        for tool in form.tools {
            tools.push((tool.name, Input::parse(tool.input).map_err(filter)?));
        }
        let when = When::compile(&name, form.when)?;
        let captured = when.names();
        let mut used: Vec<&str> = say.iter().chain(&thinking).flat_map(Template::names).collect();
        used.extend(tools.iter().flat_map(|(_, input)| input.names()));
        if let Some(unknown) = used.iter().find(|name| !GIVEN.contains(name) && !captured.contains(name)) {
            return Err(ScriptError::Uncaptured { rule: name.clone(), name: (*unknown).to_owned() });
        }
        let given = GIVEN.into_iter().filter(|name| used.contains(name)).collect();
        let fault = form
            .fault
            .map(Fault::try_from)
            .transpose()
            .map_err(|source| ScriptError::RuleFault { rule: name.clone(), source })?;
        Ok(Self {
            when,
            say,
            thinking,
            tools,
            given,
            stop_reason: form.stop_reason.or_else(|| form.open_tool_call.then(|| "max_tokens".to_owned())),
            usage: form.usage,
            pace: Pace {
                delay_ms: form.delay_ms,
                between_events_ms: form.between_events_ms,
                chunk_bytes: form.chunk_bytes,
            },
            fault,
            input_end: match (form.open_tool_call, form.broken_json) {
                (true, _) => InputEnd::Half,
                (false, true) => InputEnd::LastByte,
                (false, false) => InputEnd::Whole,
            },
            refusal: form.refusal,
            strange: form.strange,
            mode: form.mode,
            times: form.times,
            times_per_user: form.times_per_user,
            used: Mutex::default(),
            name,
        })
    }

    /// The answer, if the rule matches and its times are not used up.
    pub(super) fn answer(&self, conversation: &Conversation<'_>) -> Option<Answer> {
        // What a night asks quotes the titles and words of tasks, so that patterns meant for tasks would match it.
        if night::asks(conversation) && !self.asks_for_nights() {
            return None;
        }
        let mut captured = Captured::new();
        if !self.when.holds(conversation, &mut captured) || !self.take(conversation.user_id()) {
            return None;
        }
        for name in &self.given {
            captured.entry((*name).to_owned()).or_insert_with(|| given(conversation, name));
        }
        let answer = Answer {
            rule: self.name.clone(),
            thinking: self.thinking.as_ref().map(|thinking| thinking.fill(&captured)),
            say: self.say.as_ref().map(|say| say.fill(&captured)),
            tools: self.tools.iter().map(|(name, input)| (name.clone(), input.fill(&captured))).collect(),
            stop_reason: self.stop_reason.clone(),
            usage: self.usage.clone(),
            pace: self.pace,
            fault: self.fault.clone(),
            input_end: self.input_end,
            refusal: self.refusal.clone(),
            strange: self.strange.clone(),
        };
        Some(match self.mode {
            Some(mode) => mode.play(answer, conversation),
            None => answer,
        })
    }

    fn asks_for_nights(&self) -> bool {
        self.when.asks_for_nights() || self.mode.is_some_and(Mode::consolidates)
    }

    fn take(&self, user_id: Option<&str>) -> bool {
        if self.times.is_none() && self.times_per_user.is_none() {
            return true;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let user = user_id.unwrap_or_default();
        let by_user = used.by_user.get(user).copied().unwrap_or_default();
        let left = |bound: Option<u64>, used: u64| bound.is_none_or(|bound| used < bound);
        if !left(self.times, used.in_all) || !left(self.times_per_user, by_user) {
            return false;
        }
        used.in_all += 1;
        if self.times_per_user.is_some() {
            if used.by_user.len() >= MOST_USERS {
                used.by_user.clear();
            }
            used.by_user.insert(user.to_owned(), by_user + 1);
        }
        true
    }
}

fn given(conversation: &Conversation<'_>, name: &str) -> String {
    match name {
        "turn" => conversation.turn().to_string(),
        "user_id" => conversation.user_id().unwrap_or_default().to_owned(),
        "model" => conversation.model().to_owned(),
        "first_text" => conversation.first_text(),
        "last_text" => conversation.last_text(),
        _ => last_result(conversation, None),
    }
}
