//! `hive budget …`

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::{agent::called, cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the budgets, with what is spent and reserved of each.
    List,
    /// Set a cap, of the whole organisation unless a session, an agent or a task is named. Tasks that wait for it go on as
    /// far as there is room; a call needs room for all that it may cost.
    Set(Cap),
    /// Remove a budget, that of the whole organisation unless another is named; tasks that wait for it go on.
    Remove(Key),
}

/// What is covered: everything unless one of these is given.
#[derive(Args)]
pub(crate) struct Key {
    /// The tasks of a session, by its id.
    #[arg(long, group = "of")]
    session: Option<String>,
    /// The tasks of an agent, by its id or its name.
    #[arg(long, group = "of")]
    agent: Option<String>,
    /// A task and all below it, by its id.
    #[arg(long, group = "of")]
    task: Option<String>,
    /// It holds for each day (UTC), and not for good.
    #[arg(long)]
    day: bool,
}

#[derive(Args)]
pub(crate) struct Cap {
    #[command(flatten)]
    key: Key,
    /// Dollars.
    cap: f64,
}

impl Key {
    fn parts(&self) -> (&'static str, Option<&str>, &'static str) {
        let (scope, name) = match (&self.session, &self.agent, &self.task) {
            (Some(session), _, _) => ("session", Some(session.as_str())),
            (_, Some(agent), _) => ("agent", Some(agent.as_str())),
            (_, _, Some(task)) => ("task", Some(task.as_str())),
            (None, None, None) => ("org", None),
        };
        (scope, name, if self.day { "day" } else { "total" })
    }
}

pub(crate) async fn run(mut command: Command, common: &Common, as_json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    if let Command::Set(Cap { key, .. }) | Command::Remove(key) = &mut command {
        called::resolve(&client, "--agent", &mut key.agent).await?;
    }
    match command {
        Command::List => show(&all(&client).await?, as_json),
        Command::Set(Cap { key, cap }) => {
            let (scope, name, period) = key.parts();
            let body = json!({ "scope": scope, "name": name, "period": period, "cap_usd": cap });
            client.put_empty("/api/v1/budgets", &body).await?;
            let mut items = all(&client).await?;
            items.retain(|item| {
                item["scope"] == scope && item["name"].as_str() == name && item["period"] == period
            });
            show(&items, as_json)
        }
        Command::Remove(key) => {
            let (scope, name, period) = key.parts();
            let mut query = Serializer::new(String::new());
            query.extend_pairs([("scope", scope), ("period", period)]);
            query.extend_pairs(name.map(|name| ("name", name)));
            client.delete(&format!("/api/v1/budgets?{}", query.finish())).await
        }
    }
}

async fn all(client: &Client) -> Result<Vec<Value>, Failure> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/budgets?limit=200{cursor}")).await?;
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(items),
        }
    }
}

fn show(items: &[Value], as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&json!({ "items": items }));
    }
    let row = |item: &Value| {
        let text = |field: &str| output::plain(&output::text(&item[field]));
        let money = |field: &str| format!("{:.9}", item[field].as_f64().unwrap_or_default());
        vec![
            text("scope"),
            text("name"),
            text("period"),
            money("cap_usd"),
            money("spent_usd"),
            money("reserved_usd"),
            text("waiting"),
        ]
    };
    let headings = ["SCOPE", "NAME", "PERIOD", "CAP $", "SPENT $", "RESERVED $", "WAITING"];
    output::table(&headings, &items.iter().map(row).collect::<Vec<_>>());
    Ok(())
}
