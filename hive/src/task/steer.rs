//! What a person says to a task that exists: words, where to begin anew, what came of a call.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::view;
use crate::{client::Client, failure::Failure, output};

#[derive(Args)]
pub(crate) struct Tell {
    /// Its id.
    id: String,
    /// What the agent is told.
    text: String,
    /// What the message does to a run at work.
    #[arg(long, value_enum, default_value_t = Policy::Enqueue)]
    policy: Policy,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    /// Read when the turn in progress is over.
    Enqueue,
    /// Ends the model call or the command in flight, and is read next.
    Interrupt,
    /// Refused while the task runs.
    Reject,
    /// As interrupt, and the last turn of the agent is undone, its files included.
    Rollback,
}

#[derive(Args)]
pub(crate) struct Fork {
    /// Its id.
    id: String,
    /// The last step that both share.
    #[arg(long)]
    from_step: i32,
    /// The model that answers from there on.
    #[arg(long)]
    model: Option<String>,
    /// What is asked for from there on.
    #[arg(long)]
    title: Option<String>,
    /// What the agent is told before it goes on.
    #[arg(long)]
    message: Option<String>,
}

#[derive(Args)]
pub(crate) struct Outcome {
    /// Its id.
    id: String,
    /// Whether the call took place.
    #[arg(value_enum)]
    outcome: Came,
    /// What the agent reads as its result; with done.
    #[arg(long)]
    result: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Came {
    /// It took place.
    Done,
    /// It did not, and is made again.
    NotDone,
}

pub(crate) async fn tell(client: &Client, tell: Tell, as_json: bool) -> Result<(), Failure> {
    let policy = match tell.policy {
        Policy::Enqueue => "enqueue",
        Policy::Interrupt => "interrupt",
        Policy::Reject => "reject",
        Policy::Rollback => "rollback",
    };
    let body = json!({ "text": tell.text, "policy": policy });
    let message = client.post(&format!("/api/v1/tasks/{}/messages", tell.id), &body).await?;
    if as_json { output::json(&message) } else { view::messages(std::slice::from_ref(&message)) }
}

pub(crate) async fn messages(client: &Client, id: &str, as_json: bool) -> Result<(), Failure> {
    let (mut messages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/tasks/{id}/messages?limit=200{cursor}")).await?;
        messages.extend(page["items"].as_array().cloned().unwrap_or_default());
        match &page["next_cursor"] {
            Value::Null => break,
            next => cursor = format!("&cursor={}", output::text(next)),
        }
    }
    if as_json { output::json(&json!({ "items": messages })) } else { view::messages(&messages) }
}

pub(crate) async fn fork(client: &Client, fork: Fork, as_json: bool) -> Result<(), Failure> {
    let mut body = Map::from_iter([("from_step".to_owned(), json!(fork.from_step))]);
    for (name, value) in [("model", fork.model), ("title", fork.title), ("message", fork.message)] {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    let task = client.post(&format!("/api/v1/tasks/{}/fork", fork.id), &Value::Object(body)).await?;
    if as_json { output::json(&task) } else { view::task(&task) }
}

pub(crate) async fn outcome(client: &Client, outcome: Outcome, as_json: bool) -> Result<(), Failure> {
    let came = match outcome.outcome {
        Came::Done => "done",
        Came::NotDone => "not_done",
    };
    let mut body = json!({ "outcome": came });
    if let Some(result) = outcome.result {
        body["result"] = json!(result);
    }
    let task = client.post(&format!("/api/v1/tasks/{}/outcome", outcome.id), &body).await?;
    if as_json { output::json(&task) } else { view::task(&task) }
}
