//! Each request has an id, a span and two metrics.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use hive_telemetry::{
    MetricsHandle,
    metrics::{Description, describe},
};
use metrics::SharedString;
use tracing::Instrument;
use uuid::Uuid;

/// Carries the id of a request, in and out.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over from a caller, in characters.
const LONGEST_ID: usize = 100;
/// The route of a request that no route takes. Paths themselves never become labels: callers choose them.
const NO_ROUTE: &str = "none";

const METRICS: [Description; 5] = [
    Description::counter("http_requests_total", "Requests answered, by route, method and status"),
    Description::histogram(
        "http_request_seconds",
        "How long requests took until their head was sent, by route and class of status",
    ),
    Description::gauge(
        "hive_admission_oldest_ready_seconds",
        "How long the oldest ready task has waited, as this process saw it when it last decided whom to admit",
    ),
    Description::counter("hive_admission_refused_total", "Tasks refused because the backlog was too old"),
    Description::gauge("hive_event_streams", "Watchers that are connected to this process"),
];

/// Makes this process count, and says what.
pub fn install_metrics() -> MetricsHandle {
    let handle = hive_telemetry::metrics::install("api");
    describe(&METRICS);
    hive_queue::describe_metrics();
    hive_store::describe_metrics();
    metrics::gauge!("hive_event_streams").set(0.0);
    handle
}

/// Wraps every request.
pub async fn observe(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = request_id(&request);
    let route: SharedString = match request.extensions().get::<MatchedPath>() {
        Some(path) => Arc::<str>::from(path.as_str()).into(),
        None => NO_ROUTE.into(),
    };
    let method = method_label(request.method());
    let span = tracing::info_span!(
        "request",
        trace.id = id.to_str().ok(),
        http.route = &*route,
        http.method = method
    );

    let mut response = next.run(request).instrument(span).await;

    let status = SharedString::from(response.status().as_str().to_owned());
    metrics::counter!("http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    // By class of status only: each combination costs a whole set of buckets.
    let class = class_label(response.status());
    metrics::histogram!("http_request_seconds", "route" => route, "status" => class).record(start.elapsed());
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The caller's id when it is a plain word, else a new one.
fn request_id(request: &Request) -> HeaderValue {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let given = request.headers().get(&REQUEST_ID);
    let usable =
        |id: &&HeaderValue| (1..=LONGEST_ID).contains(&id.len()) && id.as_bytes().iter().copied().all(plain);
    match given.filter(usable) {
        Some(id) => id.clone(),
        None => HeaderValue::from_str(&Uuid::now_v7().to_string())
            .expect("a UUID is hexadecimal digits and dashes"),
    }
}

fn class_label(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// Callers may invent methods, so only those we know become labels.
fn method_label(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}
