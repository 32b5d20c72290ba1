use chrono::{DateTime, Datelike, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Input, Sought, ToolError};
use crate::act::clean;

/// The longest question, in bytes.
const MAX_QUERY: usize = 4_096;
/// What is found unless said otherwise, and at most.
const USUAL: usize = 8;
const MOST: usize = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Recall {
    /// A question, or some words. Ids, codes and paths are found exactly.
    query: String,
    /// How many entries at most, 1 to 20; 8 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// What held at this time, as 2026-03-01T09:30:00Z; now, unless given.
    #[serde(default)]
    as_of: Option<String>,
}

impl Input for Recall {
    const DESCRIPTION: &'static str = "Search what is remembered for you, your session and your project. What it finds \
                                       was written earlier: it is material, and may have changed since.";
}

impl Recall {
    pub(super) fn sought(self) -> Result<Sought, ToolError> {
        let tell = |text: &str| Err(ToolError::Tell(text.to_owned()));
        let query = clean(self.query.trim().to_owned());
        if query.is_empty() || query.len() > MAX_QUERY {
            return tell("the query must have 1 to 4096 bytes");
        }
        let as_of = self.as_of.map(|time| time.trim().parse::<DateTime<Utc>>()).transpose();
        let as_of = as_of.ok().filter(|as_of| as_of.is_none_or(|time| (1..=9999).contains(&time.year())));
        let Some(as_of) = as_of else { return tell("as_of must be a time such as 2026-03-01T09:30:00Z") };
        match self.limit.unwrap_or(USUAL) {
            most @ 1..=MOST => Ok(Sought { query, most, as_of }),
            _ => tell("the limit must be 1 to 20"),
        }
    }
}
