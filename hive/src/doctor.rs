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
    let client = match Client::new(connection) {
        Ok(client) => client,
        Err(failure) => return (vec![finding("server", false, failure.to_string())], Some(failure)),
    };
    let health = match client.get("/api/v1/system/health").await {
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
    let named = output::text(&health["provider"]);
    let double =
        if named == "double" { "the Claude double answers, by scripts, and no model" } else { &named };
    match client.get("/api/v1/provider").await {
        Ok(state) => found.extend(provider(&state, double)),
        Err(failure) => found.push(finding("provider", false, failure.to_string())),
    }
    match client.get("/api/v1/models").await {
        Ok(list) => found.extend(models(&list)),
        Err(failure) => found.push(finding("models", false, failure.to_string())),
    }
    (found, None)
}

/// What turns calls to the model away; one line when nothing does.
fn provider(state: &serde_json::Value, name: &str) -> Vec<Finding> {
    let finding = |well, text: String| Finding { what: "provider", well, essential: false, text };
    let mut found: Vec<Finding> = Vec::new();
    for stop in state["stopped_keys"].as_array().into_iter().flatten() {
        let of = |field: &str| output::text(&stop[field]);
        found.push(finding(
            false,
            format!(
                "no call is made with key {} ({}): {}; mend it, then: hive provider resume",
                of("key"),
                of("reason"),
                of("detail")
            ),
        ));
    }
    for model in state["models"].as_array().into_iter().flatten() {
        let of = |field: &str| output::text(&model[field]);
        if of("breaker") == "open" {
            found.push(finding(false, format!("the breaker of {} is open: {}", of("model"), of("detail"))));
        } else if model["hold_until"].is_string() {
            found.push(finding(false, format!("{} is asked again at {}", of("model"), of("hold_until"))));
        }
    }
    if found.is_empty() {
        found.push(finding(true, format!("{name}; nothing turns calls away")));
    }
    found
}

/// Models that are named and do not answer much longer; one line when there are none.
fn models(list: &serde_json::Value) -> Vec<Finding> {
    let finding = |well, text: String| Finding { what: "models", well, essential: false, text };
    let mut found: Vec<Finding> = Vec::new();
    for named in list["findings"].as_array().into_iter().flatten() {
        found.push(finding(false, output::text(&named["detail"])));
    }
    if let Some(error) = list["refresh"]["error"].as_str() {
        found.push(finding(false, format!("the service did not list its models: {error}")));
    }
    if found.is_empty() {
        let listed = match list["refresh"]["refreshed_at"].as_str() {
            Some(at) => format!("listed by the service at {at}"),
            None => "not listed by the service yet".to_owned(),
        };
        found.push(finding(true, format!("all that are named answer; {listed}")));
    }
    found
}
