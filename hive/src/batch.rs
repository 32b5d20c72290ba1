//! `hive batch …`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List batches, the newest first, and what waits for one.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
    },
}

pub(crate) async fn run(command: Command, common: &Common, as_json: bool) -> Result<(), Failure> {
    let Command::List { limit } = command;
    let client = Client::new(&common.connection)?;
    let page = client.get(&format!("/api/v1/batches?limit={limit}")).await?;
    if as_json {
        return output::json(&json!({ "waiting": page["waiting"], "items": page["items"] }));
    }
    let waiting = |field: &str| output::text(&page["waiting"][field]);
    let seconds = page["waiting"]["oldest_seconds"].as_f64().unwrap_or_default();
    println!(
        "{} requests wait for a batch ({} of them for money), {} are in one; the oldest waits for {seconds:.0} s",
        waiting("queued"),
        waiting("no_room"),
        waiting("sent"),
    );
    let row = |item: &Value| {
        let text = |field: &str| output::plain(&output::text(&item[field]));
        let cost = format!("{:.9}", item["cost_usd"].as_f64().unwrap_or_default());
        let fields = ["created_at", "state", "model", "requests", "answered", "failed", "unknown"];
        let mut row: Vec<String> = fields.iter().map(|field| text(field)).collect();
        row.extend([cost, text("provider_id"), text("detail")]);
        row
    };
    let rows: Vec<_> = page["items"].as_array().into_iter().flatten().map(row).collect();
    let headings = [
        "CREATED",
        "STATE",
        "MODEL",
        "REQUESTS",
        "ANSWERED",
        "FAILED",
        "UNKNOWN",
        "COST $",
        "PROVIDER ID",
        "DETAIL",
    ];
    output::table(&headings, &rows);
    Ok(())
}
