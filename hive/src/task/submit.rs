//! `hive task submit`

use std::{io::IsTerminal, path::PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{progress, view};
use crate::{client::Client, failure::Failure, output};

#[derive(Args)]
pub(crate) struct Options {
    /// What is to be done, in a line.
    title: String,
    /// And at length.
    #[arg(long)]
    description: Option<String>,
    /// The repository: a git URL, or a directory on this machine.
    #[arg(long)]
    repo: Option<String>,
    /// Branch, tag or commit to begin with; the repository's default branch without it.
    #[arg(long, requires = "repo")]
    base: Option<String>,
    /// A command that must be green on the final tree; may be given several times.
    #[arg(long = "accept", value_name = "CMD", requires = "repo")]
    accept: Vec<String>,
    /// Which kind of agent does it.
    #[arg(long)]
    agent_type: Option<String>,
    /// A built-in duty instead of an agent: noop.
    #[arg(long, conflicts_with_all = ["agent_type", "repo"])]
    duty: Option<String>,
    /// 1 (most urgent) to 9; 5 without this.
    #[arg(long)]
    priority: Option<u8>,
    /// Not before this time (RFC 3339).
    #[arg(long)]
    run_at: Option<String>,
    /// Failed when it has not ended by this time (RFC 3339).
    #[arg(long)]
    deadline: Option<String>,
    /// The session it belongs to.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The task it is a part of: cancelling that one cancels it.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// A task that must end first; may be given several times.
    #[arg(long = "after", value_name = "ID")]
    after: Vec<String>,
    /// What becomes of it when one of those does not succeed: fail (without this), skip or continue.
    #[arg(long, value_name = "POLICY", requires = "after")]
    on_dependency_failure: Option<String>,
    /// Tries without progress before it is dead; 3 without this.
    #[arg(long, value_name = "NUMBER")]
    max_attempts: Option<u32>,
    /// A model, or a class of models such as hard, instead of the agent's.
    #[arg(long, conflicts_with = "duty")]
    model: Option<String>,
    /// At most as many tasks of one key run at a time as its limit says.
    #[arg(long, value_name = "KEY")]
    concurrency_key: Option<String>,
    /// A label, as name=value; may be given several times.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = super::filter::label)]
    labels: Vec<(String, String)>,
    /// Makes it safe to send again: the same key makes one task.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Wait for the end and show what happens.
    #[arg(long)]
    wait: bool,
}

impl Options {
    fn body(&self) -> Result<Value, Failure> {
        let mut body = Map::from_iter([("title".to_owned(), json!(self.title))]);
        let mut set = |name: &str, value: Value| {
            if !value.is_null() {
                body.insert(name.to_owned(), value);
            }
        };
        set("description", json!(self.description));
        set("agent_type", json!(self.agent_type));
        set("duty", json!(self.duty));
        set("priority", json!(self.priority));
        set("run_at", json!(self.run_at));
        set("deadline", json!(self.deadline));
        set("on_dependency_failure", json!(self.on_dependency_failure));
        set("max_attempts", json!(self.max_attempts));
        set("model", json!(self.model));
        set("session_id", json!(self.session));
        set("parent_id", json!(self.parent));
        set("concurrency_key", json!(self.concurrency_key));
        if !self.after.is_empty() {
            set("dependencies", json!(self.after));
        }
        if !self.labels.is_empty() {
            set("labels", super::filter::object(&self.labels));
        }
        if let Some(repo) = &self.repo {
            let mut repository = json!({ "url": url_of(repo)? });
            if let Some(base) = &self.base {
                repository["base_ref"] = json!(base);
            }
            set("repository", repository);
        }
        if !self.accept.is_empty() {
            let checks = self.accept.iter().map(|command| json!({ "command": command }));
            set("acceptance", checks.collect());
        }
        Ok(Value::Object(body))
    }
}

/// A directory on this machine becomes its absolute path; everything else is left to the server to judge.
pub(crate) fn url_of(repo: &str) -> Result<String, Failure> {
    if !repo.contains(':') && PathBuf::from(repo).is_dir() {
        let path = std::path::absolute(repo)?;
        return Ok(format!("file://{}", path.display()));
    }
    Ok(repo.to_owned())
}

pub(crate) async fn run(client: &Client, options: Options, as_json: bool) -> Result<(), Failure> {
    let task =
        client.post_once("/api/v1/tasks", &options.body()?, options.idempotency_key.as_deref()).await?;
    if !options.wait {
        return if as_json { output::json(&task) } else { view::task(&task) };
    }
    let id = output::text(&task["id"]);
    let live = !as_json && std::io::stderr().is_terminal();
    if !as_json {
        eprintln!("task {id}");
    }
    progress::wait(client, &id, live).await?;
    let task = client.get(&format!("/api/v1/tasks/{id}")).await?;
    if as_json {
        output::json(&task)?;
    } else {
        view::task(&task)?;
    }
    match task["status"].as_str() {
        Some("succeeded") => Ok(()),
        status => Err(Failure::Task(format!(
            "the task ended {} ({})",
            status.unwrap_or("in an unknown state"),
            output::text(&task["status_reason"])
        ))),
    }
}
