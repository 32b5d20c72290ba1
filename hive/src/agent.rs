//! `hive agent …`

pub(crate) mod called;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

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
    /// Show when an agent sleeps by itself, and how long; or say so, all of it.
    SleepSettings(Settings),
}

#[derive(Args)]
pub(crate) struct Settings {
    /// Its id or its name.
    id: String,
    /// Forget what was said: it sleeps when it is told to.
    #[arg(long, conflicts_with_all = ["idle_seconds", "pressure_entries", "pressure_steps", "fall_seconds", "sleep_seconds", "night_usd"])]
    reset: bool,
    /// Seconds without a task after which it sleeps, if something is new since its last night.
    #[arg(long)]
    idle_seconds: Option<u32>,
    /// New entries of its memory that make it sleep.
    #[arg(long)]
    pressure_entries: Option<u32>,
    /// Steps that make it sleep.
    #[arg(long)]
    pressure_steps: Option<u32>,
    /// Seconds that running work gets to reach a step edge.
    #[arg(long)]
    fall_seconds: Option<u32>,
    /// Seconds after that at which it wakes, whatever is done to its memory.
    #[arg(long)]
    sleep_seconds: Option<u32>,
    /// What the cycle of one night may cost, in dollars.
    #[arg(long)]
    night_usd: Option<f64>,
}

impl Settings {
    /// What is to be set; nothing when they are only looked at.
    fn body(&self) -> Option<Value> {
        let numbers = [
            self.idle_seconds,
            self.pressure_entries,
            self.pressure_steps,
            self.fall_seconds,
            self.sleep_seconds,
        ];
        if !self.reset && numbers.iter().all(Option::is_none) && self.night_usd.is_none() {
            return None;
        }
        Some(json!({
            "idle_seconds": self.idle_seconds, "pressure_entries": self.pressure_entries,
            "pressure_steps": self.pressure_steps, "fall_seconds": self.fall_seconds,
            "sleep_seconds": self.sleep_seconds, "night_usd": self.night_usd,
        }))
    }
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
        Command::SleepSettings(settings) => {
            let path = format!("/api/v1/agents/{}/sleep-settings", settings.id);
            if let Some(body) = settings.body() {
                client.put_empty(&path, &body).await?;
            }
            output::json(&client.get(&path).await?)
        }
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
