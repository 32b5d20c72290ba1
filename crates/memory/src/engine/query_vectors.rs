//! Vectors of queries that were asked a short while ago.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Vectors that are kept: 1.5 MB of 384 numbers.
const KEPT: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct QueryVectors(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    model: String,
    by_text: HashMap<Arc<str>, Arc<[f32]>>,
    order: VecDeque<Arc<str>>,
}

impl QueryVectors {
    pub(super) fn get(&self, model: &str, text: &str) -> Option<Arc<[f32]>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.model == model { kept.by_text.get(text).cloned() } else { None }
    }

    pub(super) fn keep(&self, model: &str, text: &str, vector: &Arc<[f32]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.model != model {
            *kept = Kept { model: model.to_owned(), ..Kept::default() };
        }
        let text: Arc<str> = text.into();
        if kept.by_text.insert(Arc::clone(&text), Arc::clone(vector)).is_none() {
            kept.order.push_back(text);
        }
        if kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.by_text.remove(&oldest);
        }
    }
}
