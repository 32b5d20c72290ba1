//! Requests that may be sent again: the same `Idempotency-Key` with the same body has one effect and one answer.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
};
use hive_domain::Priority;
use hive_store::{Attempt, KeptAnswer, Once, RequestKey};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    app::{ACTOR, App},
    body::{self, MAX_BYTES},
    error::{ApiError, Result},
};

/// The caller's name for a request.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, in characters.
const LONGEST_KEY: usize = 255;

/// A JSON body of at most `MOST` bytes, and the key it came with.
#[derive(Debug)]
pub struct Keyed<T, const MOST: usize = MAX_BYTES> {
    /// The body.
    pub body: T,
    /// The key, if the caller means to send it again.
    pub key: Option<RequestKey>,
    /// Held as long as the body is.
    _turn: Option<OwnedSemaphorePermit>,
}

impl<T: DeserializeOwned, const MOST: usize> FromRequest<Arc<App>> for Keyed<T, MOST> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        body::demand_json(request.headers())?;
        let turn = if MOST > MAX_BYTES {
            let turn = Arc::clone(&app.large_bodies).acquire_owned().await;
            Some(turn.map_err(|closed| ApiError::internal(&closed))?)
        } else {
            None
        };
        let (key, bytes) = read(request, MOST).await?;
        Ok(Self { body: body::parse(&bytes)?, key, _turn: turn })
    }
}

/// The key of a request whose body says nothing.
#[derive(Debug)]
pub struct Key(pub Option<RequestKey>);

impl FromRequest<Arc<App>> for Key {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self> {
        Ok(Self(read(request, MAX_BYTES).await?.0))
    }
}

async fn read(request: Request, most: usize) -> Result<(Option<RequestKey>, Bytes)> {
    let (parts, body) = request.into_parts();
    let key = key_of(&parts.headers)?;
    let bytes = body::read(body, most).await?;
    let key = key.map(|key| {
        let mut everything = Sha256::new();
        // The first two hold no line break, so that none of the three can pass for a part of another.
        for part in [parts.method.as_str(), parts.uri.path()] {
            everything.update(part);
            everything.update("\n");
        }
        everything.update(&bytes);
        RequestKey { owner: ACTOR.to_owned(), key, fingerprint: everything.finalize().into() }
    });
    Ok((key, bytes))
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>> {
    let refuse = |detail: &str| {
        Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_idempotency_key",
            format!("Idempotency-Key {detail}"),
        ))
    };
    let mut given = headers.get_all(KEY).iter();
    let Some(key) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return refuse("is given more than once");
    }
    let visible = key.as_bytes().iter().all(u8::is_ascii_graphic);
    match key.to_str() {
        Ok(key) if visible && (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => refuse("has 1 to 255 visible ASCII characters"),
    }
}

/// Whether the effect of a request is still to be made.
pub enum Turn {
    /// It is, in this transaction.
    Ours(Once),
    /// It was; this is what was answered.
    Over(Response),
}

/// Takes the key, if there is one. Another request with the same key waits until this one is finished.
///
/// # Errors
/// 422 `idempotency_key_reused`.
pub async fn begin(app: &App, key: Option<&RequestKey>) -> Result<Turn> {
    Ok(match app.store.attempt(key).await? {
        Attempt::First(once) => Turn::Ours(once),
        Attempt::Again(answer) => Turn::Over(replay(answer)),
    })
}

/// The answer of an earlier request with this key: a look before anything costly is done for the new one.
///
/// # Errors
/// 422 `idempotency_key_reused`.
pub async fn earlier(app: &App, key: Option<&RequestKey>) -> Result<Option<Response>> {
    match key {
        Some(key) => Ok(app.store.earlier_answer(key).await?.map(replay)),
        None => Ok(None),
    }
}

/// Lets new work of this priority pass the gate of the backlog. What was accepted before is answered as it was then,
/// however old the backlog has become.
///
/// # Errors
/// 429 `backlog`; 422 `idempotency_key_reused`.
pub async fn admitted(app: &App, key: Option<&RequestKey>, priority: Priority) -> Result<Option<Response>> {
    match app.admission.admit(priority) {
        Ok(()) => Ok(None),
        Err(refusal) => earlier(app, key).await?.map_or(Err(refusal), |answer| Ok(Some(answer))),
    }
}

/// Makes the effects lasting, and the answer with them.
///
/// # Errors
/// When Postgres does not confirm it.
pub async fn finish(
    once: Once,
    status: StatusCode,
    location: Option<String>,
    view: &impl Serialize,
) -> Result<Response> {
    let body = serde_json::to_string(view).map_err(|error| ApiError::internal(&error))?;
    let answer = KeptAnswer { status: status.as_u16(), location, body };
    once.finish(&answer).await?;
    Ok(response(answer))
}

fn replay(answer: KeptAnswer) -> Response {
    let mut response = response(answer);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn response(answer: KeptAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response =
        (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], answer.body).into_response();
    if let Some(location) = answer.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
