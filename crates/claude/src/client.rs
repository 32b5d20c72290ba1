//! One attempt at one call.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::time::{Duration, Instant, timeout_at};
use url::Url;

use crate::assemble::Progress;
use crate::body::Body;
use crate::config::Config;
use crate::error::{Error, ErrorBody, Partial, Phase};
use crate::exchange::{Answered, Exchange};
use crate::head::Head;
use crate::rate_limit::RateLimits;
use crate::reading;
use crate::timely::{Late, Timely};
use crate::wire::message::Message;
use crate::wire::model::{Model, ModelPage};
use crate::wire::request::Request;
use crate::wire::usage::Usage;

/// The most pages of the model catalogue that are fetched.
const MAX_MODEL_PAGES: usize = 20;

/// A client of the Messages API. Cloning shares its connections.
#[derive(Clone)]
pub struct Claude {
    pub(crate) http: reqwest::Client,
    pub(crate) messages: Url,
    models: Url,
    pub(crate) idle_timeout: Duration,
    pub(crate) total_timeout: Duration,
}

/// A complete reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The typed view.
    pub message: Message,
    /// The content as a JSON array, to be sent back as it is. A tool input that was not a JSON object stands
    /// here as `{}`, since the service takes nothing else; see [`crate::ToolInput::Invalid`].
    pub content_json: String,
    /// The tokens of the call.
    pub usage: Usage,
    /// The service's id of the call.
    pub request_id: Option<String>,
    /// What the response headers said about limits.
    pub rate_limits: RateLimits,
}

impl Claude {
    /// Builds the client. Proxies from the environment are not used and redirects are not followed: both would
    /// carry the key to a host that the configuration does not name.
    ///
    /// # Errors
    /// [`Error::Config`] when the base URL is not plain http(s) or the key does not fit into a header.
    #[expect(clippy::needless_pass_by_value, reason = "the key's last copy should end here")]
    pub fn new(config: Config) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .default_headers(headers(&config)?)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::Config(format!("cannot build the HTTP client: {error}")))?;
        Ok(Self {
            http,
            messages: endpoint(&config.base_url, "messages")?,
            models: endpoint(&config.base_url, "models")?,
            idle_timeout: config.idle_timeout,
            total_timeout: config.total_timeout,
        })
    }

    /// Asks for one reply and streams it. `on_event` sees the pieces as they come; only the returned reply may
    /// be acted on. Dropping the future closes the connection.
    ///
    /// # Errors
    /// Each class of [`Error`]; pass it to [`crate::verdict`]. Nothing is retried here.
    pub async fn create(
        &self,
        request: &Request,
        on_event: impl FnMut(Progress<'_>),
    ) -> Result<Reply, Error> {
        self.create_seen(request, on_event, None, None).await
    }

    /// The same, and `exchange` holds what crossed the wire, as far as it got, also when the future is dropped. Nothing is
    /// sent from `latest` on, however long the process was frozen before.
    ///
    /// # Errors
    /// As for [`Claude::create`], and [`Error::Late`].
    pub async fn create_seen(
        &self,
        request: &Request,
        mut on_event: impl FnMut(Progress<'_>),
        mut exchange: Option<&mut Exchange>,
        latest: Option<Instant>,
    ) -> Result<Reply, Error> {
        let deadline = Instant::now() + self.total_timeout;
        let body = request.body().map_err(Error::Request)?;
        if let Some(exchange) = &mut exchange {
            exchange.request.clone_from(&body);
        }
        let mut call = self
            .http
            .post(self.messages.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream, application/json")
            .body(match latest {
                Some(latest) => reqwest::Body::wrap(Timely::new(body, latest)),
                None => body.into(),
            });
        if !request.betas.is_empty() {
            call = call.header("anthropic-beta", request.betas.join(","));
        }
        let response = self.send(call, deadline, exchange.as_deref_mut()).await?;
        let head = Head::of(&response);
        if let Some(request_id) = &head.request_id {
            on_event(Progress::Accepted { request_id });
        }
        let is_stream = head.content_type.starts_with("text/event-stream");
        let mut body = Body::new(response, self.idle_timeout, deadline).seen(exchange);
        let (message, content_json, usage) = if is_stream {
            reading::stream(&mut body, &head, request.max_tokens, &mut on_event).await?
        } else {
            reading::whole(&body.document().await?, &head, &mut on_event)?
        };
        let Head { request_id, rate_limits, .. } = head;
        Ok(Reply { message, content_json, usage, request_id, rate_limits })
    }

    /// The service's model catalogue.
    ///
    /// # Errors
    /// As for [`Claude::create`].
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let deadline = Instant::now() + self.total_timeout;
        let (mut models, mut after) = (Vec::new(), None);
        for _ in 0..MAX_MODEL_PAGES {
            let mut call = self.http.get(self.models.clone()).query(&[("limit", "100")]);
            if let Some(id) = &after {
                call = call.query(&[("after_id", id)]);
            }
            let response = self.send(call, deadline, None).await?;
            let document = Body::new(response, self.idle_timeout, deadline).document().await?;
            let page: ModelPage =
                serde_json::from_slice(&document).map_err(|error| garbage(format!("models: {error}")))?;
            models.extend(page.data);
            after = page.last_id.filter(|_| page.has_more);
            if after.is_none() {
                return Ok(models);
            }
        }
        Err(garbage(format!("the model catalogue has more than {MAX_MODEL_PAGES} pages")))
    }

    /// Sends, waits for the headers, and turns a status other than 200 into its error.
    pub(crate) async fn send(
        &self,
        call: RequestBuilder,
        deadline: Instant,
        mut exchange: Option<&mut Exchange>,
    ) -> Result<Response, Error> {
        let headers_by = Instant::now() + self.idle_timeout;
        let response = match timeout_at(headers_by.min(deadline), call.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_builder() => return Err(Error::Config(error.to_string())),
            Ok(Err(error)) if error.is_connect() => return Err(Error::Connect(error)),
            Ok(Err(error)) if Late::caused(&error) => return Err(Error::Late),
            Ok(Err(error)) => {
                return Err(Error::Cut { partial: Partial::default(), source: Some(error) });
            }
            Err(_) => {
                let phase = if headers_by < deadline { Phase::Headers } else { Phase::Total };
                return Err(Error::Timeout { phase, partial: Partial::default() });
            }
        };
        if let Some(exchange) = &mut exchange {
            exchange.answer = Some(Answered::new(response.status().as_u16(), response.headers()));
        }
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let head = Head::of(&response);
        let text = Body::new(response, self.idle_timeout, deadline).seen(exchange).error_text().await;
        Err(Error::Api(Box::new(match serde_json::from_slice::<ErrorBody>(&text) {
            Ok(body) => head.error(body, None),
            Err(_) => head.error_without_body(&String::from_utf8_lossy(&text)),
        })))
    }
}

pub(crate) fn garbage(message: String) -> Error {
    Error::Protocol { message, partial: Partial::default() }
}

fn headers(config: &Config) -> Result<HeaderMap, Error> {
    let (name, value) = if config.bearer {
        (AUTHORIZATION, format!("Bearer {}", config.api_key.reveal()))
    } else {
        (HeaderName::from_static("x-api-key"), config.api_key.reveal().to_owned())
    };
    let mut key = HeaderValue::from_str(&value)
        .map_err(|_| Error::Config("the API key has characters that no header can carry".to_owned()))?;
    key.set_sensitive(true);
    let version = HeaderValue::from_str(&config.version)
        .map_err(|_| Error::Config("the API version has characters that no header can carry".to_owned()))?;
    Ok(HeaderMap::from_iter([(name, key), (HeaderName::from_static("anthropic-version"), version)]))
}

fn endpoint(base: &Url, name: &str) -> Result<Url, Error> {
    let refuse = |why: &str| Err(Error::Config(format!("the base URL {why}")));
    if !matches!(base.scheme(), "http" | "https") {
        return refuse("must begin with http:// or https://");
    }
    if !base.username().is_empty() || base.password().is_some() {
        return refuse("must not carry a user name or password; set the API key instead");
    }
    if base.query().is_some() || base.fragment().is_some() {
        return refuse("must not have a query or fragment");
    }
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut path) => path.pop_if_empty().extend(["v1", name]),
        Err(()) => return refuse("must be able to have a path"),
    };
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_marked_as_secret_in_either_header() {
        for bearer in [false, true] {
            let key = crate::config::Secret::new("sk-very-secret");
            let config = Config { bearer, ..Config::new("http://127.0.0.1:1".parse().unwrap(), key) };
            let printed = format!("{:?}", headers(&config).unwrap());
            assert!(printed.contains("Sensitive") && !printed.contains("very-secret"), "{printed}");
        }
    }

    #[test]
    fn endpoints_lie_below_the_base_url() {
        let rows = [
            ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
            ("https://api.anthropic.com/", "https://api.anthropic.com/v1/messages"),
            ("http://127.0.0.1:4000/claude/", "http://127.0.0.1:4000/claude/v1/messages"),
        ];
        for (base, expected) in rows {
            assert_eq!(endpoint(&base.parse().unwrap(), "messages").unwrap().as_str(), expected);
        }
        for base in
            ["ftp://a", "https://user:pw@a", "https://user@a", "https://a/?q", "https://a/#f", "mailto:a"]
        {
            let refused = endpoint(&base.parse().unwrap(), "messages");
            assert!(matches!(refused, Err(Error::Config(_))), "{base}");
        }
    }
}
