//! Which model is asked, and why: the task's word, the agent's, the rules', the configuration's, in this order.

use std::sync::Arc;

use hive_claude::{Catalogue, OutputConfig, Request, Standing};
use hive_domain::{
    CallKind, Effort, Route, RouteReason, RoutingRule, journal::Entry, routing::rule_for, task::Task,
};
use hive_store::{RoutingVersion, Store};

use crate::{model_book::ModelBook, models::Models, run::Activation};

/// The model of a call, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its id.
    pub model: String,
    /// How hard it tries; its own default unless given.
    pub effort: Option<Effort>,
    /// Tokens that the reply may have; the worker's setting unless given.
    pub max_tokens: Option<u32>,
    /// Ids of models that may be asked in this order when it does not answer.
    pub fallback: Vec<String>,
    /// Why it is this one.
    pub route: Route,
}

impl Choice {
    /// The same question to a model that stands in.
    pub(crate) fn stand_in(&self, model: &str) -> Self {
        let route = Route { reason: RouteReason::Fallback, ..self.route };
        Self { model: model.to_owned(), fallback: Vec::new(), route, ..self.clone() }
    }

    /// Tokens that a reply may have, where the worker's setting is `usual`.
    pub(crate) fn room(&self, usual: u32) -> u32 {
        self.max_tokens.unwrap_or(usual)
    }

    /// Asks as the choice says, within what the model can.
    pub(crate) fn apply(&self, request: &mut Request, catalogue: &Catalogue) {
        if let Some(facts) = catalogue.model(&self.model) {
            request.max_tokens = facts.clamp(request.max_tokens);
        }
        if let Some(effort) = self.effort {
            request.output_config.get_or_insert_with(OutputConfig::default).effort = Some(effort.into());
        }
    }
}

/// What of a task and its agent has a say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The class or id that the task names.
    pub(crate) of_task: Option<&'a str>,
    /// The class or id that its agent names.
    pub(crate) of_agent: &'a str,
    /// The type of the agent.
    pub(crate) role: &'a str,
}

/// The rules that a run goes by.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Of the version that the task was pinned to when it began.
    pinned: Arc<RoutingVersion>,
    /// Of the active one, where a rule of the pinned one names a model that does not answer any more.
    instead: Option<Arc<RoutingVersion>>,
}

impl Rules {
    /// Reads the rules of a task.
    pub(crate) async fn read(store: &Store, book: &ModelBook, task: &Task) -> hive_store::Result<Self> {
        let pinned = match task.routing_version {
            Some(version) => book.rules(store, version).await?,
            // Claimed by a build from before there were rules.
            None => Arc::new(store.routing(None).await?),
        };
        let (catalogue, classes) = (book.catalogue(), &book.classes);
        let has_ended = |rule: &RoutingRule| is_retired(&catalogue, classes.resolve(&rule.model));
        let instead = match pinned.rules.iter().any(has_ended) {
            true => Some(Arc::new(store.routing(None).await?)),
            false => None,
        };
        Ok(Self { pinned, instead })
    }

    /// The model for a call of this kind.
    pub(crate) fn choose(
        &self,
        asked: &Asked<'_>,
        kind: CallKind,
        classes: &Models,
        catalogue: &Catalogue,
    ) -> Choice {
        let version = self.pinned.version;
        let plain = |name: &str, reason| Choice {
            model: classes.resolve(name).to_owned(),
            effort: None,
            max_tokens: None,
            fallback: Vec::new(),
            route: Route { reason, version },
        };
        if let Some(model) = asked.of_task {
            return plain(model, RouteReason::Task);
        }
        if !classes.has(asked.of_agent) {
            return plain(asked.of_agent, RouteReason::Agent);
        }
        let ruled = |rules: &RoutingVersion| {
            rule_for(&rules.rules, asked.role, kind).map(|rule| (rule.clone(), rules.version))
        };
        let mut found = ruled(&self.pinned);
        if let (Some((rule, _)), Some(instead)) = (&found, &self.instead)
            && is_retired(catalogue, classes.resolve(&rule.model))
        {
            found = ruled(instead).or(found);
        }
        let Some((rule, version)) = found else { return plain(asked.of_agent, RouteReason::Default) };
        Choice {
            model: classes.resolve(&rule.model).to_owned(),
            effort: rule.effort,
            max_tokens: rule.max_tokens,
            fallback: rule.fallback.iter().map(|name| classes.resolve(name).to_owned()).collect(),
            route: Route { reason: RouteReason::Rule, version },
        }
    }
}

fn is_retired(catalogue: &Catalogue, model: &str) -> bool {
    matches!(catalogue.standing(model), Standing::Retired(_))
}

impl Activation<'_> {
    /// The model for a call of this kind, by the rules that the run is pinned to.
    pub(crate) fn choose(&self, kind: CallKind) -> Choice {
        let book = &self.agent.models;
        let task = &self.lease.leased;
        let asked = Asked {
            of_task: task.model.as_deref(),
            of_agent: &self.definition.model,
            role: task.agent.as_ref().map_or("", |agent| agent.kind.as_str()),
        };
        let mut choice = self.rules.choose(&asked, kind, &book.classes, &book.catalogue());
        // A rule that names stand-ins knows better than the agent.
        if choice.fallback.is_empty() {
            let named = self.definition.fallback_models.iter();
            choice.fallback = named.map(|name| book.classes.resolve(name).to_owned()).collect();
        }
        choice
    }

    /// What the next turn is for: the first one after red checks, and those that follow it, mend.
    pub(crate) fn turn_kind(&self) -> CallKind {
        let last = self.transcript.conversation().rev().find_map(|(_, entry)| match entry {
            Entry::Checks(checks) => Some(checks.passed),
            _ => None,
        });
        match last {
            Some(false) => CallKind::CheckRepair,
            Some(true) | None => CallKind::Work,
        }
    }
}

#[cfg(test)]
mod tests;
