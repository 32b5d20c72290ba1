//! `hive routing …`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show the rules: which model answers which role and kind of step.
    Show {
        /// A version; the active one unless given.
        version: Option<i32>,
    },
    /// Add a version of the rules, which takes effect when it is activated.
    Set(Set),
    /// Make a version the one that tasks are pinned to when they begin.
    Activate {
        /// The version.
        version: i32,
        /// Only while this version is active.
        #[arg(long)]
        expect: Option<i32>,
    },
}

#[derive(Args)]
pub(crate) struct Set {
    /// A JSON file with the list of rules, or - for the standard input.
    file: PathBuf,
    /// Why, for a person.
    #[arg(long, default_value = "")]
    note: String,
    /// Activate it at once, unless another version became active meanwhile.
    #[arg(long)]
    activate: bool,
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    let routing = match command {
        Command::Show { version } => {
            let version = version.map_or_else(|| "active".to_owned(), |version| version.to_string());
            client.get(&format!("/api/v1/routing-rules/{version}")).await?
        }
        Command::Set(set) => add(&client, &set).await?,
        Command::Activate { version, expect } => activate(&client, version, expect).await?,
    };
    if json {
        return output::json(&routing);
    }
    show(&routing);
    Ok(())
}

async fn add(client: &Client, set: &Set) -> Result<Value, Failure> {
    let rules = rules(set)?;
    let before = client.get("/api/v1/routing-rules/active").await?;
    let added = client.post("/api/v1/routing-rules", &json!({ "rules": rules, "note": set.note })).await?;
    match (set.activate, number(&added["version"]), number(&before["version"])) {
        (true, Some(version), Some(active)) => activate(client, version, Some(active)).await,
        _ => Ok(added),
    }
}

fn rules(set: &Set) -> Result<Value, Failure> {
    let text = match set.file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(&set.file),
    };
    let place = set.file.display();
    let text = text.map_err(|error| Failure::Usage(format!("{place}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("{place} is not JSON: {error}")))
}

async fn activate(client: &Client, version: i32, expect: Option<i32>) -> Result<Value, Failure> {
    client.post_matching(&format!("/api/v1/routing-rules/{version}/activate"), expect).await
}

fn number(value: &Value) -> Option<i32> {
    value.as_i64().and_then(|number| i32::try_from(number).ok())
}

fn show(routing: &Value) {
    let active = if routing["active"] == json!(true) { "active" } else { "not active" };
    println!(
        "version {}, {active}: {}",
        output::text(&routing["version"]),
        output::plain(&output::text(&routing["note"]))
    );
    let row = |rule: &Value| {
        let fallback = rule["fallback"].as_array().into_iter().flatten().map(output::text);
        let mut cells: Vec<String> = ["role", "step", "model", "effort", "max_tokens"]
            .iter()
            .map(|field| output::plain(&output::text(&rule[*field])))
            .collect();
        cells.push(output::plain(&fallback.collect::<Vec<_>>().join(" ")));
        cells
    };
    let rules: Vec<Vec<String>> = routing["rules"].as_array().into_iter().flatten().map(row).collect();
    output::table(&["ROLE", "STEP", "MODEL", "EFFORT", "MAX_TOKENS", "FALLBACK"], &rules);
}
