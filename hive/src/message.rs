//! `hive message …`

mod send;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{agent::called, cli::Common, client::Client, failure::Failure, output, output::escaped};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Send a message to one agent, to several or to all.
    Send(Box<send::Send>),
    /// List what an agent was sent, in the order of its inbox.
    List(List),
    /// Show what was said in a conversation, in order.
    Conversation {
        /// Its id.
        id: String,
        /// After this number.
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
    /// Find messages by words and by meaning, best first.
    Search(Search),
    /// Say that messages arrived: they are not delivered any more.
    Ack {
        /// The agent that was sent them, by its id or its name.
        agent: String,
        /// The messages.
        #[arg(required = true)]
        messages: Vec<String>,
    },
    /// List messages whose tries are used up, or send them on their way again.
    Dead {
        /// Sent to this agent, by its id or its name.
        #[arg(long)]
        agent: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Send those of the agent on their way again.
        #[arg(long, requires = "agent")]
        redrive: bool,
    },
    /// Show whether an agent takes messages, or change how they are received.
    Inbox(Inbox),
}

#[derive(Args)]
pub(crate) struct List {
    /// The agent, by its id or its name.
    agent: String,
    /// Also what arrived, and dead letters.
    #[arg(long)]
    all: bool,
    /// After this place of the inbox.
    #[arg(long, default_value_t = 0)]
    after: i64,
    /// Sent at or after this time.
    #[arg(long)]
    since: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
}

#[derive(Args)]
pub(crate) struct Search {
    /// In words of your own. With words in quotes, or after a minus, it goes by words alone.
    query: String,
    /// Only what this agent may read, by its id or its name.
    #[arg(long)]
    agent: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
}

#[derive(Args)]
pub(crate) struct Inbox {
    /// The agent, by its id or its name.
    agent: String,
    /// Whether somebody outside receives, and no task is made or woken.
    #[arg(long)]
    pulled: Option<bool>,
    /// Seconds that a receiver has to acknowledge what it took.
    #[arg(long)]
    visibility_seconds: Option<u32>,
    /// Tries before a message is a dead letter.
    #[arg(long)]
    max_tries: Option<u32>,
}

pub(crate) async fn run(mut command: Command, common: &Common, as_json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match &mut command {
        Command::Send(send) => send.resolve(&client).await?,
        Command::List(List { agent, .. })
        | Command::Ack { agent, .. }
        | Command::Inbox(Inbox { agent, .. }) => called::resolve(&client, "AGENT", [agent]).await?,
        Command::Dead { agent, .. } | Command::Search(Search { agent, .. }) => {
            called::resolve(&client, "--agent", agent).await?;
        }
        Command::Conversation { .. } => {}
    }
    match command {
        Command::Send(send) => send.run(&client, as_json).await,
        Command::List(list) => {
            let state = if list.all { "all" } else { "unacknowledged" };
            let since = list.since.as_deref().map(escaped);
            let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
            let (agent, limit, after) = (escaped(&list.agent), list.limit, list.after);
            let path = format!("/api/v1/messages/{agent}?state={state}&limit={limit}&cursor={after}{since}");
            show(&client.get(&path).await?, &[MESSAGE, DELIVERY, TEXT], as_json)
        }
        Command::Conversation { id, after } => {
            let path = format!("/api/v1/conversations/{}?limit=200&cursor={after}", escaped(&id));
            show(&client.get(&path).await?, &[MESSAGE, TEXT], as_json)
        }
        Command::Search(search) => {
            let mut body = json!({ "query": search.query, "limit": search.limit });
            if let Some(agent) = search.agent {
                body["agent_id"] = json!(agent);
            }
            show(&client.post("/api/v1/messages/search", &body).await?, &[MESSAGE, TEXT], as_json)
        }
        Command::Ack { agent, messages } => {
            let path = format!("/api/v1/messages/{}/ack", escaped(&agent));
            let done = client.post(&path, &json!({ "message_ids": messages })).await?;
            if as_json {
                return output::json(&done);
            }
            let count = |field: &str| done[field].as_array().map_or(0, Vec::len);
            println!("{} acknowledged, {} before", count("acknowledged"), count("acknowledged_before"));
            Ok(())
        }
        Command::Dead { agent: Some(agent), redrive: true, .. } => {
            let body = json!({ "agent_id": agent });
            let done = client.post("/api/v1/messages/dead-letters/redrive", &body).await?;
            if as_json {
                return output::json(&done);
            }
            println!("{} messages are on their way again", done["items"].as_array().map_or(0, Vec::len));
            Ok(())
        }
        Command::Dead { agent, limit, .. } => {
            let agent = agent.map(|agent| format!("&agent_id={}", escaped(&agent))).unwrap_or_default();
            let path = format!("/api/v1/messages/dead-letters?limit={limit}{agent}");
            show(&client.get(&path).await?, &[MESSAGE, DELIVERY, TEXT], as_json)
        }
        Command::Inbox(inbox) => {
            let path = format!("/api/v1/messages/{}/inbox", escaped(&inbox.agent));
            let fields = [
                ("pulled", inbox.pulled.map(Value::from)),
                ("visibility_seconds", inbox.visibility_seconds.map(Value::from)),
                ("max_tries", inbox.max_tries.map(Value::from)),
            ];
            let change: Map<String, Value> =
                fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
            output::json(&match change.is_empty() {
                true => client.get(&path).await?,
                false => client.patch(&path, &Value::Object(change)).await?,
            })
        }
    }
}

/// A heading and the field below it, or a pointer to it.
type Column = (&'static str, &'static str);

/// Of a message, whoever is to read it; of a question, whether it was answered.
const MESSAGE: &[Column] = &[
    ("PLACE", "place"),
    ("ID", "id"),
    ("SENT", "created_at"),
    ("TYPE", "message_type"),
    ("ANSWER", "/answer/state"),
    ("FROM", "from_name"),
    ("STATE", "state"),
    ("TRIES", "tries"),
];

/// Of one on its way to an agent: when it may be taken, or is to be acknowledged, and why it was not.
const DELIVERY: &[Column] = &[("VISIBLE AT", "visible_at"), ("LAST ERROR", "last_error")];

/// Last, since it is long.
const TEXT: &[Column] = &[("TEXT", "content")];

fn show(page: &Value, columns: &[&[Column]], as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(page);
    }
    let columns = columns.concat();
    let rows: Vec<_> =
        page["items"].as_array().into_iter().flatten().map(|item| row(item, &columns)).collect();
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    output::table(&headings, &rows);
    Ok(())
}

fn row(item: &Value, columns: &[Column]) -> Vec<String> {
    let cell = |(_, field): &Column| {
        let value = if field.starts_with('/') { item.pointer(field) } else { item.get(field) };
        let text =
            value.map(|value| output::plain(&output::text(value)).replace('\n', " ")).unwrap_or_default();
        text.chars().take(80).collect()
    };
    columns.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_on_its_way_shows_why_it_did_not_arrive() {
        let item =
            json!({ "id": "m", "visible_at": "2026-01-01T00:00:00Z", "last_error": "no\nmodel", "tries": 2 });
        let columns = [MESSAGE, DELIVERY].concat();
        let row = row(&item, &columns);
        let cells: Vec<(&str, &str)> =
            columns.iter().zip(&row).map(|((heading, _), cell)| (*heading, &**cell)).collect();
        assert!(cells.contains(&("LAST ERROR", "no model")), "{cells:?}");
        assert!(cells.contains(&("VISIBLE AT", "2026-01-01T00:00:00Z")) && cells.contains(&("TRIES", "2")));
    }
}
