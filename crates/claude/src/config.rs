//! What the client needs to know before its first call.

use std::fmt;
use std::time::Duration;

use url::Url;

/// The API version this crate speaks. It refuses sampling fields, which is why [`crate::Request`] has none.
const API_VERSION: &str = "2026-10-21";

/// Where and how to call. The base URL comes from here and from nowhere else: a base URL taken from a project's
/// files or environment would hand the key to whoever wrote them.
#[derive(Clone, Debug)]
pub struct Config {
    /// The service's root, without `/v1`. A path is kept as a prefix.
    pub base_url: Url,
    /// The credential.
    pub api_key: Secret,
    /// The value of the `anthropic-version` header.
    pub version: String,
    /// The longest wait for DNS, TCP and TLS together.
    pub connect_timeout: Duration,
    /// The longest wait for response headers, and between two content events of a stream. Pings do not count.
    /// A model that thinks with [`crate::Display::Omitted`] sends none while it thinks: use
    /// [`crate::Display::Summarized`] or a longer time.
    pub idle_timeout: Duration,
    /// The longest time for a whole call.
    pub total_timeout: Duration,
    /// Send `Authorization: Bearer` instead of `x-api-key`.
    pub bearer: bool,
}

impl Config {
    /// The defaults: 5 s to connect, 60 s without content, 600 s in total, `x-api-key`.
    pub fn new(base_url: Url, api_key: Secret) -> Self {
        Self {
            base_url,
            api_key,
            version: API_VERSION.to_owned(),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(600),
            bearer: false,
        }
    }
}

/// A text that is never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the text as it is.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_config_does_not_show_the_key() {
        let config = Config::new("http://127.0.0.1:1".parse().unwrap(), Secret::new("sk-very-secret"));
        let printed = format!("{config:?} {config:#?}");
        assert!(!printed.contains("very-secret"), "{printed}");
    }
}
