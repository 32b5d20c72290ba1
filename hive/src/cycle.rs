//! `hive cycle …`

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::{agent::called, cli::Common, client::Client, failure::Failure, output};

/// Nights and what they do to memories.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Consolidate a memory now: that of the default project, unless another is named.
    Begin(Begin),
    /// List nights, the latest first.
    List {
        #[command(flatten)]
        whose: Whose,
        /// Only those that are not over.
        #[arg(long)]
        open: bool,
        /// How many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
    },
    /// Show where a night stands, what it cost, and how well the memory answers before and after.
    Show {
        /// Its id.
        id: String,
    },
    /// Show what a night did, with reasons and sources.
    Diff {
        /// Its id.
        id: String,
        /// Only one kind: extracted, merged, superseded, promoted, decayed, kept, refused or dropped.
        #[arg(long)]
        kind: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
    },
    /// Stop a night that is under way.
    Cancel {
        /// Its id.
        id: String,
    },
    /// Take a night back: what it retired is recalled again as it was.
    Rollback {
        /// Its id.
        id: String,
        /// Take later nights that built on it back with it.
        #[arg(long)]
        with_later: bool,
        /// Also where people changed or deleted its entries since.
        #[arg(long)]
        force: bool,
    },
}

#[derive(Args)]
pub(crate) struct Begin {
    #[command(flatten)]
    whose: Whose,
    /// Dollars that it may cost.
    #[arg(long)]
    usd: Option<f64>,
    /// Tokens that it may use, in and out.
    #[arg(long)]
    tokens: Option<i64>,
    /// Minutes that it may take.
    #[arg(long)]
    minutes: Option<i32>,
}

/// Whose memory.
#[derive(Args)]
pub(crate) struct Whose {
    /// org, project, session or agent; the narrowest that is named, unless given.
    #[arg(long)]
    scope: Option<String>,
    /// The project; the default project unless given.
    #[arg(long)]
    project: Option<String>,
    /// The session.
    #[arg(long)]
    session: Option<String>,
    /// The agent, by its id or its name.
    #[arg(long)]
    agent: Option<String>,
}

impl Whose {
    fn named(&self) -> Vec<(&'static str, &String)> {
        let all = [
            ("scope", &self.scope),
            ("project_id", &self.project),
            ("session_id", &self.session),
            ("agent_id", &self.agent),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect()
    }

    /// As a list is asked for: there the scope is always named.
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut named: Vec<(&str, String)> =
            self.named().into_iter().map(|(name, value)| (name, value.clone())).collect();
        if self.scope.is_none() && !named.is_empty() {
            let scope = match (&self.session, &self.agent) {
                (_, Some(_)) => "agent",
                (Some(_), None) => "session",
                (None, None) => "project",
            };
            named.push(("scope", scope.to_owned()));
        }
        named
    }
}

pub(crate) async fn run(mut command: Command, common: &Common, as_json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    if let Command::Begin(Begin { whose, .. }) | Command::List { whose, .. } = &mut command {
        called::resolve(&client, "--agent", &mut whose.agent).await?;
    }
    match command {
        Command::Begin(wish) => {
            let mut body: Map<String, Value> =
                wish.whose.named().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            body.insert(
                "budget".to_owned(),
                json!({ "usd": wish.usd, "tokens": wish.tokens, "minutes": wish.minutes }),
            );
            show(&client.post("/api/v1/sleep-cycles", &Value::Object(body)).await?, as_json)
        }
        Command::List { whose, open, limit } => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("limit", &limit.to_string()).extend_pairs(whose.query());
            if open {
                query.append_pair("open", "true");
            }
            let page = client.get(&format!("/api/v1/sleep-cycles?{}", query.finish())).await?;
            if as_json {
                return output::json(&page["items"]);
            }
            output::table(
                &[
                    "ID",
                    "CREATED",
                    "SCOPE",
                    "STATE",
                    "PHASE",
                    "MERGED",
                    "SUPERSEDED",
                    "PROMOTED",
                    "DECAYED",
                    "COST $",
                ],
                &page["items"].as_array().into_iter().flatten().map(row).collect::<Vec<_>>(),
            );
            Ok(())
        }
        Command::Show { id } => show(&client.get(&format!("/api/v1/sleep-cycles/{id}")).await?, as_json),
        Command::Diff { id, kind, limit } => {
            let kind = kind.map(|kind| format!("&kind={kind}")).unwrap_or_default();
            let page = client.get(&format!("/api/v1/sleep-cycles/{id}/diff?limit={limit}{kind}")).await?;
            if as_json {
                return output::json(&page);
            }
            page["items"].as_array().into_iter().flatten().for_each(print_change);
            if !page["next_cursor"].is_null() {
                println!("… and more; --json or --kind show the rest");
            }
            Ok(())
        }
        Command::Cancel { id } => {
            show(&client.post(&format!("/api/v1/sleep-cycles/{id}/cancel"), &json!({})).await?, as_json)
        }
        Command::Rollback { id, with_later, force } => {
            let wish = json!({ "with_later": with_later, "force": force });
            let done = client.post(&format!("/api/v1/sleep-cycles/{id}/rollback"), &wish).await?;
            if as_json {
                return output::json(&done["items"]);
            }
            for cycle in done["items"].as_array().into_iter().flatten() {
                println!("{} is taken back", output::text(&cycle["id"]));
            }
            Ok(())
        }
    }
}

fn row(item: &Value) -> Vec<String> {
    let text = |value: &Value| output::plain(&output::text(value));
    let counts = &item["counts"];
    vec![
        text(&item["id"]),
        text(&item["created_at"]),
        text(&item["scope"]),
        text(&item["state"]),
        text(&item["phase"]),
        text(&counts["merged"]),
        text(&counts["superseded"]),
        text(&counts["promoted"]),
        text(&counts["decayed"]),
        format!("{:.6}", item["usage"]["cost_usd"].as_f64().unwrap_or_default()),
    ]
}

fn show(cycle: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(cycle);
    }
    let text = |value: &Value| output::plain(&output::text(value));
    println!("{}  {} ({})", text(&cycle["id"]), text(&cycle["state"]), text(&cycle["phase"]));
    if !cycle["failure"].is_null() {
        println!("  {}", text(&cycle["failure"]));
    }
    told(cycle).iter().for_each(|line| println!("  {line}"));
    let counts = cycle["counts"].as_object().into_iter().flatten();
    let counts: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
    println!("  {}", counts.join(", "));
    let usage = &cycle["usage"];
    println!(
        "  {} requests, {} tokens in, {} out, ${:.6}",
        usage["requests"],
        usage["input_tokens"],
        usage["output_tokens"],
        usage["cost_usd"].as_f64().unwrap_or_default()
    );
    if let Some(quality) = cycle["quality"].as_object() {
        let share = |name: &str| quality[name].as_f64().unwrap_or_default() * 100.0;
        println!(
            "  {} questions: {:.1} % answered before, {:.1} % after",
            quality["probes"],
            share("before"),
            share("after")
        );
    }
    for skipped in cycle["skipped"].as_array().into_iter().flatten() {
        println!(
            "  skipped in {}: {} ({}), for {}",
            text(&skipped["phase"]),
            text(&skipped["what"]),
            text(&skipped["count"]),
            text(&skipped["why"])
        );
    }
    Ok(())
}

/// What it waits for, and which questions were lost.
fn told(cycle: &Value) -> Vec<String> {
    let text = |value: &Value| output::plain(&output::text(value));
    let mut lines = Vec::new();
    let wait = &cycle["waits_for_batch"];
    if wait.is_object() {
        lines.push(format!(
            "waits for a batch of the provider since {}: {} requests are gathered, {} are sent (hive batch list)",
            text(&wait["since"]),
            text(&wait["queued"]),
            text(&wait["sent"])
        ));
    }
    let lost = &cycle["lost"];
    let questions = lost["questions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !questions.is_empty() {
        lines.push(format!("{} questions would be answered no more:", text(&lost["count"])));
        let line = |one: &Value| {
            let question = text(&one["question"]).replace('\n', " ");
            format!("  {question}  (answered by {})", text(&one["evidence_id"]))
        };
        lines.extend(questions.iter().map(line));
        let more = lost["count"].as_u64().unwrap_or_default().saturating_sub(questions.len() as u64);
        if more > 0 {
            lines.push(format!("  … and {more} more"));
        }
    }
    lines
}

fn print_change(change: &Value) {
    let text = |value: &Value| output::plain(&output::text(value));
    let line = |mark: char, entry: &Value| {
        let content =
            if entry["content"].is_null() { "(deleted)".to_owned() } else { text(&entry["content"]) };
        println!("  {mark} {}  {content}", text(&entry["id"]));
    };
    println!("{}: {}", text(&change["kind"]), text(&change["reason"]));
    for entry in change["retired"].as_array().into_iter().flatten() {
        line('-', entry);
    }
    if !change["born"].is_null() {
        line('+', &change["born"]);
    }
    let retired: Vec<&Value> =
        change["retired"].as_array().into_iter().flatten().map(|entry| &entry["id"]).collect();
    for entry in change["sources"].as_array().into_iter().flatten() {
        if !retired.contains(&&entry["id"]) {
            line('=', entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_night_waits_for_and_what_it_would_lose_is_told() {
        assert!(told(&json!({ "waits_for_batch": null })).is_empty());
        let wait = json!({ "since": "2026-01-01T00:00:00Z", "queued": 2, "sent": 1 });
        let waiting = told(&json!({ "waits_for_batch": wait }));
        assert!(
            waiting[0].contains("since 2026-01-01T00:00:00Z: 2 requests are gathered, 1 are"),
            "{waiting:?}"
        );
        let questions = json!([{ "question": "which\nport", "evidence_id": "e" }]);
        let lost = told(&json!({ "lost": { "count": 3, "questions": questions } }));
        assert_eq!(
            lost,
            ["3 questions would be answered no more:", "  which port  (answered by e)", "  … and 2 more"]
        );
    }
}
