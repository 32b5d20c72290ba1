//! What to do after a failed call. This is the only place that decides it.

use std::time::Duration;

use crate::error::{ApiError, Error, ErrorKind};

/// How patient the caller is.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// The longest random wait after the first attempt; it doubles with each further one.
    pub base: Duration,
    /// The longest random wait at all.
    pub cap: Duration,
    /// How many attempts are made before the task is parked.
    pub max_tries: u32,
    /// The same for calls that ran into a time limit or met garbage: each may have taken minutes and money.
    pub max_slow_tries: u32,
    /// The same for a connection that does not come up.
    pub max_connect_tries: u32,
    /// How long tries and the waits between them may take together before the task is parked.
    pub give_up_after: Duration,
    /// The longest wait for which a worker keeps its slot.
    pub max_inline_wait: Duration,
    /// How long a task is parked when the service names no time.
    pub park: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            max_tries: 6,
            max_slow_tries: 2,
            max_connect_tries: 3,
            give_up_after: Duration::from_secs(300),
            max_inline_wait: Duration::from_secs(3),
            park: Duration::from_secs(60),
        }
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask again, with the same request, after this wait.
    Again {
        /// The wait.
        after: Duration,
    },
    /// Give the slot back and ask again after this wait at the earliest.
    Later {
        /// The wait.
        after: Duration,
        /// What is waited for.
        reason: WaitReason,
    },
    /// No call with this key is of use until somebody mends it: stop the key for the whole fleet and park the task.
    StopKey {
        /// Why.
        reason: KeyStop,
    },
    /// The prompt does not fit into the model's window: compact, then ask anew.
    TooLong,
    /// Asking again is of no use.
    End {
        /// Why.
        reason: EndReason,
    },
}

/// What a parked task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitReason {
    /// The service's limit on this key.
    RateLimited,
    /// The service, or the way to it.
    ProviderUnavailable,
}

/// Why no call with a key is made any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyStop {
    /// The key is missing, wrong or revoked.
    Authentication,
    /// The key may not do this, or its organisation is on hold.
    Permission,
    /// Something about payment.
    Billing,
    /// The money for this period is spent, until a person or the calendar changes it.
    SpendLimit,
}

impl KeyStop {
    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::Billing => "billing",
            Self::SpendLimit => "spend_limit",
        }
    }
}

/// What a failed call says about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered, although not with a reply.
    Answers,
    /// It, or the way to it, failed.
    Fails,
    /// Nothing was asked of it.
    Unknown,
}

/// Why a call is not made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The service does not take this request.
    InvalidRequest,
    /// There is no such model, or the base URL is wrong; the error's message says which.
    ModelNotFound,
    /// The key may not use this model, and may use others.
    ModelForbidden,
    /// The request has too many bytes.
    TooLarge,
    /// The service said that an error which is usually tried again should not be.
    RetryRefused,
    /// A status that has no meaning here, for example a redirect.
    Rejected,
    /// The client's configuration is wrong.
    Configuration,
}

/// What a breaker learns from `error`.
#[must_use]
pub fn health(error: &Error) -> Health {
    match error {
        Error::Config(_) | Error::Request(_) | Error::Late => Health::Unknown,
        Error::Connect(_)
        | Error::Cut { .. }
        | Error::Timeout { .. }
        | Error::Idle { .. }
        | Error::Protocol { .. } => Health::Fails,
        Error::Api(error) => match usual(error) {
            Ok(WaitReason::ProviderUnavailable) => Health::Fails,
            Ok(WaitReason::RateLimited) | Err(_) => Health::Answers,
        },
    }
}

/// How long nobody with this key may ask for this model again: what the service named, of an error that passes. That it
/// shall not be tried again is said of this call alone.
#[must_use]
pub fn hold(error: &Error) -> Option<Duration> {
    let Error::Api(error) = error else { return None };
    match classify_api(error, &RetryPolicy::default()) {
        Class::Final(Verdict::StopKey { .. }) => None,
        Class::Final(_) if usual(error).is_err() => None,
        Class::Passing(_) | Class::Final(_) => error.named_wait(),
    }
}

/// True when the service refuses for its rate and names no time, so that somebody else has to.
#[must_use]
pub fn is_unnamed_limit(error: &Error) -> bool {
    let Error::Api(api) = error else { return false };
    api.named_wait().is_none() && stops_key(error).is_none() && usual(api) == Ok(WaitReason::RateLimited)
}

/// True when the service answered in a way that it gives only to a key that is good, although not with a reply.
#[must_use]
pub fn accepts_key(error: &Error) -> bool {
    let Error::Api(api) = error else { return false };
    let is_past_the_door = api.status == 200 || api.status == 529 || health(error) == Health::Answers;
    is_past_the_door && stops_key(error).is_none()
}

/// Why no call with this key is of use any more, if `error` says so.
#[must_use]
pub fn stops_key(error: &Error) -> Option<KeyStop> {
    match classify(error, &RetryPolicy::default()) {
        Class::Final(Verdict::StopKey { reason }) => Some(reason),
        Class::Final(_) | Class::Passing(_) => None,
    }
}

/// Decides what follows from `error`, met on attempt number `attempt` (the first is 1), `elapsed` after the first began.
///
/// Waits are random between zero and a limit that doubles (full jitter), so that a fleet does not come back in
/// step. `jitter` is the random number, from 0 to 1. A wait that the service asked for is never undercut.
#[must_use]
pub fn verdict(error: &Error, attempt: u32, elapsed: Duration, policy: &RetryPolicy, jitter: f64) -> Verdict {
    let passing = match classify(error, policy) {
        Class::Final(Verdict::Later { after, reason }) => {
            return Verdict::Later { after: after.saturating_add(backoff(attempt, policy, jitter)), reason };
        }
        Class::Final(verdict) => return verdict,
        Class::Passing(passing) => passing,
    };
    let after = passing.at_least.saturating_add(backoff(attempt, policy, jitter));
    if attempt >= passing.tries || elapsed.saturating_add(after) > policy.give_up_after {
        return match passing.finally {
            Some(last) if attempt >= passing.tries => last,
            _ => Verdict::Later { after: after.max(policy.park), reason: passing.reason },
        };
    }
    if after > policy.max_inline_wait {
        return Verdict::Later { after, reason: passing.reason };
    }
    Verdict::Again { after }
}

fn backoff(attempt: u32, policy: &RetryPolicy, jitter: f64) -> Duration {
    let factor = 1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let limit = policy.base.saturating_mul(factor).min(policy.cap);
    // Anything that is not a number from 0 to 1 counts as the longest wait.
    limit.mul_f64(if (0.0..=1.0).contains(&jitter) { jitter } else { 1.0 })
}

enum Class {
    Final(Verdict),
    Passing(Passing),
}

struct Passing {
    reason: WaitReason,
    tries: u32,
    at_least: Duration,
    /// How it ends after the last try; `None` parks the task.
    finally: Option<Verdict>,
}

fn classify(error: &Error, policy: &RetryPolicy) -> Class {
    let unavailable = |tries, finally| {
        Class::Passing(Passing {
            reason: WaitReason::ProviderUnavailable,
            tries,
            at_least: Duration::ZERO,
            finally,
        })
    };
    match error {
        Error::Config(_) => Class::Final(end(EndReason::Configuration)),
        Error::Request(_) => Class::Final(end(EndReason::InvalidRequest)),
        Error::Connect(_) | Error::Late => unavailable(policy.max_connect_tries, None),
        Error::Cut { .. } => unavailable(policy.max_tries, None),
        Error::Timeout { .. } | Error::Idle { .. } => unavailable(policy.max_slow_tries, None),
        // A page of something in between, or a service that is not what it was: neither is the end of a task.
        Error::Protocol { .. } => unavailable(policy.max_slow_tries, None),
        Error::Api(error) => classify_api(error, policy),
    }
}

const fn end(reason: EndReason) -> Verdict {
    Verdict::End { reason }
}

const fn stop(reason: KeyStop) -> Verdict {
    Verdict::StopKey { reason }
}

fn classify_api(error: &ApiError, policy: &RetryPolicy) -> Class {
    // Comes as a 429 like any other, but no wait helps: not even the service's own word makes it worth a retry.
    if error.code.as_deref().is_some_and(|code| code.ends_with("_spend_limit_reached")) {
        return Class::Final(stop(KeyStop::SpendLimit));
    }
    let passing = |reason, finally| {
        Class::Passing(Passing {
            reason,
            tries: policy.max_tries,
            at_least: error.retry_after.unwrap_or(Duration::ZERO),
            finally,
        })
    };
    // A page of something in between says nothing of the model and nothing of the key.
    if !error.is_of_service && matches!(error.status, 300..=399 | 403..=407 | 410..=412 | 414..=421) {
        return passing(WaitReason::ProviderUnavailable, None);
    }
    match (usual(error), error.should_retry) {
        // Not this call, and not at once. Such an error passes all the same: it is the end of no task.
        (Ok(reason), Some(false)) if error.is_crowded() || error.named_wait().is_some() => {
            Class::Final(Verdict::Later { after: error.named_wait().unwrap_or(policy.park), reason })
        }
        (Ok(_), Some(false)) => Class::Final(end(EndReason::RetryRefused)),
        (Ok(reason), _) => passing(reason, None),
        // A key that is refused is refused for all, whatever is said about this call.
        (Err(last @ Verdict::End { .. }), Some(true)) => passing(WaitReason::ProviderUnavailable, Some(last)),
        (Err(last), _) => Class::Final(last),
    }
}

/// What the status says, or for an error inside a stream, the status that its type would have had.
fn usual(error: &ApiError) -> Result<WaitReason, Verdict> {
    Err(match error.usual_status() {
        429 => return Ok(WaitReason::RateLimited),
        408 | 409 | 500..=599 => return Ok(WaitReason::ProviderUnavailable),
        400 | 422 => refused_request(error),
        401 => stop(KeyStop::Authentication),
        402 => stop(KeyStop::Billing),
        403 if is_about_a_model(error) => end(EndReason::ModelForbidden),
        403 => stop(KeyStop::Permission),
        404 => end(EndReason::ModelNotFound),
        413 => end(EndReason::TooLarge),
        _ => end(EndReason::Rejected),
    })
}

fn refused_request(error: &ApiError) -> Verdict {
    if error.kind == ErrorKind::Billing {
        return stop(KeyStop::Billing);
    }
    if error.code.as_deref() == Some("organization_on_hold") {
        return stop(KeyStop::Permission);
    }
    // Messages are read here and for a 403 alone: the service has no code for these cases. Taken for ordinary bad requests
    // they would end a task that compaction can save, and each task of the fleet until the limit is raised.
    if error.message.starts_with("prompt is too long") {
        return Verdict::TooLong;
    }
    if error.message.starts_with("You have reached your specified API usage limits") {
        return stop(KeyStop::SpendLimit);
    }
    end(EndReason::InvalidRequest)
}

/// A key that may not use one model is good for the others. With a code it is about the key or its organisation.
fn is_about_a_model(error: &ApiError) -> bool {
    let message = error.message.to_ascii_lowercase();
    error.kind == ErrorKind::Permission
        && error.code.is_none()
        && (message.contains("model") || message.contains("claude-"))
}

impl ApiError {
    /// The status, or for an error inside a stream, the one that its type would have had.
    fn usual_status(&self) -> u16 {
        if self.status == 200 { usual_status(&self.kind) } else { self.status }
    }

    /// The wait that the service asks for, if any.
    fn named_wait(&self) -> Option<Duration> {
        self.retry_after.filter(|wait| !wait.is_zero())
    }

    /// Too many ask for the service's taste, which says nothing against this request.
    fn is_crowded(&self) -> bool {
        matches!(self.usual_status(), 429 | 529)
    }
}

fn usual_status(kind: &ErrorKind) -> u16 {
    match kind {
        ErrorKind::InvalidRequest => 400,
        ErrorKind::Authentication => 401,
        ErrorKind::Billing => 402,
        ErrorKind::Permission => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::Conflict => 409,
        ErrorKind::RequestTooLarge => 413,
        ErrorKind::RateLimit => 429,
        ErrorKind::Timeout => 504,
        ErrorKind::Overloaded => 529,
        ErrorKind::ApiError | ErrorKind::Unknown(_) => 500,
    }
}

#[cfg(test)]
mod tests;
