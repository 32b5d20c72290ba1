//! How well is recalled what was said: questions with known evidence are asked of several retrievers, and what these find
//! is scored.
//!
//! [`Dataset`] is what is asked, [`Retriever`] who is asked, [`judge`] and [`Measures`] the score, and [`ask`] the loop.
//! [`Bm25`] and [`Nearest`] are what the engine has to be better than: words alone and vectors alone, without anything
//! else. [`Engine`] is the index that answers searches, with its usual weights.

mod ask;
mod bm25;
mod dataset;
mod engine;
mod lines;
mod nearest;
mod score;
mod shipped;
mod split;
mod vectors;

pub use ask::{Error, Result, Retriever, ask};
pub use bm25::Bm25;
pub use dataset::{Dataset, Question, Turn};
pub use engine::Engine;
pub use lines::Unusable;
pub use nearest::Nearest;
pub use score::{BUDGET, Judged, Measures, judge, percentile, tokens};
pub use shipped::shipped;
pub use split::Split;
pub use vectors::Vectors;
