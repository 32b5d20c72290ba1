//! Context windows other than the catalogue's, so that a test reaches the end of one.

use std::collections::BTreeMap;

use crate::ScriptError;
use crate::catalogue::{self, Model};

/// Tokens of prompt and answer together, by model id; models that are not named keep their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows(BTreeMap<&'static str, u64>);

impl Windows {
    /// Reads windows from YAML or JSON: `{claude-sonnet-5-5: 20000}`.
    ///
    /// # Errors
    ///
    /// The text does not have this form, or names a model that the double does not know.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let written: BTreeMap<String, u64> = serde_norway::from_str(text)?;
        let known = |(id, tokens): (String, u64)| match catalogue::find(&id) {
            Some(model) => Ok((model.id, tokens)),
            None => Err(ScriptError::UnknownModel(id)),
        };
        written.into_iter().map(known).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn of(&self, model: &Model) -> u64 {
        self.0.get(model.id).copied().unwrap_or(model.context)
    }
}
