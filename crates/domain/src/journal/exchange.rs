//! What a reply says about the exchange that brought it: which bytes were sent, and how the prompt cache met them.

use serde::{Deserialize, Serialize};

/// The exchange of one reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The provider's id of the message; the next request names it, so that a cache miss can be explained.
    pub message_id: String,
    /// SHA-256, in hex, of what every request of a run begins with: model, tools and system. One that changes within a
    /// run is a mistake of ours.
    pub prefix_sha256: String,
    /// SHA-256, in hex, of the whole request.
    pub request_sha256: String,
    /// Why the cache was missed, when the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_miss: Option<CacheMiss>,
}

/// Why the prompt cache did not serve what it could have served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheMiss {
    /// The provider's word for it, such as `messages_changed`.
    pub reason: String,
    /// Tokens that were not read from the cache because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_tokens: Option<i64>,
}
