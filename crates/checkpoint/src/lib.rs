//! Checkpoints of the whole system.
//!
//! ```text
//! <root>/20261127T195414Z-<id>/
//!     manifest.json            what it is of, and of every file its size and SHA-256
//!     manifest.json.sha256     the digest of that, as sha256sum reads it
//!     tables/<table>.copy      rows, in the text format of COPY
//!     repositories/<n>.bundle  branches and tags with their commits
//! <root>/.<id>.making/         one that is being made or removed, and is none yet or no more
//! ```
//!
//! All rows are of one moment. The repositories are read after it, so that every commit that a row names is in them.

mod error;
mod files;
mod make;
mod manifest;
mod restore;
mod retention;
mod verify;

pub use error::Error;
pub use make::make;
pub use manifest::{FORMAT, Manifest};
pub use restore::{Restored, Target, restore};
pub use retention::{Kept, sweep};
pub use verify::{Verified, verify};

/// Result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;
