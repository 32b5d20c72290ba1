//! The vectors of all turns, made once for everybody who compares them.

use hive_embed::{Embedder, Kind};

use super::{Dataset, Result};
use crate::chunks::chunks;

/// Texts that are embedded in one call.
const AT_ONCE: usize = 32;

/// The vectors of the turns, and the embedder for those of the questions.
#[derive(Debug)]
pub struct Vectors {
    embedder: Embedder,
    of_turns: Vec<Vec<Vec<f32>>>,
}

impl Vectors {
    /// Embeds all turns, chunk by chunk as the engine does.
    ///
    /// # Errors
    /// When the embedder fails.
    pub async fn make(data: &Dataset, embedder: Embedder) -> Result<Self> {
        let pieces = data.turns.iter().enumerate().flat_map(|(turn, at)| {
            chunks(&at.text).into_iter().map(move |range| (turn, at.text[range].to_owned()))
        });
        let mut pieces: Vec<(usize, String)> = pieces.collect();
        // Texts of one length are computed together without waste.
        pieces.sort_by_key(|(turn, text)| (text.len(), *turn));
        let mut of_turns = vec![Vec::new(); data.turns.len()];
        for some in pieces.chunks(AT_ONCE) {
            let texts: Vec<String> = some.iter().map(|(_, text)| text.clone()).collect();
            for ((turn, _), vector) in some.iter().zip(embedder.embed(&texts, Kind::Document).await?) {
                of_turns[*turn].push(vector);
            }
        }
        Ok(Self { embedder, of_turns })
    }

    /// The vectors of a turn's chunks; at least one.
    pub(super) fn of(&self, turn: usize) -> &[Vec<f32>] {
        &self.of_turns[turn]
    }

    pub(super) const fn dimensions(&self) -> usize {
        self.embedder.dimensions()
    }

    /// The vector of a question.
    pub(super) async fn sought(&self, text: &str) -> Result<Vec<f32>> {
        let mut made = self.embedder.embed(&[text.to_owned()], Kind::Query).await?;
        Ok(made.pop().unwrap_or_default())
    }
}
