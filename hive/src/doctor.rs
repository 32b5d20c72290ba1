//! `hive doctor`: what works here, what does not, and what to do about it.

use clap::Args;
use hive_sandbox::Sandbox;
use serde_json::json;

use crate::{client::Client, failure::Failure, output, settings::Connection};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    connection: Connection,
}

struct Finding {
    what: &'static str,
    well: bool,
    essential: bool,
    text: String,
}

pub(crate) async fn run(options: &Options, as_json: bool) -> Result<(), Failure> {
    let mut findings = vec![program("git", "--version").await, program("python3", "--version").await];
    findings.push(sandbox().await);
    let (seen, unreachable) = server(&options.connection).await;
    findings.extend(seen);
    let well = findings.iter().all(|finding| finding.well || !finding.essential);
    if as_json {
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
    match unreachable {
        _ if !well => Err(Failure::Failed("something essential is missing".to_owned())),
        Some(failure) => Err(failure),
        None => Ok(()),
    }
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

/// What the server says of itself; and why it says nothing, which decides the exit code.
async fn server(connection: &Connection) -> (Vec<Finding>, Option<Failure>) {
    let finding = |what, well, text: String| Finding { what, well, essential: false, text };
    let answer = match Client::new(connection) {
        Ok(client) => client.get("/api/v1/system/health").await,
        Err(failure) => Err(failure),
    };
    let health = match answer {
        Ok(health) => health,
        Err(failure) => return (vec![finding("server", false, failure.to_string())], Some(failure)),
    };
    let components = health["components"].as_object().cloned().unwrap_or_default();
    let mut found = vec![finding("server", true, format!("answers as {}", output::text(&health["status"])))];
    found.extend(components.into_iter().map(|(name, component)| {
        let state = output::text(&component["state"]);
        let text = format!("{name} is {state} {}", output::text(&component["reason"]));
        finding("server", state == "up", text.trim().to_owned())
    }));
    (found, None)
}
