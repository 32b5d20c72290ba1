//! Whether a text says in other words what others say.

use std::time::Duration;

use hive_embed::{Kind, MINI_LM, MINI_LM_DIMENSIONS};
use hive_store::EmbeddingModel;
use tokio::time::timeout;

use super::Memory;
use crate::{
    copied::count_words,
    passages::{likeliest, passages},
};

/// From this cosine of the embedded model on two sentences say the same. Measured: of nine sentences said in other words
/// six are above, and of what was found out beside a text nothing.
const SAME: f32 = 0.74;
/// The share of its words that makes a text the same.
const SHARE: f32 = 0.7;
/// Passages that are compared at most, and sentences of the text.
const COMPARED: usize = 32;
const SENTENCES: usize = 16;
/// How long it may take.
const WITHIN: Duration = Duration::from_secs(20);

impl Memory {
    /// Whether most of `text` is said by passages of `sources` in words of their own; by the embedded model, whichever
    /// searches use. `None` when it could not be told in time.
    pub async fn is_said_by(&self, text: &str, sources: Vec<String>) -> Option<bool> {
        if sources.is_empty() {
            return Some(false);
        }
        let dims = i32::try_from(MINI_LM_DIMENSIONS).unwrap_or(i32::MAX);
        let model = EmbeddingModel { model: MINI_LM.to_owned(), dims };
        let embedder = self.inner.models.embedder(&model).await?;
        let sought = text.to_owned();
        let others = tokio::task::spawn_blocking(move || likeliest(&sought, &sources, COMPARED));
        let others = others.await.ok()?;
        let mut texts = vec![text.to_owned()];
        texts.extend(passages(text).into_iter().take(SENTENCES).map(str::to_owned));
        let own = texts.len();
        texts.extend(others);
        let embedded = timeout(WITHIN, embedder.embed(&texts, Kind::Document)).await;
        let vectors =
            embedded.ok()?.inspect_err(|error| tracing::warn!(%error, "A text was not compared")).ok()?;
        let (own, others) = vectors.split_at(own);
        let is_said = |vector: &Vec<f32>| others.iter().any(|other| cosine(vector, other) >= SAME);
        let (whole, sentences) = own.split_first()?;
        if is_said(whole) {
            return Some(true);
        }
        let words = |text: &String| count_words(text) as f32;
        let said = sentences.iter().zip(&texts[1..]).filter(|(vector, _)| is_said(vector));
        let said: f32 = said.map(|(_, text)| words(text)).sum();
        let all: f32 = texts[1..=sentences.len()].iter().map(words).sum();
        Some(all > 0.0 && said / all >= SHARE)
    }
}

/// Of vectors of length 1.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
