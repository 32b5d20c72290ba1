//! Requests to the server, and its problems as failures.

pub(crate) mod stream;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::Url;

use crate::{failure::Failure, settings::Connection};

/// A connection to the server.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
}

impl Client {
    pub(crate) fn new(connection: &Connection) -> Result<Self, Failure> {
        let (base, token) = connection.resolve()?;
        Ok(Self { http: http()?, base, token })
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let url = self.base.join(path).map_err(|error| Failure::Usage(format!("HIVE_URL: {error}")))?;
        Ok(self.http.request(method, url).bearer_auth(&self.token))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.read(self.request(Method::GET, path)?.timeout(Duration::from_secs(30))).await
    }

    pub(crate) async fn get_text(&self, path: &str) -> Result<String, Failure> {
        let response = self.send(self.request(Method::GET, path)?.timeout(Duration::from_secs(30))).await?;
        response.text().await.map_err(|error| self.unreachable(&error))
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.read(self.request(Method::POST, path)?.json(body).timeout(Duration::from_secs(30))).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.read(self.request(Method::PATCH, path)?.json(body).timeout(Duration::from_secs(30))).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(self.request(Method::DELETE, path)?.timeout(Duration::from_secs(30))).await.map(drop)
    }

    /// A DELETE whose answer says what went.
    pub(crate) async fn delete_told(&self, path: &str) -> Result<Value, Failure> {
        self.read(self.request(Method::DELETE, path)?.timeout(Duration::from_secs(30))).await
    }

    /// A POST without a body, carried out only while the thing has this version.
    pub(crate) async fn post_matching(&self, path: &str, version: Option<i32>) -> Result<Value, Failure> {
        let mut request = self.request(Method::POST, path)?.timeout(Duration::from_secs(30));
        if let Some(version) = version {
            request = request.header("if-match", format!("W/\"{version}\""));
        }
        self.read(request).await
    }

    /// A POST whose answer has no body.
    pub(crate) async fn post_empty(&self, path: &str, body: &Value) -> Result<(), Failure> {
        let request = self.request(Method::POST, path)?.json(body).timeout(Duration::from_secs(30));
        self.send(request).await.map(drop)
    }

    /// A PUT whose answer has no body.
    pub(crate) async fn put_empty(&self, path: &str, body: &Value) -> Result<(), Failure> {
        let request = self.request(Method::PUT, path)?.json(body).timeout(Duration::from_secs(30));
        self.send(request).await.map(drop)
    }

    /// A PUT whose answer has no body, carried out only while the thing has this version.
    pub(crate) async fn put_matching(&self, path: &str, body: &Value, version: i64) -> Result<(), Failure> {
        let request = self.request(Method::PUT, path)?.json(body).timeout(Duration::from_secs(30));
        self.send(request.header("if-match", format!("W/\"{version}\""))).await.map(drop)
    }

    /// A POST that the server carries out once, however often it is sent with this key.
    pub(crate) async fn post_once(
        &self,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        let mut request = self.request(Method::POST, path)?.json(body).timeout(Duration::from_secs(30));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.read(request).await
    }

    /// Opens an event stream after event number `after`.
    pub(crate) async fn stream(&self, path: &str, after: i64) -> Result<Response, Failure> {
        let request = self.request(Method::GET, path)?.header("last-event-id", after.to_string());
        self.send(request.header("accept", "text/event-stream")).await
    }

    async fn read(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let response = self.send(request).await?;
        response.json().await.map_err(|error| self.unreachable(&error))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem: Value = response.json().await.unwrap_or_default();
        Err(refused(status, &problem))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        // The innermost cause says it in the fewest words: connection refused.
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let text = cause.to_string();
        Failure::Unreachable(format!("the server at {} does not answer: {text}", self.base))
    }
}

/// A client with bounds, for any address.
pub(crate) fn http() -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .no_proxy()
        .build()
        .map_err(|error| Failure::Failed(error.to_string()))
}

/// An answer that is no success. What stands before the server may answer in its place, but not with a problem of ours.
fn refused(status: StatusCode, problem: &Value) -> Failure {
    let text = sentence(status, problem);
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Denied(text),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
            if !problem["code"].is_string() =>
        {
            Failure::Unreachable(text)
        }
        StatusCode::SERVICE_UNAVAILABLE => Failure::Later(text),
        _ => Failure::Failed(text),
    }
}

/// A problem in one line: what was wrong, and with which field.
fn sentence(status: StatusCode, problem: &Value) -> String {
    let detail = problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or("no reason was given");
    let fields =
        problem["errors"].as_array().into_iter().flatten().filter_map(|error| {
            Some(format!("{}: {}", error["pointer"].as_str()?, error["detail"].as_str()?))
        });
    let fields: Vec<String> = fields.collect();
    match fields.is_empty() {
        true => format!("{detail} ({})", status.as_u16()),
        false => format!("{} ({})", fields.join("; "), status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_server_did_not_say_means_that_it_cannot_be_reached() {
        let failing = json!({ "code": "receiver_failing", "detail": "the receiver fails" });
        let said = refused(StatusCode::SERVICE_UNAVAILABLE, &failing);
        assert!(matches!(&said, Failure::Later(text) if text == "the receiver fails (503)"), "{said:?}");
        for status in [502, 503, 504].map(|status| StatusCode::from_u16(status).unwrap()) {
            for foreign in [Value::Null, json!({ "message": "no healthy upstream" })] {
                let said = refused(status, &foreign);
                assert!(matches!(said, Failure::Unreachable(_)), "{status} {foreign}: {said:?}");
            }
        }
        assert!(matches!(refused(StatusCode::FORBIDDEN, &Value::Null), Failure::Denied(_)));
        assert!(matches!(refused(StatusCode::INTERNAL_SERVER_ERROR, &Value::Null), Failure::Failed(_)));
    }
}
