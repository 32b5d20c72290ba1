//! Vectors alone: exact cosines of what the asker may hear, and nothing else.

use super::{Dataset, Question, Result, Retriever, Vectors, bm25::best};

/// Vectors alone.
#[derive(Debug)]
pub struct Nearest<'a> {
    data: &'a Dataset,
    vectors: &'a Vectors,
}

impl<'a> Nearest<'a> {
    /// Compares these.
    #[must_use]
    pub const fn new(data: &'a Dataset, vectors: &'a Vectors) -> Self {
        Self { data, vectors }
    }
}

impl Retriever for Nearest<'_> {
    async fn search(&self, question: &Question) -> Result<Vec<usize>> {
        let sought = self.vectors.sought(&question.text).await?;
        let cosine = |vector: &Vec<f32>| -> f32 { vector.iter().zip(&sought).map(|(a, b)| a * b).sum() };
        let heard = (0..self.data.turns.len()).filter(|turn| self.data.may_hear(question, *turn));
        let scored = heard.filter_map(|turn| {
            let nearest = self.vectors.of(turn).iter().map(cosine).max_by(f32::total_cmp)?;
            Some((turn, f64::from(nearest)))
        });
        let mut found = best(scored.collect());
        found.truncate(Self::ENOUGH);
        Ok(found)
    }
}
