//! What a worker knows of models: its classes, the catalogue as it was last read, and versions of the routing rules.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use hive_claude::Catalogue;
use hive_store::{RoutingVersion, Store};

use crate::models::Models;

/// Versions of rules kept at most; then all are forgotten and read anew.
const MOST: usize = 100;

/// Classes, catalogue and rules of one process.
#[derive(Debug)]
pub struct ModelBook {
    /// Model ids by class.
    pub classes: Models,
    // Replaced as a whole by whoever refreshes it; a call keeps the one it began with.
    catalogue: RwLock<Arc<Catalogue>>,
    // Protects the map; never held over an await.
    rules: Mutex<HashMap<i32, Arc<RoutingVersion>>>,
}

impl ModelBook {
    /// A book with no rules read yet.
    #[must_use]
    pub fn new(classes: Models, catalogue: Catalogue) -> Self {
        Self { classes, catalogue: RwLock::new(Arc::new(catalogue)), rules: Mutex::default() }
    }

    /// The catalogue as it was last read.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a newer catalogue for all calls that begin from now on.
    pub fn replace(&self, catalogue: Catalogue) {
        *self.catalogue.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalogue);
    }

    /// The rules of a version, which never change, so that they are read once per process.
    pub(crate) async fn rules(&self, store: &Store, version: i32) -> hive_store::Result<Arc<RoutingVersion>> {
        let known = self.with(|rules| rules.get(&version).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let read = Arc::new(store.routing(Some(version)).await?);
        self.with(|rules| {
            if rules.len() >= MOST {
                rules.clear();
            }
            rules.insert(version, Arc::clone(&read));
        });
        Ok(read)
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<i32, Arc<RoutingVersion>>) -> T) -> T {
        look(&mut self.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
