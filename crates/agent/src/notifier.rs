//! The way to a person outside: a webhook that the operator configured. Off unless it is.

use std::time::Duration;

use hive_domain::task::Task;
use reqwest::{Client, StatusCode, header::RETRY_AFTER, redirect::Policy};
use serde_json::json;
use url::Url;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the receiver may take, all in all. Less than what a worker has to hand its tasks back.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest that a receiver may ask us to stay away.
const LONGEST_AWAY: Duration = Duration::from_secs(3600);

/// Sends notifications to one receiver.
#[derive(Clone, Debug)]
pub struct Notifier {
    http: Client,
    url: Url,
    idempotent: bool,
}

/// What came of a notification.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The receiver took it.
    Taken(String),
    /// It did not, and never will as it is.
    Refused(String),
    /// It did not, and said when to come back.
    Later(Duration),
    /// Nobody here knows.
    Unconfirmed(String),
}

impl Notifier {
    /// `idempotent`: the receiver takes two notifications with the same `Idempotency-Key` for one, so that an
    /// unconfirmed one is sent again instead of asking a person.
    ///
    /// # Errors
    /// A URL that is not http or https, in words; a client that cannot be made.
    pub fn new(url: Url, idempotent: bool) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(format!("{}: is not an http or https URL", url.scheme()));
        }
        let http = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            // Where a notification goes is what the operator wrote, and nothing that the receiver says.
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { http, url, idempotent })
    }

    pub(crate) const fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    pub(crate) async fn send(&self, key: &str, task: &Task, text: &str) -> Sent {
        let body = json!({ "task_id": task.id, "title": task.title,
                           "agent": task.agent.as_ref().map(|agent| &agent.name), "text": text });
        let answer = self.http.post(self.url.clone()).header("idempotency-key", key).json(&body).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            // Without a connection nothing was sent.
            Err(error) if error.is_connect() => {
                return Sent::Refused(
                    "the receiver of notifications cannot be reached; nothing was sent".to_owned(),
                );
            }
            Err(error) => return Sent::Unconfirmed(error.without_url().to_string()),
        };
        let status = answer.status();
        let told =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        match (status, told.map(Duration::from_secs)) {
            (StatusCode::TOO_MANY_REQUESTS, Some(after)) => Sent::Later(after.min(LONGEST_AWAY)),
            _ if status.is_success() => Sent::Taken(format!("the receiver took it ({})", status.as_u16())),
            _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Sent::Unconfirmed(format!("the receiver answered {}", status.as_u16()))
            }
            _ => Sent::Refused(format!("the receiver refused it ({})", status.as_u16())),
        }
    }
}
