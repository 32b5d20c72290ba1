//! `hive agent …`

use clap::Subcommand;

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List agents.
    List,
    /// Show one agent with its current definition.
    Show {
        /// Its id.
        id: String,
    },
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match command {
        Command::List => {
            let page = client.get("/api/v1/agents?limit=200").await?;
            if json {
                return output::json(&page);
            }
            let agents = page["items"].as_array().cloned().unwrap_or_default();
            let row = |agent: &serde_json::Value| {
                ["id", "type", "name", "status", "version", "model"]
                    .iter()
                    .map(|field| output::plain(&output::text(&agent[*field])))
                    .collect()
            };
            let rows: Vec<Vec<String>> = agents.iter().map(row).collect();
            output::table(&["ID", "TYPE", "NAME", "STATUS", "VERSION", "MODEL"], &rows);
            Ok(())
        }
        Command::Show { id } => output::json(&client.get(&format!("/api/v1/agents/{id}")).await?),
    }
}
