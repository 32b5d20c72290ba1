//! What is known of a model from the service that serves it, and where models are named.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::status::{UnknownName, names};

names! {
    /// Where a model stands in its life, in the service's words.
    Lifecycle, "lifecycle" {
        /// In use.
        Active = "active",
        /// Answers still; its end is announced.
        Deprecated = "deprecated",
        /// Does not answer any more.
        Retired = "retired",
    }
}

names! {
    /// How hard a model tries.
    Effort, "effort" {
        /// As little as it can.
        Low = "low",
        /// Less than usual.
        Medium = "medium",
        /// The usual.
        High = "high",
        /// More than usual.
        Xhigh = "xhigh",
        /// As much as it can.
        Max = "max",
    }
}

names! {
    /// Who names a model.
    ModelUser, "user of a model" {
        /// A class of the configuration.
        Class = "class",
        /// The current version of an agent that takes tasks.
        Agent = "agent",
        /// A rule of the active version.
        Rule = "rule",
        /// A fallback of such a rule.
        Fallback = "fallback",
        /// The task of a schedule that is enabled.
        Schedule = "schedule",
    }
}

/// A model as the service described it when it was last asked; `None` where it did not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportedModel {
    /// Its id.
    pub id: String,
    /// The name for people.
    pub display_name: Option<String>,
    /// The family, such as `opus`.
    pub line: Option<String>,
    /// Where it stands.
    pub lifecycle: Option<Lifecycle>,
    /// When it was deprecated.
    pub deprecated_at: Option<DateTime<Utc>>,
    /// When it ends, or ended.
    pub retires_at: Option<DateTime<Utc>>,
    /// The largest prompt, in tokens.
    pub max_input_tokens: Option<i64>,
    /// The largest `max_tokens`.
    pub max_output_tokens: Option<i64>,
    /// The tree of capabilities; each leaf is `{"supported": bool}`.
    pub capabilities: Option<serde_json::Value>,
    /// When the service last listed it; the epoch in what was not stored yet.
    pub refreshed_at: DateTime<Utc>,
    /// When a list of the service was first without it.
    pub vanished_at: Option<DateTime<Utc>>,
}

/// One place where a model is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelUse {
    /// What kind of place.
    pub user: ModelUser,
    /// Which one, for a person.
    pub name: String,
    /// The class or id that stands there.
    pub model: String,
}
