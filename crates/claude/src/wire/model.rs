//! One entry of the service's model catalogue.

use chrono::{DateTime, Utc};
use hive_domain::ReportedModel;
use serde::Deserialize;
use serde_json::Value;

/// A model as `GET /v1/models` describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Model {
    /// The id to put into a request.
    pub id: String,
    /// The name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// `active`, `deprecated` or `retired`; missing on servers that do not say.
    #[serde(default)]
    pub lifecycle: Option<String>,
    /// When it was deprecated.
    #[serde(default)]
    pub deprecated_at: Option<DateTime<Utc>>,
    /// When it ends, or ended.
    #[serde(default)]
    pub retires_at: Option<DateTime<Utc>>,
    /// The family, such as `opus`.
    #[serde(default)]
    pub line: Option<String>,
    /// The largest prompt, in tokens.
    #[serde(default)]
    pub max_input_tokens: Option<u64>,
    /// The largest `max_tokens`.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// The tree of capabilities as it came; each leaf is `{"supported": bool}`.
    #[serde(default)]
    pub capabilities: Option<Value>,
}

impl Model {
    /// Whether the model supports what `path` names, for example `["thinking", "types", "disabled"]`.
    /// `None` when the catalogue does not say.
    pub fn supports(&self, path: &[&str]) -> Option<bool> {
        let leaf = path.iter().try_fold(self.capabilities.as_ref()?, |node, name| node.get(name))?;
        leaf.get("supported")?.as_bool()
    }
}

impl From<Model> for ReportedModel {
    fn from(model: Model) -> Self {
        let tokens = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
        Self {
            // A word that this build does not know is one that was not said.
            lifecycle: model.lifecycle.and_then(|lifecycle| lifecycle.parse().ok()),
            id: model.id,
            display_name: model.display_name,
            line: model.line,
            deprecated_at: model.deprecated_at,
            retires_at: model.retires_at,
            max_input_tokens: tokens(model.max_input_tokens),
            max_output_tokens: tokens(model.max_tokens),
            capabilities: model.capabilities,
            refreshed_at: DateTime::UNIX_EPOCH,
            vanished_at: None,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct ModelPage {
    pub data: Vec<Model>,
    #[serde(default)]
    pub has_more: bool,
    #[serde(default)]
    pub last_id: Option<String>,
}
