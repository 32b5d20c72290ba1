//! What agents wrote to each other, found by words and by meaning.

use std::collections::HashMap;

use hive_domain::MessageId;
use hive_store::{Search, StoredMessage};

use super::{Memory, Result};
use crate::fuse::{Candidate, Parts, Weights, normalise};

/// Candidates of each of the two ways.
const PROPOSED: i64 = 200;
/// Conversations are short texts whose words are few: neither way is worth more.
const WEIGHTS: Weights =
    Weights { text: 0.5, text_window: 0.0, vector: 0.5, vector_window: 0.0, exact: 0.0, strength: 0.0 };

/// A message that was found, and why.
#[derive(Clone, Debug)]
pub struct MessageHit {
    /// The message.
    pub message: StoredMessage,
    /// How well it fits; comparable within one search only.
    pub score: f32,
    /// What the score is made of, each 0 to 1 within one search: of all lists those of its words and of its meaning.
    pub parts: Parts,
    /// The cosine as it is; none when its meaning was not compared or is not near.
    pub cosine: Option<f32>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct MessagesFound {
    /// Best first.
    pub hits: Vec<MessageHit>,
    /// The model whose vectors were compared; `None` when the search went by words alone.
    pub model: Option<String>,
}

impl Memory {
    /// The messages that fit best of those that the search is narrowed to. One that was sent a moment ago is found by its
    /// words, and by its meaning as soon as [`Memory::tend`] came to it. A query with quotes or a minus says which words it
    /// means, and goes by them alone.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn search_messages(&self, search: &Search) -> Result<MessagesFound> {
        let inner = &self.inner;
        let wide = Search { limit: search.limit.max(PROPOSED), ..search.clone() };
        let model = inner.models.active(&inner.store).await?;
        let vector = async {
            if names_words(&search.query) { None } else { self.query_vector(&model, &search.query).await }
        };
        let (by_words, vector) = tokio::join!(inner.store.search_messages(&wide), vector);
        let near = match &vector {
            Some(vector) => inner.store.near_messages(&wide, &model, vector).await?,
            None => Vec::new(),
        };
        let cosines: HashMap<MessageId, f32> =
            near.iter().map(|near| (near.message.id, near.cosine)).collect();
        let mut parts: Vec<Parts> = Vec::new();
        let mut messages: Vec<StoredMessage> = Vec::new();
        for found in by_words? {
            let cosine = cosines.get(&found.message.id).copied();
            parts.push(Parts { text: found.text, vector: cosine.unwrap_or(f32::NAN), ..Parts::default() });
            messages.push(found.message);
        }
        for near in near {
            if messages.iter().all(|message| message.id != near.message.id) {
                parts.push(Parts { vector: near.cosine, ..Parts::default() });
                messages.push(near.message);
            }
        }
        // Postgres does not say what a message could have got: its words are measured by the best.
        let best = parts.iter().map(|parts| parts.text).fold(0.0, f32::max);
        let mut candidates: Vec<Candidate> =
            parts.into_iter().map(|own| Candidate { own, ..Candidate::default() }).collect();
        normalise(&mut candidates, best);
        let mut hits: Vec<MessageHit> = messages
            .into_iter()
            .zip(candidates)
            .map(|(message, Candidate { own: parts, .. })| {
                let cosine = cosines.get(&message.id).copied();
                MessageHit { message, score: parts.sum(&WEIGHTS), parts, cosine }
            })
            .collect();
        // Of those that fit alike the latest first.
        hits.sort_by(|one, other| {
            other.score.total_cmp(&one.score).then_with(|| other.message.id.cmp(&one.message.id))
        });
        hits.truncate(usize::try_from(search.limit).unwrap_or(0));
        Ok(MessagesFound { hits, model: vector.map(|_| model.model) })
    }
}

/// Whether a query uses the signs for words that must stand there as they are, or must not.
fn names_words(query: &str) -> bool {
    query.contains('"') || query.split_whitespace().any(|word| word.len() > 1 && word.starts_with('-'))
}
