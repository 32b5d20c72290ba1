//! The model that is part of this program: all-MiniLM-L6-v2, quantised to 8 bits. See `model/NOTICE`.

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value};

use crate::{
    error::{Error, Result},
    word_piece::WordPiece,
};

/// Its name, which is stored with each of its vectors.
pub const MODEL: &str = "minilm-l6-v2-int8";
/// The length of its vectors, which are of length 1 in the other sense.
pub const DIMENSIONS: usize = 384;
/// Tokens that it reads of a text, with the two marks.
pub(crate) const MAX_TOKENS: usize = 256;

static WEIGHTS: &[u8] = include_bytes!("../model/minilm.int8.onnx");
static VOCABULARY: &str = include_str!("../model/vocab.txt");

pub(crate) struct MiniLm {
    model: Model,
    input_ids: NodeId,
    attention_mask: NodeId,
    embedding: NodeId,
    words: WordPiece,
}

impl MiniLm {
    /// Loads it, in some 50 ms. Its weights are brought into the order in which they are multiplied once, and not again for
    /// each text, which costs 12 MB of memory and saves a quarter of the time of a short text.
    pub(crate) fn load() -> Result<Self> {
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load_static_slice(WEIGHTS)
            .map_err(|error| Error::Model(error.to_string()))?;
        let node = |name| model.node_id(name).map_err(|error| Error::Model(error.to_string()));
        let (input_ids, attention_mask) = (node("input_ids")?, node("attention_mask")?);
        let embedding = node("embedding")?;
        let words = WordPiece::new(VOCABULARY).map_err(Error::Model)?;
        Ok(Self { model, input_ids, attention_mask, embedding, words })
    }

    /// The tokens that the model reads of `text`.
    pub(crate) fn tokens(&self, text: &str) -> Vec<i32> {
        self.words.encode(text, MAX_TOKENS)
    }

    pub(crate) const fn words(&self) -> &WordPiece {
        &self.words
    }

    /// The vectors of texts that are tokens already. Shorter ones are filled up to the longest, so texts of like length
    /// belong together.
    pub(crate) fn run(&self, texts: &[&[i32]], threads: &Arc<ThreadPool>) -> Result<Vec<Vec<f32>>> {
        let failed = |error: &dyn std::fmt::Display| Error::Model(error.to_string());
        let (rows, longest) = (texts.len(), texts.iter().map(|text| text.len()).max().unwrap_or(0));
        let mut ids = vec![0_i32; rows * longest];
        let mut mask = vec![0_i32; rows * longest];
        for (row, text) in texts.iter().enumerate() {
            let at = row * longest;
            ids[at..at + text.len()].copy_from_slice(text);
            mask[at..at + text.len()].fill(1);
        }
        let ids = Value::from_shape([rows, longest], ids).map_err(|error| failed(&error))?;
        let mask = Value::from_shape([rows, longest], mask).map_err(|error| failed(&error))?;
        let inputs = vec![(self.input_ids, ids.into()), (self.attention_mask, mask.into())];
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(threads)));
        let [output] =
            self.model.run_n(inputs, [self.embedding], Some(options)).map_err(|error| failed(&error))?;
        let ([found, width], values) = output.into_shape_vec::<f32, 2>().map_err(|error| failed(&error))?;
        if found != rows || width != DIMENSIONS {
            return Err(Error::Model(format!("{found} vectors of {width} for {rows} texts")));
        }
        Ok(values.chunks_exact(width).map(<[f32]>::to_vec).collect())
    }
}

impl std::fmt::Debug for MiniLm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MiniLm").finish_non_exhaustive()
    }
}
