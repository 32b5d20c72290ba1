//! `hive task …`

pub(crate) mod act;
mod bulk;
pub(crate) mod filter;
mod paused;
mod progress;
mod recording;
mod steer;
mod submit;
pub(crate) mod view;

use clap::Subcommand;
use serde_json::Value;
pub(crate) use submit::url_of;

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Hand over a task.
    Submit(submit::Options),
    /// List tasks, newest first; what a pause keeps from starting has it as its reason.
    List {
        #[command(flatten)]
        filter: filter::Filter,
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
        /// Print what is there and end, whatever the task does.
        #[arg(long)]
        no_follow: bool,
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
    /// Hand over many tasks, all or none.
    Bulk(bulk::Options),
    /// End a task with all that belongs to it, or every task that fits a filter.
    #[command(override_usage = "hive task cancel [OPTIONS] <ID|FILTER|--all>")]
    Cancel(act::Options),
    /// Show how far an action on many tasks is, by the id that its beginning printed.
    Action {
        /// Its id.
        id: String,
    },
    /// Change the priority of a task, or of every task that fits a filter.
    #[command(override_usage = "hive task priority [OPTIONS] <PRIORITY> <ID|FILTER|--all>")]
    Priority {
        /// 1 (most urgent) to 9.
        priority: u8,
        #[command(flatten)]
        options: act::Options,
    },
    /// Try a task again that failed, died or was cancelled: a new task with the same input.
    Retry {
        /// Its id.
        id: String,
        /// Makes it safe to send again: the same key has one effect.
        #[arg(long)]
        idempotency_key: Option<String>,
    },
    /// Tell the agent of a task something.
    Tell(steer::Tell),
    /// Show what the agent of a task was told, and whether it read it.
    Messages {
        /// Its id.
        id: String,
    },
    /// Begin a new task after a step of this one, with the files of that step.
    Fork(steer::Fork),
    /// Collect what workers recorded of a task, as a file that the Claude double plays.
    Recording(recording::Options),
    /// Say what came of an external call that was cut.
    Outcome(steer::Outcome),
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match command {
        Command::Submit(options) => submit::run(&client, options, json).await,
        Command::List { mut filter, limit } => {
            filter.resolve(&client).await?;
            let page = client.get(&format!("/api/v1/tasks?limit={limit}{}", filter.query())).await?;
            if json {
                return output::json(&page);
            }
            view::list(&page, &client.get("/api/v1/queue/pauses").await?)
        }
        Command::Show { id } => {
            let mut task = client.get(&format!("/api/v1/tasks/{id}")).await?;
            if json {
                return output::json(&task);
            }
            if paused::is_held(&task, &client.get("/api/v1/queue/pauses").await?) {
                task["status_reason"] = "paused".into();
            }
            view::task(&task)?;
            view::place(&task)
        }
        Command::Steps { id } => steps(&client, &id, json).await,
        Command::Events { id, no_follow, after } => {
            progress::print_events(&client, &id, after, no_follow, json).await
        }
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
        Command::Bulk(options) => bulk::run(&client, &options, json).await,
        Command::Cancel(options) => act::cancel(&client, options, json).await,
        Command::Action { id } => act::look(&client, &id, json).await,
        Command::Priority { priority, options } => act::reprioritise(&client, options, priority, json).await,
        Command::Retry { id, idempotency_key } => {
            let path = format!("/api/v1/tasks/{id}/retry");
            let task = client.post_once(&path, &serde_json::json!({}), idempotency_key.as_deref()).await?;
            if json { output::json(&task) } else { view::task(&task) }
        }
        Command::Tell(tell) => steer::tell(&client, tell, json).await,
        Command::Messages { id } => steer::messages(&client, &id, json).await,
        Command::Fork(fork) => steer::fork(&client, fork, json).await,
        Command::Recording(options) => recording::run(&client, &options, json).await,
        Command::Outcome(outcome) => steer::outcome(&client, outcome, json).await,
    }
}

async fn steps(client: &Client, id: &str, as_json: bool) -> Result<(), Failure> {
    let steps = all_steps(client, id).await?;
    if as_json { output::json(&serde_json::json!({ "items": steps })) } else { view::steps(&steps) }
}

/// The whole journal of a task.
pub(crate) async fn all_steps(client: &Client, id: &str) -> Result<Vec<Value>, Failure> {
    let mut steps: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/v1/tasks/{id}/steps?limit=200{cursor}")).await?;
        steps.extend(page["items"].as_array().cloned().unwrap_or_default());
        match &page["next_cursor"] {
            Value::Null => return Ok(steps),
            next => cursor = format!("&cursor={}", output::text(next)),
        }
    }
}
