//! What this build knows: `models.toml`.

use std::{collections::BTreeMap, sync::LazyLock};

use chrono::{NaiveDate, NaiveTime};
use hive_domain::{Effort, Lifecycle};
use serde::Deserialize;

use super::facts::{ModelFacts, Source};

/// A list of models that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the list of models cannot be read; see models.toml for its form")]
pub struct CatalogueError(#[from] toml::de::Error);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    as_of: String,
    model: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    ids: Vec<String>,
    line: String,
    #[serde(default = "active")]
    lifecycle: Lifecycle,
    retires_on: Option<NaiveDate>,
    successor: Option<String>,
    max_input_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    thinking: Vec<String>,
    disabled_up_to: Option<Effort>,
    effort: Vec<Effort>,
    #[serde(default)]
    forced_tool: bool,
    #[serde(default)]
    prefill: bool,
    #[serde(default)]
    sampling: bool,
    #[serde(default)]
    system_turns: bool,
}

const fn active() -> Lifecycle {
    Lifecycle::Active
}

/// The list, and the dated ids that stand for others of it.
pub(super) struct Seed {
    pub(super) as_of: String,
    pub(super) models: BTreeMap<String, ModelFacts>,
    pub(super) aliases: BTreeMap<String, String>,
}

pub(super) fn embedded() -> &'static Seed {
    static SEED: LazyLock<Seed> = LazyLock::new(|| {
        parse(include_str!("../../models.toml"))
            .expect("the embedded list is part of the program and read by its tests")
    });
    &SEED
}

pub(super) fn parse(text: &str) -> Result<Seed, CatalogueError> {
    let file: File = toml::from_str(text)?;
    let mut seed = Seed { as_of: file.as_of, models: BTreeMap::new(), aliases: BTreeMap::new() };
    for entry in file.model {
        for id in &entry.ids {
            // Dated ids are the alias and a day.
            let dated = id.rsplit_once('-').filter(|(alias, day)| {
                day.len() == 8
                    && day.bytes().all(|byte| byte.is_ascii_digit())
                    && entry.ids.iter().any(|id| id == alias)
            });
            if let Some((alias, _)) = dated {
                seed.aliases.insert(id.clone(), alias.to_owned());
            }
            seed.models.insert(id.clone(), entry.facts(id));
        }
    }
    Ok(seed)
}

impl Entry {
    fn facts(&self, id: &str) -> ModelFacts {
        let said =
            ["line", "lifecycle", "thinking", "effort", "forced_tool", "prefill", "sampling", "system_turns"];
        let sometimes = [
            ("retires_at", self.retires_on.is_some()),
            ("successor", self.successor.is_some()),
            ("max_input_tokens", self.max_input_tokens.is_some()),
            ("max_output_tokens", self.max_output_tokens.is_some()),
            ("disabled_up_to", self.disabled_up_to.is_some()),
        ];
        let said = said.into_iter().chain(sometimes.into_iter().filter(|(_, is)| *is).map(|(name, _)| name));
        ModelFacts {
            line: Some(self.line.clone()),
            lifecycle: self.lifecycle,
            retires_at: self.retires_on.map(|day| day.and_time(NaiveTime::MIN).and_utc()),
            successor: self.successor.clone(),
            max_input_tokens: self.max_input_tokens,
            max_output_tokens: self.max_output_tokens,
            thinking: self.thinking.clone(),
            disabled_up_to: self.disabled_up_to,
            effort: self.effort.clone(),
            forced_tool: self.forced_tool,
            prefill: self.prefill,
            sampling: self.sampling,
            system_turns: self.system_turns,
            sources: said.map(|name| (name, Source::Seed)).collect(),
            ..ModelFacts::unknown(id)
        }
    }
}
