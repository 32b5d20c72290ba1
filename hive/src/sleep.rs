//! `hive sleep`, `hive wake`

use clap::Args;
use serde_json::{Value, json};

use crate::{agent::called, cli::Common, client::Client, failure::Failure, output};

/// Agents: those named, or those of a group.
#[derive(Args)]
#[group(id = "whom", required = true, multiple = false, args = ["agents", "kind", "role", "all"])]
struct Whom {
    /// These agents, by their ids or names.
    #[arg(value_name = "AGENT")]
    agents: Vec<String>,
    /// All active agents of this type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// All active agents with this role, word for word.
    #[arg(long)]
    role: Option<String>,
    /// All active agents.
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    whom: Whom,
    /// Makes it safe to send again for 48 hours.
    #[arg(long)]
    idempotency_key: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Whom {
    fn body(&self) -> Value {
        match (&self.kind, &self.role, self.all) {
            (Some(kind), ..) => json!({ "agent_type": kind }),
            (None, Some(role), _) => json!({ "role": role }),
            (None, None, true) => json!({ "all": true }),
            (None, None, false) => json!({ "agent_ids": self.agents }),
        }
    }
}

/// Puts agents to sleep.
pub(crate) async fn sleep(mut options: Options, as_json: bool) -> Result<(), Failure> {
    let put = send(&mut options, "/api/v1/system/sleep").await?;
    if as_json {
        return output::json(&put);
    }
    let mut rows = nights(&put["begun"], "falls asleep");
    rows.extend(nights(&put["already"], "slept already"));
    for refused in put["refused"].as_array().into_iter().flatten() {
        let field = |name: &str| output::plain(&output::text(&refused[name]));
        rows.push(vec![field("agent_id"), String::new(), "stays awake".to_owned(), field("reason")]);
    }
    output::table(&["AGENT", "NAME", "", "WAKES BY"], &rows);
    Ok(())
}

/// Wakes agents.
pub(crate) async fn wake(mut options: Options, as_json: bool) -> Result<(), Failure> {
    let awakened = send(&mut options, "/api/v1/system/wake").await?;
    if as_json {
        return output::json(&awakened);
    }
    let mut rows = nights(&awakened["waking"], "wakes");
    for agent in awakened["awake"].as_array().into_iter().flatten() {
        rows.push(vec![
            output::plain(&output::text(agent)),
            String::new(),
            "was awake".to_owned(),
            String::new(),
        ]);
    }
    output::table(&["AGENT", "NAME", "", "WAKES BY"], &rows);
    Ok(())
}

async fn send(options: &mut Options, path: &str) -> Result<Value, Failure> {
    let client = Client::new(&options.common.connection)?;
    called::resolve(&client, "AGENT", &mut options.whom.agents).await?;
    client.post_once(path, &options.whom.body(), options.idempotency_key.as_deref()).await
}

fn nights(list: &Value, what: &str) -> Vec<Vec<String>> {
    let row = |night: &Value| {
        let field = |name: &str| output::plain(&output::text(&night[name]));
        vec![field("agent_id"), field("agent_name"), what.to_owned(), field("wake_by")]
    };
    list.as_array().into_iter().flatten().map(row).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        whom: Whom,
    }

    fn body(words: &[&str]) -> Result<Value, clap::Error> {
        Line::try_parse_from([&["hive"], words].concat()).map(|line| line.whom.body())
    }

    #[test]
    fn the_words_say_whom() {
        assert_eq!(body(&["a", "b"]).unwrap(), json!({ "agent_ids": ["a", "b"] }));
        assert_eq!(body(&["--type", "qa"]).unwrap(), json!({ "agent_type": "qa" }));
        assert_eq!(body(&["--role", "Tests."]).unwrap(), json!({ "role": "Tests." }));
        assert_eq!(body(&["--all"]).unwrap(), json!({ "all": true }));
        body(&[]).unwrap_err();
        body(&["a", "--all"]).unwrap_err();
    }
}
