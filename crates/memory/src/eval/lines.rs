//! Two files of JSON lines, and what is wrong with one of them.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, de::DeserializeOwned};

/// The file of turns in a directory.
pub(super) const TURNS: &str = "turns.jsonl";
/// The file of questions in a directory.
pub(super) const QUESTIONS: &str = "questions.jsonl";

/// Why a data set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file that is not there, or is no text.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line that says something else than the format wants.
    #[error("{file}, line {line}: {problem}")]
    Line {
        /// The file's name.
        file: &'static str,
        /// Which line, from 1.
        line: usize,
        /// What is wrong, with the field.
        problem: String,
    },
    /// Nothing to measure on.
    #[error("{0} holds nothing")]
    Empty(&'static str),
}

/// A line of the turns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TurnLine {
    pub(super) id: String,
    pub(super) session: String,
    pub(super) at: DateTime<Utc>,
    pub(super) speaker: String,
    pub(super) scope: String,
    pub(super) text: String,
    #[serde(default)]
    pub(super) origin: Origin,
    #[serde(default)]
    pub(super) junk: bool,
}

/// Where the words of a turn come from.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    #[default]
    Said,
    Recalled,
}

/// A line of the questions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuestionLine {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) scope: String,
    pub(super) class: String,
    pub(super) evidence: Vec<String>,
    pub(super) group: Option<String>,
    pub(super) as_of: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(super) stale: Vec<String>,
}

pub(super) fn read(directory: &Path, file: &str) -> Result<String, Unusable> {
    let path = directory.join(file);
    std::fs::read_to_string(&path).map_err(|source| Unusable::Unreadable { path, source })
}

/// The lines of a file, each with its number; empty ones are passed over.
pub(super) fn parse<T: DeserializeOwned>(
    file: &'static str,
    text: &str,
) -> Result<Vec<(usize, T)>, Unusable> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let parsed = lines.map(|(line, number)| match serde_json::from_str(line) {
        Ok(value) => Ok((number, value)),
        Err(error) => Err(Unusable::Line { file, line: number, problem: error.to_string() }),
    });
    let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
    if parsed.is_empty() { Err(Unusable::Empty(file)) } else { Ok(parsed) }
}
