//! The indexes of this process: one for each project that is searched, within a bound of memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hive_domain::ProjectId;
use hive_store::EmbeddingModel;

use super::resident::Resident;

#[derive(Debug)]
pub(super) struct Residents {
    most_bytes: usize,
    by_project: Mutex<HashMap<ProjectId, Arc<Resident>>>,
    clock: AtomicU64,
}

impl Residents {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, by_project: Mutex::default(), clock: AtomicU64::new(0) }
    }

    /// The index of a project, empty when it was not here. One of another model gives way.
    pub(super) fn of(&self, project: ProjectId, model: &EmbeddingModel) -> Arc<Resident> {
        let mut all = self.by_project.lock().unwrap_or_else(PoisonError::into_inner);
        let resident = all.entry(project).or_insert_with(|| Arc::new(Resident::new(project, model.clone())));
        if resident.model != *model {
            *resident = Arc::new(Resident::new(project, model.clone()));
        }
        resident.used.store(self.clock.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        Arc::clone(resident)
    }

    /// Lets those go that were searched longest ago, until the others fit. The latest one stays: what one project may
    /// take is bounded by the number of its entries.
    pub(super) fn trim(&self) {
        let mut all = self.by_project.lock().unwrap_or_else(PoisonError::into_inner);
        while all.len() > 1 && all.values().map(|resident| resident.bytes()).sum::<usize>() > self.most_bytes
        {
            let oldest = all.iter().min_by_key(|(_, resident)| resident.used.load(Ordering::Relaxed));
            let Some(project) = oldest.map(|(project, _)| *project) else { return };
            tracing::info!(project.id = %project, "The index of a project made room for others");
            all.remove(&project);
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Resident>> {
        self.by_project.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn bytes(&self) -> usize {
        self.all().iter().map(|resident| resident.bytes()).sum()
    }
}
