//! What crossed the wire in one call, for who wants to keep it.

use reqwest::header::HeaderMap;

/// Headers of an answer that are nobody's business: what opens a door, and whose account it was.
const UNTOLD: [&str; 8] = [
    "anthropic-organization-id",
    "anthropic-workspace-id",
    "authorization",
    "proxy-authenticate",
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
    "x-api-key",
];

/// One call as it crossed the wire, as far as it got: also of a call that failed or was given up.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The body that was sent. Headers are left out: one of them is the key.
    pub request: Vec<u8>,
    /// `None`: no headers came back.
    pub answer: Option<Answered>,
}

/// An answer, as far as it was read. Nothing is read behind the end of a stream, nor more than is used of an error.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, in the order they came; without those that hold credentials or name the account.
    pub headers: Vec<(String, String)>,
    /// The bytes of the body.
    pub body: Vec<u8>,
}

impl Answered {
    pub(crate) fn new(status: u16, headers: &HeaderMap) -> Self {
        let told = headers.iter().filter(|(name, _)| !UNTOLD.contains(&name.as_str()));
        let headers = told
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        Self { status, headers, body: Vec::new() }
    }
}
