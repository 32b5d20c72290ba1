//! The embedder against known texts, and against services on this machine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod embedded;
mod remote;
mod words;
