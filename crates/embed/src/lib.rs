//! The door to the embedder: texts become vectors, by a model that is part of this program or at a service that is named.
//!
//! Vectors of different models lie in different spaces and are never compared: whoever stores one stores
//! [`Embedder::model`] with it.

mod config;
mod embedder;
mod error;
mod lanes;
mod mini_lm;
mod remote;
mod word_piece;

pub use config::{Config, Provider};
pub use embedder::{Embedder, Kind};
pub use error::{Error, Result};
pub use mini_lm::{DIMENSIONS as MINI_LM_DIMENSIONS, MODEL as MINI_LM};
pub use word_piece::WordPiece;
