use super::*;
use crate::error::{Partial, Phase};
use crate::rate_limit::RateLimits;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn again(after: f64) -> Verdict {
    Verdict::Again { after: seconds(after) }
}

fn limited(after: f64) -> Verdict {
    Verdict::Later { after: seconds(after), reason: WaitReason::RateLimited }
}

fn unavailable(after: f64) -> Verdict {
    Verdict::Later { after: seconds(after), reason: WaitReason::ProviderUnavailable }
}

/// An error by status and type, with the rest to be filled in.
fn api(status: u16, kind: &str) -> ApiError {
    ApiError {
        status,
        kind: ErrorKind::from(kind),
        code: None,
        message: "text for people".to_owned(),
        request_id: None,
        retry_after: None,
        should_retry: None,
        rate_limits: RateLimits::default(),
        is_of_service: true,
        partial_usage: None,
    }
}

fn after(error: ApiError, wait: f64) -> ApiError {
    ApiError { retry_after: Some(seconds(wait)), ..error }
}

fn code(error: ApiError, code: &str) -> ApiError {
    ApiError { code: Some(code.to_owned()), ..error }
}

fn said(error: ApiError, should_retry: bool) -> ApiError {
    ApiError { should_retry: Some(should_retry), ..error }
}

fn told(error: ApiError, message: &str) -> ApiError {
    ApiError { message: message.to_owned(), ..error }
}

/// The verdict on the first attempt, with half of the longest random wait (0.25 s).
fn first(error: ApiError) -> Verdict {
    verdict(&Error::Api(Box::new(error)), 1, Duration::ZERO, &RetryPolicy::default(), 0.5)
}

#[test]
fn each_answer_of_the_service() {
    let rate = || api(429, "rate_limit_error");
    let busy = || api(529, "overloaded_error");
    let bad = || api(400, "invalid_request_error");
    let barred = || api(403, "permission_error");
    let rows = [
        ("400", bad(), end(EndReason::InvalidRequest)),
        ("400 prompt is too long", told(bad(), "prompt is too long: 9 > 8"), Verdict::TooLong),
        ("400 organisation on hold", code(bad(), "organization_on_hold"), stop(KeyStop::Permission)),
        ("400 spend limit", code(bad(), "own_spend_limit_reached"), stop(KeyStop::SpendLimit)),
        ("400 billing", api(400, "billing_error"), stop(KeyStop::Billing)),
        ("401", api(401, "authentication_error"), stop(KeyStop::Authentication)),
        ("402", api(402, "billing_error"), stop(KeyStop::Billing)),
        ("403", api(403, "permission_error"), stop(KeyStop::Permission)),
        ("404", api(404, "not_found_error"), end(EndReason::ModelNotFound)),
        ("408", api(408, "timeout_error"), again(0.25)),
        ("409", api(409, "conflict_error"), again(0.25)),
        ("413", api(413, "request_too_large"), end(EndReason::TooLarge)),
        ("422", api(422, "invalid_request_error"), end(EndReason::InvalidRequest)),
        ("418", api(418, "teapot_error"), end(EndReason::Rejected)),
        ("302", api(302, "http_302"), end(EndReason::Rejected)),
        ("429 with a short wait", after(rate(), 2.0), again(2.25)),
        ("429 with a long wait", after(rate(), 40.0), limited(40.25)),
        ("429 without a wait", rate(), again(0.25)),
        ("429 growing too fast", after(code(rate(), "ramp_limit_exceeded"), 20.0), limited(20.25)),
        ("429 enforced spend limit", code(rate(), "enforced_spend_limit_reached"), stop(KeyStop::SpendLimit)),
        ("429 contract spend limit", code(rate(), "contract_spend_limit_reached"), stop(KeyStop::SpendLimit)),
        (
            "429 spend limit that says retry",
            said(after(code(rate(), "enforced_spend_limit_reached"), 1.0), true),
            stop(KeyStop::SpendLimit),
        ),
        ("500", api(500, "api_error"), again(0.25)),
        ("502 of a gateway", api(502, "http_502"), again(0.25)),
        ("503", api(503, "api_error"), again(0.25)),
        ("504", api(504, "timeout_error"), again(0.25)),
        ("529", busy(), again(0.25)),
        ("529 with a long wait", after(busy(), 30.0), unavailable(30.25)),
        ("500 of a gateway that calls it a bad request", api(500, "invalid_request_error"), again(0.25)),
        (
            "400 of a gateway that calls it overload",
            api(400, "overloaded_error"),
            end(EndReason::InvalidRequest),
        ),
        (
            "400 usage limits",
            told(
                bad(),
                "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
            ),
            stop(KeyStop::SpendLimit),
        ),
        (
            "403 of a model",
            told(barred(), "Your organization may not use claude-opus-5-5."),
            end(EndReason::ModelForbidden),
        ),
        (
            "403 of a model, by the word",
            told(barred(), "No access to this Model"),
            end(EndReason::ModelForbidden),
        ),
        (
            "403 with a code",
            code(told(barred(), "No model for you"), "organization_on_hold"),
            stop(KeyStop::Permission),
        ),
        ("403 of another type", told(api(403, "http_403"), "model"), stop(KeyStop::Permission)),
        ("529 that says no", said(busy(), false), unavailable(60.25)),
        ("529 that says no and when", said(after(busy(), 20.0), false), unavailable(20.25)),
        ("429 that says no and when", said(after(rate(), 1.0), false), limited(1.25)),
        ("503 that says no and when", said(after(api(503, "api_error"), 20.0), false), unavailable(20.25)),
        ("503 that says no", said(api(503, "api_error"), false), end(EndReason::RetryRefused)),
        ("401 that says no", said(api(401, "authentication_error"), false), stop(KeyStop::Authentication)),
        ("400 that says yes", said(bad(), true), again(0.25)),
        ("in the stream: overloaded", api(200, "overloaded_error"), again(0.25)),
        ("in the stream: api_error", api(200, "api_error"), again(0.25)),
        ("in the stream: rate limit", after(api(200, "rate_limit_error"), 60.0), limited(60.25)),
        ("in the stream: bad request", api(200, "invalid_request_error"), end(EndReason::InvalidRequest)),
        ("in the stream: key revoked", api(200, "authentication_error"), stop(KeyStop::Authentication)),
        ("in the stream: a type to come", api(200, "sunspot_error"), again(0.25)),
    ];
    for (name, error, expected) in rows {
        assert_eq!(first(error), expected, "{name}");
    }
}

#[tokio::test]
async fn each_failure_of_the_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut errors = Vec::new();
    for _ in 0..2 {
        errors.push(http.get(&closed).send().await.unwrap_err());
    }
    let mut refused = || errors.pop().unwrap();
    let garbage = || Error::Protocol { message: "garbage".to_owned(), partial: Partial::default() };
    let idle = || Error::Idle { after: seconds(60.0), partial: Partial::default() };
    let total = || Error::Timeout { phase: Phase::Total, partial: Partial::default() };
    let cut = || Error::Cut { partial: Partial::default(), source: None };
    let page = |status| Error::Api(Box::new(ApiError { is_of_service: false, ..api(status, "gateway") }));
    let not_json = serde_json::from_str::<u8>("x").unwrap_err();
    let rows = [
        ("no connection", Error::Connect(refused()), 1, again(0.25)),
        ("no connection, third", Error::Connect(refused()), 3, unavailable(60.0)),
        ("cut", cut(), 1, again(0.25)),
        ("cut, fourth", cut(), 4, again(2.0)),
        ("cut, fifth", cut(), 5, unavailable(4.0)),
        ("cut, sixth", cut(), 6, unavailable(60.0)),
        ("idle", idle(), 1, again(0.25)),
        ("idle, second", idle(), 2, unavailable(60.0)),
        ("no headers", Error::Timeout { phase: Phase::Headers, partial: Partial::default() }, 1, again(0.25)),
        ("too long in total, second", total(), 2, unavailable(60.0)),
        ("garbage", garbage(), 1, again(0.25)),
        ("garbage, second", garbage(), 2, unavailable(60.0)),
        ("a page with 403", page(403), 1, again(0.25)),
        ("a page with 404", page(404), 1, again(0.25)),
        ("a page with 302, sixth", page(302), 6, unavailable(60.0)),
        ("a page with 401", page(401), 1, Verdict::StopKey { reason: KeyStop::Authentication }),
        ("configuration", Error::Config("x".to_owned()), 1, end(EndReason::Configuration)),
        ("a request without JSON", Error::Request(not_json), 1, end(EndReason::InvalidRequest)),
    ];
    for (name, error, attempt, expected) in rows {
        assert_eq!(
            verdict(&error, attempt, Duration::ZERO, &RetryPolicy::default(), 0.5),
            expected,
            "{name}"
        );
    }
}

#[test]
fn tries_run_out() {
    let rows = [
        ("overload parks", api(529, "overloaded_error"), unavailable(60.0)),
        ("a rate limit parks as one", api(429, "rate_limit_error"), limited(60.0)),
        (
            "a wait longer than the parking time stands",
            after(api(429, "rate_limit_error"), 90.0),
            limited(98.0),
        ),
        (
            "a bad request that says yes ends",
            said(api(400, "invalid_request_error"), true),
            end(EndReason::InvalidRequest),
        ),
    ];
    for (name, error, expected) in rows {
        let error = Error::Api(Box::new(error));
        assert_eq!(verdict(&error, 6, Duration::ZERO, &RetryPolicy::default(), 0.5), expected, "{name}");
    }
}

#[test]
fn waits_double_up_to_the_cap_and_are_random_from_zero() {
    let policy = RetryPolicy { max_tries: 100, max_inline_wait: seconds(60.0), ..RetryPolicy::default() };
    let error = Error::Api(Box::new(api(500, "api_error")));
    let longest = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0];
    for (attempt, longest) in (1..).zip(longest) {
        assert_eq!(
            verdict(&error, attempt, Duration::ZERO, &policy, 1.0),
            again(longest),
            "attempt {attempt}"
        );
        assert_eq!(verdict(&error, attempt, Duration::ZERO, &policy, 0.0), again(0.0), "attempt {attempt}");
    }
    assert_eq!(verdict(&error, 99, Duration::ZERO, &policy, 1.0), again(30.0));
    for nonsense in [f64::NAN, f64::INFINITY, -1.0, 2.0] {
        assert_eq!(verdict(&error, 1, Duration::ZERO, &policy, nonsense), again(0.5), "{nonsense}");
    }
}

#[test]
fn a_wait_the_service_asked_for_is_never_undercut() {
    for attempt in [0, 1, 5, 6, 7, u32::MAX] {
        for jitter in [0.0, 0.3, 1.0] {
            for wait in [0.001, 1.0, 59.0, 61.0, 2_678_400.0] {
                let error = Error::Api(Box::new(after(api(429, "rate_limit_error"), wait)));
                let given = match verdict(&error, attempt, Duration::ZERO, &RetryPolicy::default(), jitter) {
                    Verdict::Again { after } | Verdict::Later { after, .. } => after,
                    ended => panic!("{ended:?}"),
                };
                assert!(given >= seconds(wait), "{wait} s on attempt {attempt} became {given:?}");
            }
        }
    }
}

#[test]
fn five_minutes_are_the_longest_that_tries_take() {
    let error = Error::Api(Box::new(api(529, "overloaded_error")));
    let late = |elapsed| verdict(&error, 2, seconds(elapsed), &RetryPolicy::default(), 0.5);
    assert_eq!(late(299.0), again(0.5));
    assert_eq!(late(299.6), unavailable(60.0));
}

#[test]
fn what_a_breaker_and_the_fleet_learn_from_an_error() {
    let of = |error: ApiError| Error::Api(Box::new(error));
    let rate = || api(429, "rate_limit_error");
    for (error, health_of_it, hold_of_it) in [
        (of(after(rate(), 7.0)), Health::Answers, Some(seconds(7.0))),
        (of(after(api(529, "overloaded_error"), 3.0)), Health::Fails, Some(seconds(3.0))),
        (of(said(after(rate(), 7.0), false)), Health::Answers, Some(seconds(7.0))),
        (of(said(after(api(529, "overloaded_error"), 3.0), false)), Health::Fails, Some(seconds(3.0))),
        (of(said(after(api(503, "api_error"), 3.0), false)), Health::Fails, Some(seconds(3.0))),
        (of(after(api(401, "authentication_error"), 7.0)), Health::Answers, None),
        (of(api(503, "api_error")), Health::Fails, None),
        (of(after(api(400, "invalid_request_error"), 7.0)), Health::Answers, None),
        (of(after(code(rate(), "enforced_spend_limit_reached"), 7.0)), Health::Answers, None),
        (Error::Cut { partial: Partial::default(), source: None }, Health::Fails, None),
        (Error::Config("x".to_owned()), Health::Unknown, None),
    ] {
        assert_eq!((health(&error), hold(&error)), (health_of_it, hold_of_it), "{error}");
    }
}

#[test]
fn what_an_error_tells_of_the_key_and_of_a_limit_without_a_time() {
    let rate = || api(429, "rate_limit_error");
    for (error, is_good, is_unnamed) in [
        (api(400, "invalid_request_error"), true, false),
        (api(404, "not_found_error"), true, false),
        (rate(), true, true),
        (after(rate(), 0.0), true, true),
        (after(rate(), 7.0), true, false),
        (code(rate(), "a_code_to_come"), true, true),
        (code(rate(), "enforced_spend_limit_reached"), false, false),
        (api(529, "overloaded_error"), true, false),
        (api(200, "rate_limit_error"), true, true),
        (api(500, "api_error"), false, false),
        (api(401, "authentication_error"), false, false),
        (code(api(400, "invalid_request_error"), "organization_on_hold"), false, false),
    ] {
        let error = Error::Api(Box::new(error));
        assert_eq!((accepts_key(&error), is_unnamed_limit(&error)), (is_good, is_unnamed), "{error:?}");
    }
}
