//! What the response headers say about limits and waiting.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest wait that is believed. The service refills its buckets within minutes, and a month's spent limit has codes
/// of its own: a longer one is a wrong figure or a wrong clock, and would hold the whole fleet for as long. Should it be
/// true, it is heard again after the hour, at the cost of one call.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// The state of the service's buckets for this key and model group. `None` where a header was missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests a minute.
    pub requests: Option<Window>,
    /// Tokens a minute, input and output together.
    pub tokens: Option<Window>,
    /// Input tokens a minute; cache reads do not count on current models.
    pub input_tokens: Option<Window>,
    /// Output tokens a minute.
    pub output_tokens: Option<Window>,
}

/// One bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its size.
    pub limit: u64,
    /// What is left in it.
    pub remaining: u64,
    /// When it is full again, by the service's clock.
    pub reset: Option<DateTime<Utc>>,
}

impl RateLimits {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let window = |name: &str| {
            let field = |part: &str| header(headers, &format!("anthropic-ratelimit-{name}-{part}"));
            Some(Window {
                limit: field("limit")?.parse().ok()?,
                remaining: field("remaining")?.parse().ok()?,
                reset: field("reset")
                    .and_then(|text| Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())),
            })
        };
        Self {
            requests: window("requests"),
            tokens: window("tokens"),
            input_tokens: window("input-tokens"),
            output_tokens: window("output-tokens"),
        }
    }
}

/// The wait the service asks for: `retry-after-ms`, or `retry-after` in seconds or as a date. A date is taken
/// relative to the answer's own `date`, so that a wrong clock on this side does no harm.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let seconds = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
    let wait = match header(headers, "retry-after-ms").and_then(seconds).filter(|wait| !wait.is_zero()) {
        Some(thousandfold) => thousandfold / 1000,
        None => {
            let text = header(headers, RETRY_AFTER.as_str())?;
            seconds(text).or_else(|| {
                let then = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
                let sent = header(headers, DATE.as_str())
                    .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
                    .map_or_else(|| now.into(), |sent| sent.to_utc());
                Some((then - sent).to_std().unwrap_or(Duration::ZERO))
            })?
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// `x-should-retry`.
pub(crate) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    header(headers, "x-should-retry")?.parse().ok()
}

/// The service's id of the call.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    header(headers, "request-id").map(ToOwned::to_owned)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    fn headers(pairs: Pairs) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_wait_is_read_in_each_form() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        const FAR: &str = "Sun, 09 Sep 2001 01:48:00 GMT";
        let rows: [(&str, Pairs, Option<Duration>); 13] = [
            ("seconds", &[("retry-after", "20")], Some(Duration::from_secs(20))),
            ("a fraction of a second", &[("retry-after", "0.5")], Some(Duration::from_millis(500))),
            ("milliseconds", &[("retry-after-ms", "1500")], Some(Duration::from_millis(1500))),
            (
                "milliseconds before seconds",
                &[("retry-after-ms", "1500"), ("retry-after", "9")],
                Some(Duration::from_millis(1500)),
            ),
            (
                "no milliseconds, and seconds",
                &[("retry-after-ms", "0"), ("retry-after", "30")],
                Some(Duration::from_secs(30)),
            ),
            (
                "a date, by the answer's own clock",
                &[("retry-after", FAR), ("date", "Sun, 09 Sep 2001 01:47:30 GMT")],
                Some(Duration::from_secs(30)),
            ),
            ("a date, by our clock (01:46:40)", &[("retry-after", FAR)], Some(Duration::from_secs(80))),
            (
                "a date in the past",
                &[("retry-after", FAR), ("date", "Sun, 09 Sep 2001 02:00:00 GMT")],
                Some(Duration::ZERO),
            ),
            ("an hour", &[("retry-after", "3600")], Some(LONGEST_WAIT)),
            ("beyond an hour", &[("retry-after", "86400")], Some(LONGEST_WAIT)),
            ("negative", &[("retry-after", "-5")], None),
            ("not a number", &[("retry-after", "NaN")], None),
            ("missing", &[], None),
        ];
        for (name, pairs, expected) in rows {
            assert_eq!(retry_after(&headers(pairs), now), expected, "{name}");
        }
    }

    #[test]
    fn buckets_are_read() {
        let limits = RateLimits::from_headers(&headers(&[
            ("anthropic-ratelimit-requests-limit", "1000"),
            ("anthropic-ratelimit-requests-remaining", "999"),
            ("anthropic-ratelimit-requests-reset", "2026-11-23T10:00:01Z"),
            ("anthropic-ratelimit-output-tokens-limit", "100000"),
            ("anthropic-ratelimit-output-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-limit", "many"),
            ("anthropic-ratelimit-input-tokens-remaining", "1"),
        ]));
        let requests = limits.requests.unwrap();
        assert_eq!((requests.limit, requests.remaining), (1000, 999));
        assert_eq!(requests.reset.unwrap().to_rfc3339(), "2026-11-23T10:00:01+00:00");
        assert_eq!(limits.output_tokens, Some(Window { limit: 100_000, remaining: 0, reset: None }));
        assert_eq!((limits.input_tokens, limits.tokens), (None, None), "unreadable and missing");
    }
}
