//! Texts become vectors, whoever does it.

use std::sync::Arc;

use crate::{
    config::{Config, Provider},
    error::Result,
    lanes::Lanes,
    mini_lm,
    remote::Remote,
    word_piece::BYTES,
};

/// What a text is to the search. Some models read the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What somebody looks for.
    Query,
    /// What is to be found.
    Document,
}

/// An embedder. Cheap to clone; the embedded model lies in memory once for each one that was opened.
#[derive(Clone, Debug)]
pub struct Embedder {
    model: Arc<str>,
    dimensions: usize,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Embedded(Arc<Lanes>),
    Remote(Arc<Remote>),
}

impl Embedder {
    /// Loads the embedded model, or prepares calls of a service; none is made.
    ///
    /// # Errors
    /// One line that names the setting that cannot be used, or says why the embedded model does not load.
    pub fn open(config: &Config) -> Result<Self> {
        config.check()?;
        if config.provider == Provider::Embedded {
            let lanes = Lanes::start(usize::from(config.threads))?;
            return Ok(Self {
                model: mini_lm::MODEL.into(),
                dimensions: mini_lm::DIMENSIONS,
                source: Source::Embedded(Arc::new(lanes)),
            });
        }
        let remote = Remote::new(config)?;
        Ok(Self {
            model: remote.model().into(),
            dimensions: remote.dimensions(),
            source: Source::Remote(Arc::new(remote)),
        })
    }

    /// The space that its vectors lie in; stored with each of them.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The length of its vectors.
    #[must_use]
    pub const fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The vectors of `texts`, in their order, each of Euclidean length 1. What of a text goes beyond the model's bound
    /// (256 tokens for the embedded one) is not in its vector.
    ///
    /// # Errors
    /// [`crate::Error::is_passing`] tells what may come off later. There is an answer for all texts or for none.
    pub async fn embed(&self, texts: &[String], kind: Kind) -> Result<Vec<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        match &self.source {
            Source::Embedded(lanes) => lanes.embed(texts, kind).await,
            Source::Remote(remote) => remote.embed(texts, kind).await,
        }
    }

    /// How many tokens of the embedded model a text has, without the two marks; for a service, and where that model has no
    /// words for it, what its bytes suggest.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        match &self.source {
            Source::Embedded(lanes) => lanes.model().words().count(text),
            Source::Remote(_) => text.len().div_ceil(BYTES),
        }
    }
}
