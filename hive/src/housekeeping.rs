//! `hive housekeeping …`

use std::time::{Duration, Instant};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{cli::Common, client::Client, failure::Failure, output};

/// How long a run is waited for; a duty may take minutes, and goes on without us.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the duties, how each fared and when it last succeeded.
    List,
    /// Run a duty now.
    Run {
        /// Its name.
        duty: String,
        /// Report what would be removed, and remove nothing.
        #[arg(long)]
        dry_run: bool,
        /// Days that are kept, instead of the configured retention.
        #[arg(long)]
        keep_days: Option<u32>,
    },
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match command {
        Command::List => {
            let duties = client.get("/api/v1/housekeeping").await?;
            if json { output::json(&duties) } else { list(&duties) }
        }
        Command::Run { duty, dry_run, keep_days } => {
            let keep = keep_days.map(|days| format!("&keep_days={days}")).unwrap_or_default();
            let path = format!("/api/v1/housekeeping/{duty}/run?dry_run={dry_run}{keep}");
            let order = wait(&client, client.post(&path, &json!({})).await?).await?;
            if json {
                output::json(&order)?;
            } else {
                show(&order);
            }
            outcome(&order)
        }
    }
}

/// Until every run that began has ended.
async fn wait(client: &Client, mut order: Value) -> Result<Value, Failure> {
    let start = Instant::now();
    let path = format!("/api/v1/housekeeping/orders/{}", output::text(&order["id"]));
    while runs(&order).is_empty() || runs(&order).iter().any(|run| run["state"] == "running") {
        if start.elapsed() > PATIENCE {
            return Err(Failure::Failed(format!("nobody has done it yet; {path} shows what comes of it")));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        order = client.get(&path).await?;
    }
    Ok(order)
}

fn runs(order: &Value) -> Vec<Value> {
    order["runs"].as_array().cloned().unwrap_or_default()
}

fn outcome(order: &Value) -> Result<(), Failure> {
    match runs(order).iter().find(|run| run["state"] == "failed") {
        Some(failed) => Err(Failure::Failed(output::plain(&output::text(&failed["error"])))),
        None => Ok(()),
    }
}

fn list(duties: &Value) -> Result<(), Failure> {
    let duties = duties["items"].as_array().cloned().unwrap_or_default();
    let row = |duty: &Value| {
        let last = match duty["last_success_at"].as_str() {
            Some(time) => time.to_owned(),
            None => "never".to_owned(),
        };
        let states: Vec<String> = duty["last_runs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|run| output::text(&run["state"]))
            .collect();
        vec![output::text(&duty["name"]), last, states.join(" "), output::text(&duty["what"])]
    };
    let rows: Vec<Vec<String>> = duties.iter().map(row).collect();
    output::table(&["DUTY", "LAST SUCCESS", "LAST RUN", "WHAT"], &rows);
    Ok(())
}

fn show(order: &Value) {
    for run in runs(order) {
        let did = if order["dry_run"] == true { "would remove" } else { "removed" };
        let host = run["host"].as_str().map(|host| format!("{host}: ")).unwrap_or_default();
        let (rows, bytes) = (output::text(&run["removed_rows"]), output::text(&run["removed_bytes"]));
        println!("{}{did} {rows}, {bytes} bytes", output::plain(&host));
        for (name, value) in run["report"].as_object().into_iter().flatten() {
            println!("  {name}  {}", output::plain(&output::text(value)));
        }
    }
}
