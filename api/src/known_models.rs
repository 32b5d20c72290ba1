//! What may stand where a request names a model.

use std::collections::BTreeMap;

use hive_claude::{Catalogue, ModelFacts};
use hive_store::{ModelRefresh, Store};

use crate::{error::Result, faults::Faults};

/// The classes that every deployment has, also before its first worker has started.
const CLASSES: [&str; 3] = ["work", "hard", "light"];

/// What is known of models at the moment.
pub struct KnownModels {
    /// Models by id.
    pub catalogue: Catalogue,
    /// Model ids by class.
    pub classes: BTreeMap<String, String>,
    /// How the list of the service stands.
    pub refresh: ModelRefresh,
}

impl KnownModels {
    /// Reads it.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn read(store: &Store) -> Result<Self> {
        let known = store.known_models().await?;
        let catalogue = Catalogue::new(&known.reported, known.now);
        Ok(Self { catalogue, classes: known.classes, refresh: known.refresh })
    }

    /// The id that a name comes to, and what is known of it; `None` for a class before its first worker has started.
    pub fn facts(&self, name: &str) -> Option<&ModelFacts> {
        self.catalogue.model(self.classes.get(name).map_or(name, String::as_str))
    }

    /// Notes a name that stands for no model which answers calls to come.
    pub fn check(&self, name: &str, pointer: impl Into<String>, faults: &mut Faults) {
        if CLASSES.contains(&name) || self.classes.contains_key(name) {
            // What a class comes to is the configuration's fault, and is reported there.
            return;
        }
        if let Some(why) = self.catalogue.standing(name).refusal() {
            faults.refuse(pointer, why.to_owned());
        }
    }
}
