//! Definitions of agents that were read already. A version never changes, so that it is read once per process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use hive_domain::{AgentDefinition, AgentId};
use hive_store::Store;

/// Definitions kept at most; then all are forgotten and read anew.
const MOST: usize = 1_000;

/// What was read.
#[derive(Debug, Default)]
pub struct Definitions {
    // Protects the map; never held over an await.
    read: Mutex<HashMap<(AgentId, i32), Arc<AgentDefinition>>>,
}

impl Definitions {
    pub(crate) async fn get(
        &self,
        store: &Store,
        agent: AgentId,
        version: i32,
    ) -> hive_store::Result<Arc<AgentDefinition>> {
        let known = self.with(|read| read.get(&(agent, version)).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let definition = Arc::new(store.agent_definition(agent, version).await?);
        self.with(|read| {
            if read.len() >= MOST {
                read.clear();
            }
            read.insert((agent, version), Arc::clone(&definition));
        });
        Ok(definition)
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<(AgentId, i32), Arc<AgentDefinition>>) -> T) -> T {
        look(&mut self.read.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
