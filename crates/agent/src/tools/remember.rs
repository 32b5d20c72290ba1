use hive_domain::{ContextId, MemoryScope};
use hive_memory::assemble::without_recalled;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Input, Note, ToolError};
use crate::act::clean;

/// The longest thing that is remembered at once, in bytes. What is longer belongs into a file.
const MAX_TEXT: usize = 4_000;
const MAX_TITLE: usize = 255;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Remember {
    /// What is to be remembered, at most 4000 bytes: one fact in words that are understood without this task. Nothing
    /// secret.
    text: String,
    /// A few words that it is about.
    #[serde(default)]
    title: String,
    /// Who may recall it: agent (you alone, the default), session or project (everybody who works there).
    #[serde(default)]
    scope: Scope,
    /// What it is: fact (the default), decision, lesson or procedure.
    #[serde(default)]
    kind: Kind,
    /// The id of an entry that holds no more: this one takes its place.
    #[serde(default)]
    replaces: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Scope {
    #[default]
    Agent,
    Session,
    Project,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Fact,
    Decision,
    Lesson,
    Procedure,
}

impl Input for Remember {
    const DESCRIPTION: &'static str = "Keep a fact for later tasks: what you found out and would want to know again. It \
                                       is found by its words and by its meaning. Do not store what you recalled.";
}

impl Remember {
    pub(super) fn note(self) -> Result<Note, ToolError> {
        let tell = |text: &str| Err(ToolError::Tell(text.to_owned()));
        if self.text.len() > MAX_TEXT || self.title.chars().count() > MAX_TITLE {
            return tell("the text must have at most 4000 bytes and the title at most 255 characters");
        }
        // A copy of what is remembered already is nothing new.
        let text = clean(without_recalled(&self.text).trim().to_owned());
        if text.is_empty() {
            return tell("there is nothing in it but what was recalled, or nothing at all");
        }
        let replaces = self.replaces.map(|id| id.trim().parse::<ContextId>()).transpose();
        let Ok(replaces) = replaces else { return tell("replaces must be the id of an entry") };
        let scope = match self.scope {
            Scope::Agent => MemoryScope::Agent,
            Scope::Session => MemoryScope::Session,
            Scope::Project => MemoryScope::Project,
        };
        let kind = match self.kind {
            Kind::Fact => "fact",
            Kind::Decision => "decision",
            Kind::Lesson => "lesson",
            Kind::Procedure => "procedure",
        };
        let title = clean(without_recalled(&self.title).trim().to_owned());
        Ok(Note { text, title, scope, kind, replaces })
    }
}
