//! Which embedder a process uses.

use std::fmt;

use clap::{Args, ValueEnum};
use url::Url;

use crate::{
    error::{Error, Result},
    mini_lm,
};

/// The longest vector of any provider that the store can index.
const MOST_DIMENSIONS: usize = 4_000;

/// Who turns texts into vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// The model that is part of this program; needs no key and no network.
    Embedded,
    /// A service that speaks the embeddings interface of `OpenAI`: the vendor's, Ollama, llama-server, vLLM.
    Openai,
    /// The service of Voyage AI.
    Voyage,
}

/// The settings of the embedder. Their ids stand beside those of the process that takes them in.
#[derive(Clone, Args)]
#[group(skip)]
pub struct Config {
    /// Who turns memories into vectors: embedded (part of this program), openai (any service with that interface) or
    /// voyage
    #[arg(id = "embedder", long = "embedder", env = "HIVE_EMBEDDER", value_name = "PROVIDER", value_enum, default_value_t = Provider::Embedded)]
    pub provider: Provider,
    /// Where the service is, up to and with its version, such as <https://api.voyageai.com/v1>
    #[arg(id = "embed_url", long = "embed-url", env = "HIVE_EMBED_URL", value_name = "HIVE_EMBED_URL")]
    pub url: Option<Url>,
    /// The credential for it, if it wants one
    #[arg(
        id = "embed_key",
        long = "embed-key",
        env = "HIVE_EMBED_KEY",
        value_name = "HIVE_EMBED_KEY",
        hide_env_values = true
    )]
    pub key: Option<String>,
    /// The service's name of the model
    #[arg(
        id = "embed_model",
        long = "embed-model",
        env = "HIVE_EMBED_MODEL",
        value_name = "HIVE_EMBED_MODEL"
    )]
    pub model: Option<String>,
    /// The length of its vectors
    #[arg(
        id = "embed_dimensions",
        long = "embed-dimensions",
        env = "HIVE_EMBED_DIMENSIONS",
        value_name = "HIVE_EMBED_DIMENSIONS"
    )]
    pub dimensions: Option<usize>,
    /// Seconds that a call of the service may take
    #[arg(
        id = "embed_seconds",
        long = "embed-seconds",
        env = "HIVE_EMBED_SECONDS",
        value_name = "HIVE_EMBED_SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=600)
    )]
    pub seconds: u64,
    /// Threads that the embedded model keeps busy at most
    #[arg(
        id = "embed_threads",
        long = "embed-threads",
        env = "HIVE_EMBED_THREADS",
        value_name = "HIVE_EMBED_THREADS",
        default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..=64)
    )]
    pub threads: u16,
}

impl Config {
    /// The embedded model, with the usual number of threads.
    #[must_use]
    pub const fn embedded() -> Self {
        Self {
            provider: Provider::Embedded,
            url: None,
            key: None,
            model: None,
            dimensions: None,
            seconds: 10,
            threads: 2,
        }
    }

    /// Checks what belongs together.
    ///
    /// # Errors
    /// One line that names the setting.
    pub fn check(&self) -> Result<()> {
        let refuse = |line: String| Err(Error::Config(line));
        if self.provider == Provider::Embedded {
            let foreign = [
                (self.url.is_some(), "HIVE_EMBED_URL"),
                (self.key.is_some(), "HIVE_EMBED_KEY"),
                (self.model.as_deref().is_some_and(|model| model != mini_lm::MODEL), "HIVE_EMBED_MODEL"),
                (self.dimensions.is_some_and(|own| own != mini_lm::DIMENSIONS), "HIVE_EMBED_DIMENSIONS"),
            ];
            return match foreign.iter().find(|(set, _)| *set) {
                Some((_, name)) => refuse(format!("{name} is set, but HIVE_EMBEDDER is embedded")),
                None => Ok(()),
            };
        }
        let Some(url) = &self.url else {
            return refuse(
                "HIVE_EMBED_URL is missing; name the service, up to and with its version".to_owned(),
            );
        };
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some()
        {
            return refuse("HIVE_EMBED_URL is no plain http or https address".to_owned());
        }
        let name = self.model.as_deref().unwrap_or_default();
        // It becomes a part of the store's statements, so its letters are bounded here and there.
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-._/:".contains(c));
        if name.is_empty() || name.len() > 100 || !plain {
            return refuse(
                "HIVE_EMBED_MODEL is missing or has more than 100 characters or others than letters, digits and -._/:"
                    .to_owned(),
            );
        }
        match self.dimensions {
            Some(1..=MOST_DIMENSIONS) => Ok(()),
            _ => refuse(format!("HIVE_EMBED_DIMENSIONS is missing or not 1 to {MOST_DIMENSIONS}")),
        }
    }
}

/// Without the key.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("provider", &self.provider)
            .field("model", &self.model)
            .field("dimensions", &self.dimensions)
            .finish_non_exhaustive()
    }
}
