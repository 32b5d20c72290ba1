//! `hive doctor`: what works here, what does not, and what to do about it.

use clap::Args;
use hive_sandbox::Sandbox;
use serde_json::json;

use crate::{client::Client, failure::Failure, output, settings::Connection};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

struct Finding {
    what: &'static str,
    well: bool,
    essential: bool,
    text: String,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let mut findings = vec![program("git", "--version").await, program("python3", "--version").await];
    findings.push(sandbox().await);
    findings.extend(server(&options.connection).await);
    let well = findings.iter().all(|finding| finding.well || !finding.essential);
    if options.json {
        let items = findings.iter().map(|f| json!({ "what": f.what, "ok": f.well, "text": f.text }));
        output::json(&json!({ "ok": well, "items": items.collect::<Vec<_>>() }))?;
    } else {
        for finding in &findings {
            let mark = match (finding.well, finding.essential) {
                (true, _) => "ok     ",
                (false, true) => "MISSING",
                (false, false) => "note   ",
            };
            println!("{mark}  {:<8}  {}", finding.what, output::plain(&finding.text));
        }
    }
    if well { Ok(()) } else { Err(Failure::Failed("something essential is missing".to_owned())) }
}

async fn program(name: &'static str, argument: &str) -> Finding {
    let run = tokio::process::Command::new(name).arg(argument).kill_on_drop(true).output();
    let (well, text) = match tokio::time::timeout(std::time::Duration::from_secs(5), run).await {
        Ok(Ok(output)) if output.status.success() => {
            (true, String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(Ok(output)) => (false, format!("{name} {argument} ended with {}", output.status)),
        Ok(Err(error)) => (false, format!("{name} cannot be run: {error}")),
        Err(_) => (false, format!("{name} does not answer")),
    };
    Finding { what: name, well, essential: name == "git", text }
}

async fn sandbox() -> Finding {
    let (well, text) = match Sandbox::probe(hive_sandbox::Config::default()).await {
        Ok(sandbox) => {
            let level = sandbox.level();
            (
                true,
                std::iter::once(level.to_string())
                    .chain(level.notes.iter().cloned())
                    .collect::<Vec<_>>()
                    .join("; "),
            )
        }
        Err(error) => (false, error.to_string()),
    };
    Finding { what: "sandbox", well, essential: true, text }
}

async fn server(connection: &Connection) -> Vec<Finding> {
    let finding = |what, well, text: String| Finding { what, well, essential: false, text };
    let client = match Client::new(connection) {
        Ok(client) => client,
        Err(failure) => return vec![finding("server", false, failure.to_string())],
    };
    match client.get("/api/v1/system/health").await {
        Ok(health) => {
            let components = health["components"].as_object().cloned().unwrap_or_default();
            let mut found =
                vec![finding("server", true, format!("answers as {}", output::text(&health["status"])))];
            found.extend(components.into_iter().map(|(name, component)| {
                let state = output::text(&component["state"]);
                finding(
                    "server",
                    state == "up",
                    format!("{name} is {state} {}", output::text(&component["reason"])),
                )
            }));
            found
        }
        Err(failure) => vec![finding("server", false, failure.to_string())],
    }
}
