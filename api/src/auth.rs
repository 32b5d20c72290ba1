//! Who may come in: whoever presents the token.

use std::{fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::Next,
    response::Response,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    app::App,
    error::{ApiError, Result},
};

/// The digest of the one token. Comparing digests takes the same time whatever was presented.
pub struct Token([u8; 32]);

impl Token {
    /// Of the configured token.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn matches(&self, presented: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        self.0.ct_eq(&presented).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Refuses a request without the token, before anything else of it is looked at.
///
/// # Errors
/// 401.
pub async fn require_token(State(app): State<Arc<App>>, request: Request, next: Next) -> Result<Response> {
    let mut headers = request.headers().get_all(AUTHORIZATION).iter();
    let presented = headers.next().and_then(|value| value.to_str().ok()).and_then(bearer);
    // Of two, a proxy in front may have looked at the other one.
    if headers.next().is_some() {
        return Err(unauthorized("send one Authorization header"));
    }
    match presented {
        Some(token) if app.token.matches(token) => Ok(next.run(request).await),
        Some(_) => Err(unauthorized("the token is not known here")),
        None => Err(unauthorized("send the token as `Authorization: Bearer …`")),
    }
}

/// The credential of a header such as `Bearer abc`; the name of the scheme may be written in any case.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorized(detail: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}
