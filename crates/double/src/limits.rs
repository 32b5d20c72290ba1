//! Rate limits per group of models: token buckets, their headers, and how much of them was used.

mod bucket;
mod form;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::refusal::Refusal;
use bucket::Bucket;
use form::{Group, Rates};
pub use form::{Limits, LimitsError};

/// Length of a window that the use is reported for.
const WINDOW_SECONDS: i64 = 10;
/// Windows that are kept at most: an hour of them.
const MOST_WINDOWS: usize = 360;

/// Limits as they are held.
#[derive(Debug)]
pub(crate) struct Meter {
    // Requests take from the buckets in parallel.
    groups: Vec<Mutex<Held>>,
}

#[derive(Debug)]
struct Held {
    group: Group,
    requests: Bucket,
    input: Bucket,
    output: Bucket,
    windows: VecDeque<WindowUse>,
}

/// Use of one group of models.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupUse {
    /// Name of the group; `other` for models that no group names.
    pub name: String,
    /// The windows of ten seconds in which something was asked, oldest first, of the last hour of use.
    pub windows: Vec<WindowUse>,
}

/// What was used in ten seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowUse {
    /// Beginning of the window, by the double's clock.
    pub start: DateTime<Utc>,
    /// Requests that were let in.
    pub requests: u64,
    /// Requests that a limit refused.
    pub refused: u64,
    /// Tokens of prompts that were not read from the cache.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// The largest share of a limit that this is, 1 being all that the limit lets through in ten seconds. A bucket that
    /// was full lets more through.
    pub share: f64,
}

impl Meter {
    pub(crate) fn new(limits: &Limits, now: DateTime<Utc>) -> Self {
        let all = limits.groups.iter().cloned().chain([Group::other()]);
        let held = all.map(|group| {
            let bucket = |per_minute| Bucket::full(per_minute, group.burst_seconds, now);
            let Rates { requests, input, output } = group.rates;
            Mutex::new(Held {
                requests: bucket(requests),
                input: bucket(input),
                output: bucket(output),
                windows: VecDeque::new(),
                group,
            })
        });
        Self { groups: held.collect() }
    }

    fn with<T>(&self, model: &str, act: impl FnOnce(&mut Held) -> T) -> T {
        let named = |held: &&Mutex<Held>| {
            let held = held.lock().unwrap_or_else(PoisonError::into_inner);
            held.group.models.iter().any(|name| *name == model)
        };
        let place = self.groups.iter().position(|held| named(&held)).unwrap_or(self.groups.len() - 1);
        act(&mut self.groups[place].lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets a request in that reads so many tokens anew, or refuses it and says when to come back.
    pub(crate) fn admit(&self, model: &str, input: u64, now: DateTime<Utc>) -> Result<(), Refusal> {
        self.with(model, |held| held.admit(model, input, now))
    }

    /// Tokens of an answer.
    pub(crate) fn output(&self, model: &str, tokens: u64, now: DateTime<Utc>) {
        self.with(model, |held| {
            held.output.take(tokens, now);
            held.note(now, |window| window.output_tokens += tokens);
        });
    }

    /// The headers of an answer for a model; of the group `other` where there is none.
    pub(crate) fn headers(&self, model: &str, now: DateTime<Utc>) -> Vec<(HeaderName, HeaderValue)> {
        self.with(model, |held| held.headers(now))
    }

    pub(crate) fn usage(&self) -> Vec<GroupUse> {
        let one = |held: &Mutex<Held>| {
            let held = held.lock().unwrap_or_else(PoisonError::into_inner);
            GroupUse { name: held.group.name.clone(), windows: held.windows.iter().cloned().collect() }
        };
        self.groups.iter().map(one).collect()
    }
}

impl Held {
    fn admit(&mut self, model: &str, input: u64, now: DateTime<Utc>) -> Result<(), Refusal> {
        // An answer's length is not known before it is given, so a bucket of output may go below zero, and has to
        // have come back above it.
        let waits = [
            (self.requests.wait_for(1, now), self.group.rates.requests, "requests"),
            (self.input.wait_for(input, now), self.group.rates.input, "input tokens"),
            (self.output.wait_for(1, now), self.group.rates.output, "output tokens"),
        ];
        let longest = waits.into_iter().max_by_key(|(wait, ..)| *wait);
        if let Some((wait, limit, what)) = longest.filter(|(wait, ..)| *wait > TimeDelta::zero()) {
            self.note(now, |window| window.refused += 1);
            let message = format!(
                "This request would exceed your organization's rate limit of {limit} {what} per minute \
                 (model: {model})."
            );
            let mut refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, message);
            let seconds = u64::try_from(wait.num_milliseconds()).unwrap_or_default().div_ceil(1_000).max(1);
            refusal.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
            return Err(refusal);
        }
        self.requests.take(1, now);
        self.input.take(input, now);
        self.note(now, |window| {
            window.requests += 1;
            window.input_tokens += input;
        });
        Ok(())
    }

    fn note(&mut self, now: DateTime<Utc>, count: impl FnOnce(&mut WindowUse)) {
        let second = now.timestamp();
        let start = DateTime::from_timestamp(second - second.rem_euclid(WINDOW_SECONDS), 0).unwrap_or(now);
        if self.windows.back().is_none_or(|last| last.start < start) {
            if self.windows.len() == MOST_WINDOWS {
                self.windows.pop_front();
            }
            self.windows.push_back(WindowUse {
                start,
                requests: 0,
                refused: 0,
                input_tokens: 0,
                output_tokens: 0,
                share: 0.0,
            });
        }
        let Some(window) = self.windows.back_mut() else { return };
        count(window);
        let Rates { requests, input, output } = self.group.rates;
        window.share = [
            bucket::share(window.requests, requests, WINDOW_SECONDS),
            bucket::share(window.input_tokens, input, WINDOW_SECONDS),
            bucket::share(window.output_tokens, output, WINDOW_SECONDS),
        ]
        .into_iter()
        .fold(0.0, f64::max);
    }

    fn headers(&mut self, now: DateTime<Utc>) -> Vec<(HeaderName, HeaderValue)> {
        let Rates { requests, input, output } = self.group.rates;
        let (input_left, input_full) = self.input.state(now);
        let (output_left, output_full) = self.output.state(now);
        let (requests_left, requests_full) = self.requests.state(now);
        let sets = [
            ("requests", requests, requests_left, requests_full),
            ("input-tokens", input, input_left, input_full),
            ("output-tokens", output, output_left, output_full),
            ("tokens", input + output, input_left + output_left, input_full.max(output_full)),
        ];
        let mut headers = Vec::new();
        for (name, limit, left, full) in sets {
            let values = [
                ("limit", limit.to_string()),
                ("remaining", left.to_string()),
                ("reset", (now + full).to_rfc3339_opts(SecondsFormat::Secs, true)),
            ];
            for (what, value) in values {
                let name = HeaderName::try_from(format!("anthropic-ratelimit-{name}-{what}"));
                if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                    headers.push((name, value));
                }
            }
        }
        headers
    }
}
