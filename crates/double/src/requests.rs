//! The last requests as they arrived, for tests that look at what was sent.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

/// Requests that are kept at most.
const MOST_REQUESTS: usize = 2_000;
/// Bytes of bodies that are kept at most.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// One request as it arrived.
#[derive(Clone, Debug, Serialize)]
pub struct KeptRequest {
    /// Number of the request since the double started, from 1.
    pub seq: u64,
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// Id that its answer carried.
    pub request_id: String,
    /// Path it was sent to.
    pub path: String,
    /// `metadata.user_id`, if it has one.
    pub user_id: Option<String>,
    /// Its body; a string where it was not JSON.
    pub body: Value,
}

#[derive(Debug)]
struct Raw {
    seq: u64,
    at: DateTime<Utc>,
    request_id: String,
    path: &'static str,
    body: Bytes,
}

/// A bounded store of raw bodies; they are parsed only when somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    // Handlers append in parallel.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    raw: VecDeque<Raw>,
    bytes: usize,
    seq: u64,
}

impl Requests {
    pub(crate) fn keep(&self, at: DateTime<Utc>, request_id: &str, path: &'static str, body: Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.seq += 1;
        kept.bytes += body.len();
        let seq = kept.seq;
        kept.raw.push_back(Raw { seq, at, request_id: request_id.to_owned(), path, body });
        while kept.raw.len() > MOST_REQUESTS || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.raw.pop_front() else { break };
            kept.bytes -= oldest.body.len();
        }
    }

    /// The kept requests, oldest first; only those of one user where `user_id` is given.
    pub(crate) fn list(&self, user_id: Option<&str>) -> Vec<KeptRequest> {
        // Bodies are shared, so the lock is not held while they are parsed.
        let raw: Vec<_> = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.raw
                .iter()
                .map(|raw| (raw.seq, raw.at, raw.request_id.clone(), raw.path, raw.body.clone()))
                .collect()
        };
        raw.into_iter()
            .map(|(seq, at, request_id, path, bytes)| {
                let body = serde_json::from_slice(&bytes)
                    .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
                let user_id = body["metadata"]["user_id"].as_str().map(str::to_owned);
                KeptRequest { seq, at, request_id, path: path.to_owned(), user_id, body }
            })
            .filter(|request| user_id.is_none() || request.user_id.as_deref() == user_id)
            .collect()
    }

    pub(crate) fn clear(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.raw.clear();
        kept.bytes = 0;
    }

    /// Requests since the start, kept or not.
    pub(crate) fn total(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_bodies_leave_when_the_store_is_full() {
        let requests = Requests::default();
        let at = DateTime::<Utc>::UNIX_EPOCH;
        for _ in 0..MOST_REQUESTS + 5 {
            requests.keep(at, "req_1", "/v1/messages", Bytes::from_static(b"{}"));
        }
        assert_eq!(requests.list(None).first().map(|first| first.seq), Some(6));

        requests.keep(at, "req_2", "/v1/messages", Bytes::from(vec![b'x'; MOST_BYTES]));
        let left = requests.list(None);
        assert_eq!(left.len(), 1, "a body as large as the bound stands alone");
        assert!(left[0].body.is_string());
    }
}
