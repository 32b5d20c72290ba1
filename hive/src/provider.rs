//! `hive provider …`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show stopped keys, holds, breakers and limits, and what changed lately.
    Show,
    /// Give stopped keys back to the workers, after their cause is mended, end holds before their time and close breakers.
    Resume {
        /// Only this one, by the digits that `show` gives.
        #[arg(long)]
        key: Option<String>,
    },
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match command {
        Command::Show => {
            let state = client.get("/api/v1/provider").await?;
            if json {
                return output::json(&state);
            }
            if state["stopped_keys"].as_array().is_none_or(Vec::is_empty) {
                println!("no key is stopped");
            } else {
                println!("stopped keys; when their cause is mended: hive provider resume");
                table(&state["stopped_keys"], &["key", "reason", "stopped_at", "probe_at", "detail"]);
            }
            println!("\nmodels, and what a minute may have");
            let limits = ["requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute"];
            let state_of = ["key", "model", "breaker", "hold_until", "probe_at", "detail"];
            table(&state["models"], &[&state_of[..5], &limits, &state_of[5..]].concat());
            println!("\nwhat changed lately");
            table(&state["events"], &["at", "kind", "key", "model", "detail"]);
            Ok(())
        }
        Command::Resume { key } => {
            let resumed = client.post("/api/v1/provider/resume", &json!({ "key": key })).await?;
            if json {
                return output::json(&resumed);
            }
            let keys = resumed["keys"].as_array().cloned().unwrap_or_default();
            let rows: Vec<Vec<String>> =
                keys.iter().map(|key| vec![output::plain(&output::text(key))]).collect();
            output::table(&["RESUMED"], &rows);
            let holds = resumed["holds"].as_array().cloned().unwrap_or_default();
            let breakers = resumed["breakers"].as_array().cloned().unwrap_or_default();
            if !breakers.is_empty() {
                println!("closed breakers");
                table(&resumed["breakers"], &["key", "model"]);
            }
            if !holds.is_empty() {
                table(&resumed["holds"], &["key", "model"]);
            }
            Ok(())
        }
    }
}

fn table(items: &Value, fields: &[&str]) {
    let items = items.as_array().cloned().unwrap_or_default();
    let row = |item: &Value| fields.iter().map(|field| output::plain(&output::text(&item[*field]))).collect();
    let headings: Vec<String> = fields.iter().map(|field| field.to_uppercase()).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    output::table(&headings, &items.iter().map(row).collect::<Vec<Vec<String>>>());
}
