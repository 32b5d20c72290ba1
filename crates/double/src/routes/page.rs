//! Pages of a list, as `limit`, `after_id` and `before_id` choose them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// Entries of one page, unless `limit` says otherwise.
const PAGE: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    limit: Option<usize>,
    after_id: Option<String>,
    before_id: Option<String>,
    /// What the catalogue of models may be narrowed to.
    #[serde(rename = "lifecycle[]")]
    pub(super) lifecycle: Option<String>,
}

impl Page {
    /// The page of these entries, each with its id.
    pub(super) fn of(&self, all: &[(&str, Value)]) -> Result<Value, Refusal> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=1_000).contains(&limit) {
            return Err(Refusal::invalid("limit: Input should be between 1 and 1000"));
        }
        let place = |id: &Option<String>| all.iter().position(|(entry, _)| Some(*entry) == id.as_deref());
        let start = place(&self.after_id).map_or(0, |place| place + 1);
        let end = place(&self.before_id).unwrap_or(all.len()).max(start);
        let shown = &all[start..end.min(start + limit)];
        Ok(json!({
            "data": shown.iter().map(|(_, view)| view).collect::<Vec<_>>(),
            "has_more": start + shown.len() < end,
            "first_id": shown.first().map(|(id, _)| id),
            "last_id": shown.last().map(|(id, _)| id),
        }))
    }
}
