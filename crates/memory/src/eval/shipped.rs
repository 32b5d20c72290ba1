//! The data set that is part of this program.

use super::{Dataset, Unusable};

/// The evaluation set of this repository; its `README.md` says what it is made of.
///
/// # Errors
/// When the files that were built in cannot be used, which a test excludes.
pub fn shipped() -> Result<Dataset, Unusable> {
    Dataset::parse(include_str!("../../eval/set/turns.jsonl"), include_str!("../../eval/set/questions.jsonl"))
}

#[cfg(test)]
mod tests;
