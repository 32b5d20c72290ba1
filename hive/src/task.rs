//! `hive task …`

mod progress;
mod submit;
mod view;

use clap::Subcommand;
use serde_json::Value;

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Hand over a task.
    Submit(submit::Options),
    /// List tasks, newest first.
    List {
        /// Only in this state; may be given several times.
        #[arg(long)]
        status: Vec<String>,
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one task.
    Show {
        /// Its id.
        id: String,
    },
    /// Show what happened in a task, step by step.
    Steps {
        /// Its id.
        id: String,
    },
    /// Follow the events of a task until it ends.
    Events {
        /// Its id.
        id: String,
        /// Begin after this event.
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
    /// Show what a task changed.
    Diff {
        /// Its id.
        id: String,
    },
    /// Say what keeps a task from going on, or what ended it, and what clears that.
    Why {
        /// Its id.
        id: String,
    },
    /// End a task.
    Cancel {
        /// Its id.
        id: String,
    },
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match command {
        Command::Submit(options) => submit::run(&client, options, json).await,
        Command::List { status, limit } => {
            let statuses: String = status.iter().map(|status| format!("&status={status}")).collect();
            let page = client.get(&format!("/api/v1/tasks?limit={limit}{statuses}")).await?;
            if json { output::json(&page) } else { view::list(&page) }
        }
        Command::Show { id } => {
            let task = client.get(&format!("/api/v1/tasks/{id}")).await?;
            if json { output::json(&task) } else { view::task(&task) }
        }
        Command::Steps { id } => steps(&client, &id, json).await,
        Command::Events { id, after } => progress::print_events(&client, &id, after, json).await,
        Command::Diff { id } => {
            let diff = client.get_text(&format!("/api/v1/tasks/{id}/diff")).await?;
            if json {
                return output::json(&serde_json::json!({ "diff": diff }));
            }
            print!("{}", output::plain(&diff));
            Ok(())
        }
        Command::Why { id } => {
            let why = client.get(&format!("/api/v1/tasks/{id}/why")).await?;
            if json { output::json(&why) } else { view::why(&why) }
        }
        Command::Cancel { id } => {
            let task = client.post(&format!("/api/v1/tasks/{id}/cancel"), &serde_json::json!({})).await?;
            if json { output::json(&task) } else { view::task(&task) }
        }
    }
}

async fn steps(client: &Client, id: &str, as_json: bool) -> Result<(), Failure> {
    let mut steps: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/v1/tasks/{id}/steps?limit=200{cursor}")).await?;
        steps.extend(page["items"].as_array().cloned().unwrap_or_default());
        match &page["next_cursor"] {
            Value::Null => break,
            next => cursor = format!("&cursor={}", output::text(next)),
        }
    }
    if as_json { output::json(&serde_json::json!({ "items": steps })) } else { view::steps(&steps) }
}
