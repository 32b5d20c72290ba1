//! What a call used, in tokens.

use serde::{Deserialize, Serialize};

/// Tokens of one call, as the service counted them. Written in the service's own shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UsagePatch")]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to the cache.
    pub input_tokens: u64,
    /// Tokens written by the model, thinking included.
    pub output_tokens: u64,
    /// Prompt tokens read from the cache.
    pub cache_read_input_tokens: u64,
    /// Prompt tokens written to the cache, both lifetimes together.
    pub cache_creation_input_tokens: u64,
    /// The same by lifetime. Zero where the service gave no split.
    pub cache_creation: CacheCreation,
}

/// Cache writes by lifetime, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheCreation {
    /// Written for five minutes.
    #[serde(default, deserialize_with = "null_is_zero")]
    pub ephemeral_5m_input_tokens: u64,
    /// Written for one hour.
    #[serde(default, deserialize_with = "null_is_zero")]
    pub ephemeral_1h_input_tokens: u64,
}

impl Usage {
    /// The size of the whole prompt in tokens: uncached, read and written parts together.
    pub fn prompt_tokens(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_read_input_tokens)
            .saturating_add(self.cache_creation_input_tokens)
    }

    /// Takes over what a later event of the same stream says. Its figures are running totals, so they replace
    /// the earlier ones; what it leaves out keeps its value. True when it counts the output.
    pub(crate) fn overwrite(&mut self, patch: UsagePatch) -> bool {
        let UsagePatch { input_tokens, output_tokens, cache_read_input_tokens, .. } = patch;
        self.input_tokens = input_tokens.unwrap_or(self.input_tokens);
        self.output_tokens = output_tokens.unwrap_or(self.output_tokens);
        self.cache_read_input_tokens = cache_read_input_tokens.unwrap_or(self.cache_read_input_tokens);
        self.cache_creation_input_tokens =
            patch.cache_creation_input_tokens.unwrap_or(self.cache_creation_input_tokens);
        self.cache_creation = patch.cache_creation.unwrap_or(self.cache_creation);
        output_tokens.is_some()
    }
}

/// A usage object in which any figure may be missing or null.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UsagePatch {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
}

impl TryFrom<UsagePatch> for Usage {
    type Error = &'static str;

    /// A usage that does not say what was read and written would be charged as nothing, so it is refused.
    fn try_from(patch: UsagePatch) -> Result<Self, Self::Error> {
        if patch.input_tokens.is_none() || patch.output_tokens.is_none() {
            return Err("usage without input_tokens or output_tokens");
        }
        let mut usage = Self::default();
        usage.overwrite(patch);
        Ok(usage)
    }
}

fn null_is_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_event_replaces_and_does_not_add() {
        let mut usage: Usage = serde_json::from_str(
            r#"{"input_tokens":412,"cache_read_input_tokens":2048,"output_tokens":1,
                "cache_creation":{"ephemeral_5m_input_tokens":7,"ephemeral_1h_input_tokens":null}}"#,
        )
        .unwrap();
        let later = r#"{"input_tokens":412,"output_tokens":87,"cache_creation":null}"#;
        usage.overwrite(serde_json::from_str(later).unwrap());
        assert_eq!(
            usage,
            Usage {
                input_tokens: 412,
                output_tokens: 87,
                cache_read_input_tokens: 2048,
                cache_creation_input_tokens: 0,
                cache_creation: CacheCreation { ephemeral_5m_input_tokens: 7, ephemeral_1h_input_tokens: 0 },
            }
        );
        assert_eq!(usage.prompt_tokens(), 2460);
    }

    #[test]
    fn a_usage_without_its_main_figures_is_refused() {
        for json in ["{}", r#"{"input_tokens":1}"#, r#"{"input_tokens":null,"output_tokens":1}"#] {
            assert!(serde_json::from_str::<Usage>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let usage = Usage { output_tokens: 5, cache_read_input_tokens: 9, ..Usage::default() };
        let json = serde_json::to_string(&usage).unwrap();
        assert_eq!(serde_json::from_str::<Usage>(&json).unwrap(), usage);
    }
}
