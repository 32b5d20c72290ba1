//! One batch and its course: its requests are done evenly over its delay; what is left when it is canceled is
//! canceled, and what is left after a day expires.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::written;
use crate::check::Sent;
use crate::refusal::Refusal;

/// Time after which what was not done expires.
const LIFETIME: TimeDelta = TimeDelta::hours(24);
/// Time that results can be fetched, from the creation of their batch on.
const KEPT: TimeDelta = TimeDelta::days(29);

#[derive(Debug)]
pub(super) struct Batch {
    pub(super) id: String,
    requests: Vec<Member>,
    sent: Sent,
    created: DateTime<Utc>,
    delay: TimeDelta,
    canceled: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    /// Requests that were done, in the order they came in.
    done: usize,
}

#[derive(Debug)]
struct Member {
    custom_id: String,
    params: Value,
    result: Option<Value>,
}

impl Batch {
    pub(super) fn new(
        id: String,
        requests: Vec<(String, Value)>,
        sent: Sent,
        created: DateTime<Utc>,
        delay: Duration,
    ) -> Self {
        let member = |(custom_id, params)| Member { custom_id, params, result: None };
        Self {
            id,
            requests: requests.into_iter().map(member).collect(),
            sent,
            created,
            delay: TimeDelta::from_std(delay).unwrap_or(LIFETIME * 2).min(LIFETIME * 365),
            canceled: None,
            ended: None,
            done: 0,
        }
    }

    /// When a request is done, by its place.
    fn due(&self, place: usize) -> DateTime<Utc> {
        let total = i64::try_from(self.requests.len()).unwrap_or(i64::MAX);
        let place = i64::try_from(place).unwrap_or(i64::MAX) + 1;
        let millis = i128::from(self.delay.num_milliseconds()) * i128::from(place) / i128::from(total.max(1));
        self.created + TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX / 4))
    }

    /// Does what was to be done by now, and ends the batch where it is over. `work` gives the result of one request.
    pub(super) fn settle(&mut self, now: DateTime<Utc>, work: impl Fn(&str, &Value, &Sent) -> Value) {
        if self.ended.is_some() {
            return;
        }
        let expiry = self.created + LIFETIME;
        let stop = self.canceled.unwrap_or(expiry).min(expiry);
        while self.done < self.requests.len() && self.due(self.done) <= now.min(stop) {
            let member = &mut self.requests[self.done];
            member.result = Some(work(&self.id, &member.params, &self.sent));
            self.done += 1;
        }
        if self.done == self.requests.len() {
            self.ended = Some(self.due(self.done.saturating_sub(1)));
        } else if now >= stop {
            let rest = if self.canceled.is_some() { "canceled" } else { "expired" };
            for member in &mut self.requests[self.done..] {
                member.result = Some(json!({ "type": rest }));
            }
            self.ended = Some(stop);
        }
    }

    /// What was not done yet will not be. Once more is no error, and neither is it after the end.
    pub(super) fn cancel(&mut self, now: DateTime<Utc>) -> Result<(), Refusal> {
        if self.ended.is_some() {
            let message = format!("Batch {} has ended and cannot be canceled", self.id);
            return Err(Refusal::invalid(message));
        }
        self.canceled.get_or_insert(now);
        Ok(())
    }

    /// Refuses what only a batch that has ended allows.
    pub(super) fn ended(&self, what: &str) -> Result<(), Refusal> {
        match self.ended {
            Some(_) => Ok(()),
            None => {
                let message = format!("Batch {} is still being processed and cannot be {what}", self.id);
                Err(Refusal::invalid(message))
            }
        }
    }

    fn archived(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        Some(self.created + KEPT).filter(|archived| *archived <= now)
    }

    pub(super) fn results(&self, now: DateTime<Utc>) -> Result<String, Refusal> {
        self.ended("read: its results are not available yet")?;
        if self.archived(now).is_some() {
            let message = format!("The results of batch {} are no longer available", self.id);
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        }
        // By digest of their ids: any order but that of the requests, and always the same.
        let mut members: Vec<_> = self.requests.iter().collect();
        members.sort_by_key(|member| Sha256::digest(member.custom_id.as_bytes()));
        let line = |member: &Member| {
            format!("{}\n", json!({ "custom_id": member.custom_id, "result": member.result }))
        };
        Ok(members.into_iter().map(line).collect())
    }

    pub(super) fn view(&self, base: &str, now: DateTime<Utc>) -> Value {
        let count = |kind: &str| {
            let of_kind =
                |member: &&Member| member.result.as_ref().is_some_and(|result| result["type"] == kind);
            if self.ended.is_some() { self.requests.iter().filter(of_kind).count() } else { 0 }
        };
        let status = match (self.ended, self.canceled) {
            (Some(_), _) => "ended",
            (None, Some(_)) => "canceling",
            (None, None) => "in_progress",
        };
        json!({
            "id": self.id, "type": "message_batch", "processing_status": status,
            "request_counts": {
                "processing": if self.ended.is_some() { 0 } else { self.requests.len() },
                "succeeded": count("succeeded"), "errored": count("errored"),
                "canceled": count("canceled"), "expired": count("expired"),
            },
            "created_at": written(self.created), "expires_at": written(self.created + LIFETIME),
            "ended_at": self.ended.map(written), "cancel_initiated_at": self.canceled.map(written),
            "archived_at": self.archived(now).map(written),
            "results_url": self.ended.filter(|_| self.archived(now).is_none()).map(|_| format!("{base}/v1/messages/batches/{}/results", self.id)),
        })
    }
}
