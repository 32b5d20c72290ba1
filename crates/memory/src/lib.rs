//! The context engine: what is remembered, found again by words and by meaning, and fits into a budget.
//!
//! [`analyse`], [`chunks`], [`copied`], [`fuse`], [`index`], [`passages`], [`strength`] and [`assemble`] do no I/O and read no clock: an evaluation
//! runs the very code that answers searches. [`Memory`] joins them with Postgres and an embedder.

pub mod analyse;
pub mod assemble;
pub mod chunks;
pub mod copied;
mod engine;
pub mod eval;
pub mod fuse;
pub mod index;
pub mod night;
pub mod passages;
pub mod strength;

pub use engine::{Error, Hit, Memory, MessageHit, MessagesFound, Recall, Recalled, Result, Settings};
