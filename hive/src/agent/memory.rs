//! `hive memory …`

mod view;
mod write;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{agent::called, cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Find entries by words and by meaning, best first, with how well it went for the tasks that were given them.
    Search(Search),
    /// Show an entry, and how well it went for the tasks that were given it.
    Show {
        /// Its id.
        id: String,
    },
    /// Store an entry: of the default project, unless somebody else's is named.
    Store(Box<write::Store>),
    /// Change an entry. Another text or title is another entry, with an id of its own; the old one stays for --as-of.
    Edit(write::Edit),
    /// Keep an entry from fading.
    Pin {
        /// Its id.
        id: String,
    },
    /// Let an entry fade again.
    Unpin {
        /// Its id.
        id: String,
    },
    /// Keep an entry as it is: nobody replaces, redacts or deletes it, and no night retires it.
    Lock {
        /// Its id.
        id: String,
    },
    /// Let an entry be changed again.
    Unlock {
        /// Its id.
        id: String,
    },
    /// Show what an entry replaced and what replaced it, oldest first.
    History {
        /// Its id.
        id: String,
    },
    /// Write over texts for good, in the entry, its history and what was drawn from it.
    Redact {
        /// Its id.
        id: String,
        /// What must not be read any more, letter by letter.
        #[arg(required = true)]
        texts: Vec<String>,
    },
    /// Delete an entry for good: its text, its history and what was drawn from nothing else.
    Delete {
        /// Its id.
        id: String,
    },
}

#[derive(Args)]
pub(crate) struct Search {
    /// In words of your own.
    query: String,
    /// Also what is this agent's own, by its id or its name.
    #[arg(long)]
    agent: Option<String>,
    /// Also what is this session's.
    #[arg(long)]
    session: Option<String>,
    /// In this project; the default project unless named.
    #[arg(long)]
    project: Option<String>,
    /// Only of this kind, such as procedure; may be repeated.
    #[arg(long)]
    kind: Vec<String>,
    /// What held at this time, such as 2026-01-31T12:00:00Z; now, unless named.
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
}

pub(crate) async fn run(command: Command, common: &Common, as_json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    match command {
        Command::Search(mut search) => {
            called::resolve(&client, "--agent", &mut search.agent).await?;
            let body = json!({
                "query": search.query, "agent_id": search.agent, "session_id": search.session,
                "project_id": search.project, "kinds": search.kind, "as_of": search.as_of, "limit": search.limit,
            });
            let found = client.post("/api/v1/context/search", &body).await?;
            if as_json { output::json(&found) } else { view::found(&found) }
        }
        Command::Show { id } => told(&client.get(&path(&id)).await?, as_json),
        Command::Store(mut new) => {
            called::resolve(&client, "--agent", &mut new.agent).await?;
            let key = new.idempotency_key.as_deref();
            told(&client.post_once("/api/v1/context/store", &new.body(), key).await?, as_json)
        }
        Command::Edit(edit) => told(&client.patch(&path(&edit.id), &edit.body()).await?, as_json),
        Command::Pin { id } => change(&client, &id, json!({ "pinned": true }), as_json).await,
        Command::Unpin { id } => change(&client, &id, json!({ "pinned": false }), as_json).await,
        Command::Lock { id } => change(&client, &id, json!({ "locked": true }), as_json).await,
        Command::Unlock { id } => change(&client, &id, json!({ "locked": false }), as_json).await,
        Command::History { id } => {
            let history = client.get(&format!("{}/history", path(&id))).await?;
            if as_json { output::json(&history) } else { view::history(&history) }
        }
        Command::Redact { id, texts } => {
            told(&client.post(&format!("{}/redact", path(&id)), &json!({ "texts": texts })).await?, as_json)
        }
        Command::Delete { id } => {
            let done = client.delete_told(&path(&id)).await?;
            if as_json { output::json(&done) } else { view::deletion(&done) }
        }
    }
}

fn path(id: &str) -> String {
    format!("/api/v1/context/{}", output::escaped(id))
}

async fn change(client: &Client, id: &str, change: Value, as_json: bool) -> Result<(), Failure> {
    told(&client.patch(&path(id), &change).await?, as_json)
}

fn told(entry: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json { output::json(entry) } else { view::entry(entry) }
}
