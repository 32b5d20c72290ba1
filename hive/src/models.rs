//! `hive models …`

pub(crate) mod routing;

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{cli::Common, client::Client, failure::Failure, output};

/// How long a refresh is waited for: a worker looks every few seconds and the service gets most of a minute.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List models with their limits and how they stand, and where one is named that does not answer much longer.
    List,
    /// Let a worker ask the service for its models, and wait for that.
    Refresh,
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match command {
        Command::List => {
            let list = client.get("/api/v1/models").await?;
            if json {
                return output::json(&list);
            }
            table(&list);
            Ok(())
        }
        Command::Refresh => {
            let list = refresh(&client).await?;
            if json {
                return output::json(&list["refresh"]);
            }
            let listed = list["items"].as_array().into_iter().flatten();
            let listed = listed.filter(|model| !model["refreshed_at"].is_null()).count();
            println!(
                "{} listed the service's models: {listed}",
                output::text(&list["refresh"]["refreshed_by"])
            );
            Ok(())
        }
    }
}

async fn refresh(client: &Client) -> Result<Value, Failure> {
    client.post("/api/v1/models/refresh", &json!({})).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = client.get("/api/v1/models").await?;
        if list["refresh"]["pending"] == json!(false) {
            return Ok(list);
        }
        if Instant::now() >= deadline {
            let why = list["refresh"]["error"].as_str().unwrap_or("no worker took it; does one run?");
            return Err(Failure::Failed(format!("the models were not listed: {why}")));
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn table(list: &Value) {
    let models = list["items"].as_array().cloned().unwrap_or_default();
    let row = |model: &Value| {
        let price = &model["prices"][0];
        [
            output::text(&model["id"]),
            output::text(&model["standing"]),
            output::text(&model["retires_at"]).chars().take(10).collect(),
            output::text(&model["max_input_tokens"]),
            output::text(&model["max_output_tokens"]),
            output::text(&price["input_usd"]),
            output::text(&price["output_usd"]),
            output::text(&model["successor"]),
        ]
        .iter()
        .map(|text| output::plain(text))
        .collect()
    };
    let rows: Vec<Vec<String>> = models.iter().map(row).collect();
    output::table(&["ID", "STANDING", "RETIRES", "CONTEXT", "OUTPUT", "$IN/M", "$OUT/M", "SUCCESSOR"], &rows);
    for finding in list["findings"].as_array().into_iter().flatten() {
        println!(
            "{}: {}",
            output::text(&finding["standing"]),
            output::plain(&output::text(&finding["detail"]))
        );
    }
}
