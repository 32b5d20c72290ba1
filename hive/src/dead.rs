//! `hive dead …`

use clap::Subcommand;
use serde_json::Value;

use crate::{
    cli::Common,
    client::Client,
    failure::Failure,
    output,
    task::{act, filter::Filter},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List tasks whose attempts are used up, newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Try them again: one by its id, or all that fit a filter and were not tried again so far.
    #[command(override_usage = "hive dead redrive [OPTIONS] <ID|FILTER|--all>")]
    Redrive(act::Options),
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match command {
        Command::List { mut filter, limit } => {
            filter.resolve(&client).await?;
            let page = client.get(&format!("/api/v1/dead-letters?limit={limit}{}", filter.query())).await?;
            if json {
                return output::json(&page);
            }
            let letters = page["items"].as_array().cloned().unwrap_or_default();
            output::table(
                &["ID", "DIED", "REASON", "CLASS", "ATTEMPTS", "AGAIN AS", "LAST ERROR"],
                &letters.iter().map(row).collect::<Vec<_>>(),
            );
            Ok(())
        }
        Command::Redrive(options) => act::redrive(&client, options, json).await,
    }
}

fn row(letter: &Value) -> Vec<String> {
    let mut row: Vec<String> = ["id", "died_at", "reason", "error_class", "attempts", "redriven_to"]
        .map(|name| output::plain(&output::text(&letter[name])))
        .to_vec();
    let error = output::plain(&output::text(&letter["last_error"])).replace('\n', " ");
    row.push(error.chars().take(80).collect());
    row
}
