//! Entries as people write them.

use clap::{ArgGroup, Args};
use serde_json::{Map, Value, json};

#[derive(Args)]
pub(crate) struct Store {
    /// What is to be remembered.
    content: String,
    /// A title, if it has one.
    #[arg(long)]
    title: Option<String>,
    /// What kind of thing it is, such as decision or procedure; a fact unless named.
    #[arg(long)]
    kind: Option<String>,
    /// org, project, session or agent; the narrowest that is named, unless given.
    #[arg(long)]
    scope: Option<String>,
    /// The project; the default project unless given.
    #[arg(long)]
    project: Option<String>,
    /// The session whose it is.
    #[arg(long)]
    session: Option<String>,
    /// The agent whose own it is, by its id or its name.
    #[arg(long)]
    pub(super) agent: Option<String>,
    /// What it is a part of.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// An entry that it was drawn from; may be repeated.
    #[arg(long, value_name = "ID")]
    source: Vec<String>,
    /// How far its source is believed: external, agent or user; user unless named.
    #[arg(long)]
    trust: Option<String>,
    /// Since when it holds; now, unless named.
    #[arg(long, value_name = "TIME")]
    valid_from: Option<String>,
    /// Until when it held, if it does not any more.
    #[arg(long, value_name = "TIME", requires = "valid_from")]
    valid_to: Option<String>,
    /// How much it weighs, 0 to 1; 0.5 unless given.
    #[arg(long)]
    importance: Option<f32>,
    /// Keep it from fading.
    #[arg(long)]
    pinned: bool,
    /// Makes it safe to send again for 48 hours.
    #[arg(long)]
    pub(super) idempotency_key: Option<String>,
}

impl Store {
    pub(super) fn body(&self) -> Value {
        let mut body = named([
            ("title", self.title.as_deref().map(Value::from)),
            ("kind", self.kind.as_deref().map(Value::from)),
            ("scope", self.scope.as_deref().map(Value::from)),
            ("project_id", self.project.as_deref().map(Value::from)),
            ("session_id", self.session.as_deref().map(Value::from)),
            ("agent_id", self.agent.as_deref().map(Value::from)),
            ("parent_id", self.parent.as_deref().map(Value::from)),
            ("trust", self.trust.as_deref().map(Value::from)),
            ("valid_from", self.valid_from.as_deref().map(Value::from)),
            ("valid_to", self.valid_to.as_deref().map(Value::from)),
            ("importance", self.importance.map(Value::from)),
        ]);
        body["content"] = json!(self.content);
        body["sources"] = json!(self.source);
        body["pinned"] = json!(self.pinned);
        body
    }
}

#[derive(Args)]
#[command(group(ArgGroup::new("what").args(["content", "title", "importance"]).required(true).multiple(true)))]
pub(crate) struct Edit {
    /// Its id.
    pub(super) id: String,
    /// What it says from now on.
    #[arg(long)]
    content: Option<String>,
    /// Its title from now on.
    #[arg(long)]
    title: Option<String>,
    /// How much it weighs, 0 to 1.
    #[arg(long)]
    importance: Option<f32>,
    /// Since when the new text holds; now, unless named.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The old text never held: it was wrong, and not overtaken.
    #[arg(long, conflicts_with = "since")]
    correction: bool,
}

impl Edit {
    pub(super) fn body(&self) -> Value {
        named([
            ("content", self.content.as_deref().map(Value::from)),
            ("title", self.title.as_deref().map(Value::from)),
            ("importance", self.importance.map(Value::from)),
            ("since", self.since.as_deref().map(Value::from)),
            ("correction", self.correction.then_some(Value::from(true))),
        ])
    }
}

/// Only what is named: the server knows what holds without it.
fn named<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let named = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(named.collect::<Map<String, Value>>())
}
