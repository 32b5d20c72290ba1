//! `hive agent …`

pub(crate) mod called;
pub(crate) mod memory;
mod sleep_settings;

use clap::Subcommand;
use serde_json::Value;
use sleep_settings::Settings;

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List agents, and whether they are awake.
    List,
    /// Show one agent with its current definition, and whether it is awake.
    Show {
        /// Its id or its name.
        id: String,
    },
    /// List the nights of an agent, newest first, with what tasks used before and after each.
    Sleeps {
        /// Its id or its name.
        id: String,
        /// At most this many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
    },
    /// Show when an agent sleeps by itself, and how long; or change what is named of it, and nothing else.
    SleepSettings(Settings),
}

pub(crate) async fn run(mut command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match &mut command {
        Command::List => {}
        Command::Show { id } | Command::Sleeps { id, .. } | Command::SleepSettings(Settings { id, .. }) => {
            called::resolve(&client, "ID", [id]).await?;
        }
    }
    match command {
        Command::List => {
            let page = client.get("/api/v1/agents?limit=200").await?;
            if json {
                return output::json(&page);
            }
            let agents = page["items"].as_array().cloned().unwrap_or_default();
            let row = |agent: &Value| {
                ["id", "type", "name", "status", "sleep_state", "version", "model"]
                    .iter()
                    .map(|field| output::plain(&output::text(&agent[*field])))
                    .collect()
            };
            let rows: Vec<Vec<String>> = agents.iter().map(row).collect();
            output::table(&["ID", "TYPE", "NAME", "STATUS", "SLEEP", "VERSION", "MODEL"], &rows);
            Ok(())
        }
        Command::Show { id } => output::json(&client.get(&format!("/api/v1/agents/{id}")).await?),
        Command::Sleeps { id, limit } => {
            let page = client.get(&format!("/api/v1/agents/{id}/sleeps?limit={limit}")).await?;
            if json { output::json(&page) } else { sleeps(&page) }
        }
        Command::SleepSettings(settings) => settings.run(&client).await,
    }
}

fn sleeps(page: &Value) -> Result<(), Failure> {
    let mean = |spent: &Value| match spent["tokens_per_task"].as_f64() {
        Some(tokens) => format!("{tokens:.0} of {}", output::text(&spent["tasks"])),
        None => String::new(),
    };
    let row = |night: &Value| {
        let field = |name: &str| output::plain(&output::text(&night[name]));
        let saving = &night["saving"];
        vec![
            field("began_at"),
            field("trigger"),
            field("state"),
            field("wake_reason"),
            field("cycle_id"),
            field("cycle_state"),
            mean(&saving["before"]),
            mean(&saving["after"]),
        ]
    };
    let rows: Vec<Vec<String>> = page["items"].as_array().into_iter().flatten().map(row).collect();
    output::table(
        &["BEGAN", "TRIGGER", "STATE", "WOKE", "CYCLE", "IT IS", "TOKENS A TASK BEFORE", "AND AFTER"],
        &rows,
    );
    Ok(())
}
