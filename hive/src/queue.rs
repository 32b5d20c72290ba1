//! `hive queue …`

pub(crate) mod events;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::{agent::called, cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start nothing that this covers, and stop what runs at its next step edge.
    Pause(Pause),
    /// Start nothing that this covers, and let what runs end.
    Drain(Pause),
    /// End a pause.
    Resume(Scope),
    /// List the pauses that hold.
    List,
    /// Show the limits of concurrency keys and agents.
    Limits,
    /// Set the limits of a concurrency key or an agent; what is left out is taken away.
    Limit(Limit),
    /// Take all limits of a concurrency key or an agent away: a key then has one place.
    DropLimit(Limited),
}

/// What is covered: the fleet unless one of these is given.
#[derive(Args)]
pub(crate) struct Scope {
    /// A lane: urgent, high, normal or low.
    #[arg(long, group = "scope")]
    lane: Option<String>,
    /// An agent, by its id or its name.
    #[arg(long, group = "scope", value_name = "AGENT")]
    agent: Option<String>,
    /// A session, by id.
    #[arg(long, group = "scope", value_name = "ID")]
    session: Option<String>,
}

#[derive(Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    scope: Scope,
    /// Shown beside every task that it holds back.
    #[arg(long, default_value = "")]
    reason: String,
    /// Ends by itself then, as RFC 3339.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// What has the limits: one of these.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Limited {
    /// A concurrency key.
    #[arg(long)]
    key: Option<String>,
    /// An agent, by its id or its name.
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
}

#[derive(Args)]
pub(crate) struct Limit {
    #[command(flatten)]
    of: Limited,
    /// Tasks of the key that may run at a time.
    #[arg(long)]
    running: Option<u32>,
    /// Tasks that may start in a time, as 30/60 for 30 in 60 seconds.
    #[arg(long, value_name = "STARTS/SECONDS")]
    rate: Option<String>,
}

impl Limited {
    fn kind_and_name(&self) -> Result<(&'static str, &str), Failure> {
        match (&self.key, &self.agent) {
            (Some(key), _) => Ok(("key", key)),
            (None, Some(agent)) => Ok(("agent", agent)),
            (None, None) => Err(Failure::Usage("name a key or an agent".to_owned())),
        }
    }
}

impl Scope {
    fn json(&self) -> Value {
        let (scope, name) = match (&self.lane, &self.agent, &self.session) {
            (Some(lane), _, _) => ("lane", lane.as_str()),
            (_, Some(agent), _) => ("agent", agent.as_str()),
            (_, _, Some(session)) => ("session", session.as_str()),
            (None, None, None) => ("fleet", ""),
        };
        json!({ "scope": scope, "name": name })
    }
}

pub(crate) async fn run(mut command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match &mut command {
        Command::Pause(Pause { scope: Scope { agent, .. }, .. })
        | Command::Drain(Pause { scope: Scope { agent, .. }, .. })
        | Command::Resume(Scope { agent, .. })
        | Command::Limit(Limit { of: Limited { agent, .. }, .. })
        | Command::DropLimit(Limited { agent, .. }) => called::resolve(&client, "--agent", agent).await?,
        Command::List | Command::Limits => {}
    }
    match command {
        Command::Pause(pause) => begin(&client, &pause, "pause", json).await,
        Command::Drain(pause) => begin(&client, &pause, "drain", json).await,
        Command::Resume(scope) => client.post_empty("/api/v1/queue/resume", &scope.json()).await,
        Command::List => {
            let pauses = client.get("/api/v1/queue/pauses").await?;
            let shown = ["scope", "name", "mode", "until", "created_by", "reason"];
            if json { output::json(&pauses) } else { rows(&pauses, &shown) }
        }
        Command::Limits => {
            let limits = client.get("/api/v1/limits").await?;
            if json {
                output::json(&limits)
            } else {
                rows(&as_given(limits), &["kind", "name", "running", "rate"])
            }
        }
        Command::Limit(limit) => set(&client, &limit).await,
        Command::DropLimit(of) => {
            let (kind, name) = of.kind_and_name()?;
            let query =
                Serializer::new(String::new()).extend_pairs([("kind", kind), ("name", name)]).finish();
            client.delete(&format!("/api/v1/limits?{query}")).await
        }
    }
}

async fn begin(client: &Client, pause: &Pause, mode: &str, as_json: bool) -> Result<(), Failure> {
    let mut body = pause.scope.json();
    body["mode"] = json!(mode);
    body["reason"] = json!(pause.reason);
    body["until"] = json!(pause.until);
    let made = client.post("/api/v1/queue/pause", &body).await?;
    if as_json {
        return output::json(&made);
    }
    rows(&json!({ "items": [made] }), &["scope", "name", "mode", "until", "created_by", "reason"])
}

async fn set(client: &Client, limit: &Limit) -> Result<(), Failure> {
    let rate = limit.rate.as_deref().map(parse_rate).transpose()?;
    let (kind, name) = limit.of.kind_and_name()?;
    let body = json!({ "kind": kind, "name": name, "max_running": limit.running, "rate": rate });
    client.put_empty("/api/v1/limits", &body).await
}

/// Limits by the names and in the form in which `limit` takes them.
fn as_given(mut limits: Value) -> Value {
    for limit in limits["items"].as_array_mut().into_iter().flatten() {
        limit["running"] = limit["max_running"].take();
        if let (Some(starts), Some(seconds)) =
            (limit["rate"]["max_starts"].as_i64(), limit["rate"]["per_seconds"].as_i64())
        {
            limit["rate"] = json!(format!("{starts}/{seconds}"));
        }
    }
    limits
}

fn parse_rate(text: &str) -> Result<Value, Failure> {
    let rate = text.split_once('/').and_then(|(starts, seconds)| {
        Some(
            json!({ "max_starts": starts.parse::<u32>().ok()?, "per_seconds": seconds.parse::<u32>().ok()? }),
        )
    });
    rate.ok_or_else(|| {
        Failure::Usage(format!("--rate {text}: write it as 30/60, for 30 starts in 60 seconds"))
    })
}

fn rows(page: &Value, fields: &[&str]) -> Result<(), Failure> {
    let items = page["items"].as_array().cloned().unwrap_or_default();
    let row = |item: &Value| fields.iter().map(|field| output::plain(&output::text(&item[*field]))).collect();
    let headings: Vec<String> = fields.iter().map(|field| field.to_uppercase()).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    output::table(&headings, &items.iter().map(row).collect::<Vec<Vec<String>>>());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_shown_as_it_is_given() {
        let limits = json!({ "items": [
            { "kind": "key", "name": "k", "max_running": 2, "rate": parse_rate("30/60").unwrap() },
            { "kind": "key", "name": "l", "max_running": null, "rate": null },
        ] });
        let shown = as_given(limits);
        assert_eq!((&shown["items"][0]["running"], &shown["items"][0]["rate"]), (&json!(2), &json!("30/60")));
        assert!(shown["items"][1]["rate"].is_null() && shown["items"][1]["running"].is_null());
    }
}
