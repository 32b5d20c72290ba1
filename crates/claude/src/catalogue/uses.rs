//! Where models are named that do not stand well.

use std::collections::BTreeMap;

use hive_domain::ModelUse;

use super::{Catalogue, standing::Standing};

/// A place that names a model which does not stand well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The place.
    pub used: ModelUse,
    /// The id that it comes to.
    pub model: String,
    /// How that stands; never good.
    pub standing: Standing,
}

impl Finding {
    /// One sentence for a person.
    #[must_use]
    pub fn sentence(&self) -> String {
        let ModelUse { user, name, .. } = &self.used;
        format!("{user} {name}: {}", self.standing.trouble().unwrap_or("nothing is wrong"))
    }
}

impl Catalogue {
    /// The places among `uses` that name a model which does not stand well, each with why.
    #[must_use]
    pub fn findings(&self, uses: &[ModelUse], classes: &BTreeMap<String, String>) -> Vec<Finding> {
        let look = |used: &ModelUse| {
            let model = classes.get(&used.model).unwrap_or(&used.model);
            let standing = self.standing(model);
            standing.trouble()?;
            Some(Finding { used: used.clone(), model: model.clone(), standing })
        };
        uses.iter().filter_map(look).collect()
    }
}
