//! `hive memory …`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Find entries by words and by meaning, best first, with how well it went for the tasks that were given them.
    Search(Search),
    /// Show an entry, and how well it went for the tasks that were given it.
    Show {
        /// Its id.
        id: String,
    },
}

#[derive(Args)]
pub(crate) struct Search {
    /// In words of your own.
    query: String,
    /// Also what is this agent's own.
    #[arg(long)]
    agent: Option<String>,
    /// Also what is this session's.
    #[arg(long)]
    session: Option<String>,
    /// Only of this kind, such as procedure; may be repeated.
    #[arg(long)]
    kind: Vec<String>,
    /// At most this many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
}

pub(crate) async fn run(command: Command, common: &Common, as_json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match command {
        Command::Search(search) => {
            let body = json!({
                "query": search.query, "agent_id": search.agent, "session_id": search.session, "kinds": search.kind,
                "limit": search.limit,
            });
            let found = client.post("/api/v1/context/search", &body).await?;
            if as_json { output::json(&found) } else { list(&found) }
        }
        Command::Show { id } => {
            let entry = client.get(&format!("/api/v1/context/{id}")).await?;
            if as_json { output::json(&entry) } else { show(&entry) }
        }
    }
}

/// The share of those that succeeded, with how many ended.
fn rate(outcomes: &Value) -> String {
    let ended = outcomes["succeeded"].as_i64().unwrap_or(0) + outcomes["failed"].as_i64().unwrap_or(0);
    match outcomes["rate"].as_f64() {
        Some(rate) => format!("{:.0} % of {ended}", rate * 100.0),
        None => String::new(),
    }
}

fn list(found: &Value) -> Result<(), Failure> {
    let row = |hit: &Value| {
        let entry = &hit["context"];
        let outcomes = &entry["outcomes"];
        let text = output::plain(&output::text(&entry["content"])).replace('\n', " ");
        let [id, kind] = ["id", "kind"].map(|name| output::plain(&output::text(&entry[name])));
        let [used, succeeded] = ["used", "succeeded"].map(|name| output::text(&outcomes[name]));
        vec![id, kind, used, succeeded, rate(outcomes), text.chars().take(60).collect()]
    };
    let rows: Vec<Vec<String>> = found["hits"].as_array().into_iter().flatten().map(row).collect();
    output::table(&["ID", "KIND", "USED", "SUCCEEDED", "RATE", "TEXT"], &rows);
    Ok(())
}

fn show(entry: &Value) -> Result<(), Failure> {
    let outcomes = &entry["outcomes"];
    known(entry).iter().for_each(|line| println!("{line}"));
    for name in ["used", "succeeded", "failed"] {
        println!("{name:<13} {}", output::text(&outcomes[name]));
    }
    println!("{}", format!("{:<13} {}", "rate", rate(outcomes)).trim_end());
    println!("\n{}", output::plain(&output::text(&entry["content"])));
    Ok(())
}

/// What is set of an entry, a line for each.
fn known(entry: &Value) -> Vec<String> {
    let fields = [
        "id",
        "kind",
        "scope",
        "trust",
        "author",
        "title",
        "pinned",
        "locked",
        "recorded_at",
        "valid_from",
        "valid_to",
        "superseded_by",
        "parent_id",
        "sources",
    ];
    let line = |name: &str| {
        let value = match &entry[name] {
            Value::Bool(false) => String::new(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Array(ids) => ids.iter().map(output::text).collect::<Vec<_>>().join(", "),
            value => output::text(value),
        };
        (!value.is_empty()).then(|| format!("{name:<13} {}", output::plain(&value)))
    };
    fields.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_of_an_entry_is_shown_and_nothing_else() {
        let entry = json!({
            "id": "e", "title": "", "pinned": true, "locked": false, "valid_from": "2026-01-01T00:00:00Z",
            "valid_to": null, "superseded_by": "f", "parent_id": "g", "sources": ["a", "b"],
        });
        let lines: Vec<String> =
            known(&entry).iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "id e",
                "pinned yes",
                "valid_from 2026-01-01T00:00:00Z",
                "superseded_by f",
                "parent_id g",
                "sources a, b"
            ]
        );
        assert!(known(&json!({ "sources": [], "pinned": false })).is_empty());
    }
}
