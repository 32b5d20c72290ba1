//! Doing something to one task or to many.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::{filter::Filter, view};
use crate::{client::Client, failure::Failure, output};

const ACTIONS: &str = "/api/v1/tasks/actions";
/// How often the progress is looked at.
const LOOK: Duration = Duration::from_millis(300);

#[derive(Args)]
pub(crate) struct Options {
    /// The task; without it, those that fit the filter.
    #[arg(conflicts_with_all = ["status", "reason", "labels", "session", "parent", "agent", "error_class",
                                "created_since", "created_before", "ended_since", "ended_before", "all", "dry_run"])]
    id: Option<String>,
    #[command(flatten)]
    filter: Filter,
    /// Really every task, when no filter is given.
    #[arg(long)]
    all: bool,
    /// Only count the tasks.
    #[arg(long)]
    dry_run: bool,
    /// Makes it safe to send again: the same key has one effect.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub(crate) async fn cancel(client: &Client, options: Options, as_json: bool) -> Result<(), Failure> {
    if let Some(id) = &options.id {
        let path = format!("/api/v1/tasks/{id}/cancel");
        let task = client.post_once(&path, &json!({}), options.idempotency_key.as_deref()).await?;
        return if as_json { output::json(&task) } else { view::task(&task) };
    }
    many(client, options, json!({ "action": "cancel" }), as_json).await
}

pub(crate) async fn reprioritise(
    client: &Client,
    options: Options,
    priority: u8,
    as_json: bool,
) -> Result<(), Failure> {
    if let Some(id) = &options.id {
        let task = client.patch(&format!("/api/v1/tasks/{id}"), &json!({ "priority": priority })).await?;
        return if as_json { output::json(&task) } else { view::task(&task) };
    }
    many(client, options, json!({ "action": "reprioritise", "priority": priority }), as_json).await
}

/// Tries dead tasks again. Without a filter every dead task is meant, and `--all` says so.
pub(crate) async fn redrive(client: &Client, options: Options, as_json: bool) -> Result<(), Failure> {
    if let Some(id) = &options.id {
        let path = format!("/api/v1/tasks/{id}/retry");
        let task = client.post_once(&path, &json!({}), options.idempotency_key.as_deref()).await?;
        return if as_json { output::json(&task) } else { view::task(&task) };
    }
    many(client, options, json!({ "action": "redrive" }), as_json).await
}

async fn many(client: &Client, mut options: Options, mut body: Value, as_json: bool) -> Result<(), Failure> {
    if options.filter.is_empty() && !options.all {
        return Err(Failure::Usage(
            "name a task, or which tasks by --status, --label and so on; --all means every task".to_owned(),
        ));
    }
    options.filter.resolve(client).await?;
    body["filter"] = options.filter.body();
    if body["action"] == "redrive" && body["filter"]["status"].is_null() {
        body["filter"]["status"] = json!(["dead"]);
    }
    body["all"] = json!(options.all);
    body["dry_run"] = json!(options.dry_run);
    let mut action = client.post_once(ACTIONS, &body, options.idempotency_key.as_deref()).await?;
    if action["status"] == "working" && !as_json {
        // The action goes on when we are interrupted.
        eprintln!("hive task action {}", output::text(&action["id"]));
    }
    // An answer that was given before tells how far it was then.
    while action["status"] == "working" {
        tokio::time::sleep(LOOK).await;
        action = client.get(&format!("{ACTIONS}/{}", output::text(&action["id"]))).await?;
    }
    tell(&action, as_json)
}

/// Shows an action as it stands; one that failed is a failure.
pub(crate) async fn look(client: &Client, id: &str, as_json: bool) -> Result<(), Failure> {
    let action = client.get(&format!("{ACTIONS}/{id}")).await?;
    if !as_json {
        println!("{} {}", output::text(&action["action"]), output::text(&action["status"]));
    }
    tell(&action, as_json)
}

fn tell(action: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json {
        output::json(action)?;
    } else {
        show(action);
    }
    match action["status"].as_str() {
        Some("failed") => Err(Failure::Failed(output::plain(&output::text(&action["error"])))),
        _ => Ok(()),
    }
}

fn show(action: &Value) {
    let count = |name: &str| output::text(&action[name]);
    if action["dry_run"] == true {
        println!("{} tasks match; nothing was done", count("matched"));
    } else {
        println!("{} of {} tasks done, {} skipped", count("done"), count("matched"), count("skipped"));
        if action["cascaded"].as_i64().is_some_and(|more| more > 0) {
            println!("{} more that belonged to them ended with them", count("cascaded"));
        }
    }
}
