//! Pages of a list, as `limit`, `after_id` and `before_id` choose them.

use serde_json::{Value, json};

use crate::refusal::Refusal;

/// Entries of one page, unless `limit` says otherwise.
const PAGE: usize = 20;

/// What a query asks for.
#[derive(Debug, Default)]
pub(super) struct Page {
    limit: Option<usize>,
    after_id: Option<String>,
    before_id: Option<String>,
    /// `lifecycle[]`, which may stand there more than once; models alone have one.
    pub(super) lifecycles: Vec<String>,
}

/// A query as pairs, since a name may stand in it more than once.
pub(super) type Pairs = Vec<(String, String)>;

impl Page {
    /// Reads a query that may have these names beside those of every page.
    pub(super) fn read(pairs: Pairs, more: &[&str]) -> Result<Self, Refusal> {
        let mut page = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "limit" => {
                    let number = value.parse().ok().filter(|limit| (1..=1_000).contains(limit));
                    let wrong = || Refusal::invalid("limit: Input should be between 1 and 1000");
                    page.limit = Some(number.ok_or_else(wrong)?);
                }
                "after_id" => page.after_id = Some(value),
                "before_id" => page.before_id = Some(value),
                "lifecycle[]" | "lifecycle" if more.contains(&"lifecycle") => page.lifecycles.push(value),
                _ => return Err(Refusal::invalid(format!("{name}: Extra inputs are not permitted"))),
            }
        }
        Ok(page)
    }

    /// The page of these entries, each with its id.
    pub(super) fn of(&self, all: &[(&str, Value)]) -> Value {
        let limit = self.limit.unwrap_or(PAGE);
        let place = |id: &Option<String>| all.iter().position(|(entry, _)| Some(*entry) == id.as_deref());
        let start = place(&self.after_id).map_or(0, |place| place + 1);
        let end = place(&self.before_id).unwrap_or(all.len()).max(start);
        let shown = &all[start..end.min(start + limit)];
        json!({
            "data": shown.iter().map(|(_, view)| view).collect::<Vec<_>>(),
            "has_more": start + shown.len() < end,
            "first_id": shown.first().map(|(id, _)| id),
            "last_id": shown.last().map(|(id, _)| id),
        })
    }
}
