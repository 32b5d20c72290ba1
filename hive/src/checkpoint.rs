//! `hive checkpoint …`

mod files;

use std::time::{Duration, Instant};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{cli::Common, client::Client, failure::Failure, output};

/// How often a checkpoint that is being made is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a checkpoint of the whole system, and wait until it is whole.
    Create {
        /// Seconds to wait; the checkpoint goes on without us.
        #[arg(long, default_value_t = 3600)]
        wait: u64,
        /// Makes it safe to send again.
        #[arg(long)]
        idempotency_key: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// List checkpoints, the latest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        #[command(flatten)]
        common: Common,
    },
    /// Show where a checkpoint stands and what it holds.
    Show {
        /// Its id.
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Read every file of a checkpoint on this machine and compare it with the manifest.
    Verify(files::Verify),
    /// Bring a checkpoint on this machine into an empty database and to the places of its repositories. No process of the
    /// hive may run meanwhile.
    Restore(files::Restore),
}

pub(crate) async fn run(command: Command, json: bool) -> Result<(), Failure> {
    match command {
        Command::Create { wait, idempotency_key, common } => {
            let client = Client::new(&common.connection)?;
            let path = "/api/v1/system/checkpoint";
            let asked = client.post_once(path, &json!({}), idempotency_key.as_deref()).await?;
            let made = until_it_ends(&client, asked, Duration::from_secs(wait)).await?;
            if json {
                output::json(&made)?;
            } else {
                show(&made);
            }
            match made["status"].as_str() {
                Some("failed") => Err(Failure::Failed(output::plain(&output::text(&made["error"])))),
                _ => Ok(()),
            }
        }
        Command::List { limit, common } => {
            let client = Client::new(&common.connection)?;
            let page = client.get(&format!("/api/v1/system/checkpoints?limit={limit}")).await?;
            if json { output::json(&page) } else { list(&page) }
        }
        Command::Show { id, common } => {
            let client = Client::new(&common.connection)?;
            let checkpoint = client.get(&format!("/api/v1/system/checkpoints/{id}")).await?;
            if json {
                output::json(&checkpoint)
            } else {
                show(&checkpoint);
                Ok(())
            }
        }
        Command::Verify(options) => files::verify(&options, json).await,
        Command::Restore(options) => files::restore(&options, json).await,
    }
}

async fn until_it_ends(client: &Client, mut checkpoint: Value, patience: Duration) -> Result<Value, Failure> {
    let start = Instant::now();
    let id = output::text(&checkpoint["id"]);
    while matches!(checkpoint["status"].as_str(), Some("waiting" | "running")) {
        if start.elapsed() > patience {
            return Err(Failure::Failed(format!(
                "it is not whole yet; `hive checkpoint show {id}` says where it stands"
            )));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        checkpoint = client.get(&format!("/api/v1/system/checkpoints/{id}")).await?;
    }
    Ok(checkpoint)
}

fn list(page: &Value) -> Result<(), Failure> {
    let row = |checkpoint: &Value| {
        let status = match checkpoint["removed_at"].is_null() {
            true => output::text(&checkpoint["status"]),
            false => "removed".to_owned(),
        };
        let state = &checkpoint["state"];
        vec![
            output::text(&checkpoint["id"]),
            status,
            output::text(&checkpoint["created_at"]),
            output::text(&state["rows"]),
            output::text(&checkpoint["bytes"]),
            output::plain(&output::text(&checkpoint["directory"])),
        ]
    };
    let rows: Vec<Vec<String>> = page["items"].as_array().into_iter().flatten().map(row).collect();
    output::table(&["ID", "STATUS", "CREATED", "ROWS", "BYTES", "DIRECTORY"], &rows);
    Ok(())
}

fn show(checkpoint: &Value) {
    println!("{}  {}", output::text(&checkpoint["id"]), output::text(&checkpoint["status"]));
    for name in [
        "created_at",
        "finished_at",
        "worker",
        "directory",
        "manifest_sha256",
        "bytes",
        "removed_at",
        "error",
    ] {
        if !checkpoint[name].is_null() {
            println!("{name:<16} {}", output::plain(&output::text(&checkpoint[name])));
        }
    }
    let state = &checkpoint["state"];
    for (name, value) in state["database"].as_object().into_iter().flatten() {
        println!("{name:<16} {}", output::plain(&output::text(value)));
    }
    for repository in state["repositories"].as_array().into_iter().flatten() {
        let url = output::plain(&output::text(&repository["url"]));
        match repository["unreachable"].as_str() {
            Some(why) => println!("repository       {url} is not in it: {}", output::plain(why)),
            None => println!(
                "repository       {url} at {}, {} references",
                output::text(&repository["commit"]),
                output::text(&repository["references"])
            ),
        }
    }
}
