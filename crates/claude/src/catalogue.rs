//! What is known of models: what this build knows, and over it, field by field, what the service says.

mod facts;
mod overlay;
mod rules;
mod seed;
mod standing;
mod uses;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
pub use facts::{ModelFacts, Source};
use hive_domain::ReportedModel;
pub use rules::Unsendable;
pub use seed::CatalogueError;
pub use standing::Standing;
pub use uses::Finding;

/// What is known of models at a moment.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// The day on which the facts of this build were looked up, as `YYYY-MM-DD`.
    pub as_of: String,
    now: DateTime<Utc>,
    models: BTreeMap<String, ModelFacts>,
}

impl Catalogue {
    /// What this build knows, under what the service said. `now` decides which ends have come; it is the database's
    /// clock, where there is one.
    #[must_use]
    pub fn new(reported: &[ReportedModel], now: DateTime<Utc>) -> Self {
        let seed = seed::embedded();
        let mut models = seed.models.clone();
        for report in reported {
            let facts = models.entry(report.id.clone()).or_insert_with(|| ModelFacts::unknown(&report.id));
            overlay::lay_over(facts, report);
        }
        // The service lists a model under one name; what it says holds under the others.
        for (id, alias) in &seed.aliases {
            if let (Some(of), false) = (models.get(alias).cloned(), reported.iter().any(|r| r.id == *id)) {
                models.insert(id.clone(), ModelFacts { id: id.clone(), ..of });
            }
        }
        Self { as_of: seed.as_of.clone(), now, models }
    }

    /// What is known of a model; `None` when neither this build nor the service knows it.
    #[must_use]
    pub fn model(&self, id: &str) -> Option<&ModelFacts> {
        self.models.get(id)
    }

    /// All models, by id.
    pub fn models(&self) -> impl Iterator<Item = &ModelFacts> {
        self.models.values()
    }

    /// Whether a model may be named for calls to come.
    #[must_use]
    pub fn standing(&self, id: &str) -> Standing {
        Standing::of(self.model(id), id, self.now)
    }
}

/// The name under which the service counts the calls of a model toward its limits: a dated id shares those of the id
/// without its day.
#[must_use]
pub fn limit_name(id: &str) -> &str {
    seed::embedded().aliases.get(id).map_or(id, String::as_str)
}

#[cfg(test)]
mod tests;
