//! `hive session …`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a session and print its id.
    Create {
        /// For people; need not be unique.
        name: String,
    },
    /// List sessions, newest first, and where their tasks stand.
    List {
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one session and where its tasks stand.
    Show {
        /// Its id.
        id: String,
    },
}

pub(crate) async fn run(command: Command, common: &Common, json: bool) -> Result<(), Failure> {
    let client = Client::new(&common.connection)?;
    let (answer, sessions) = match command {
        Command::Create { name } => {
            let session = client.post("/api/v1/sessions", &json!({ "name": name })).await?;
            if !json {
                println!("{}", output::text(&session["id"]));
                return Ok(());
            }
            (session, Vec::new())
        }
        Command::List { limit } => {
            let page = client.get(&format!("/api/v1/sessions?limit={limit}")).await?;
            let sessions = page["items"].as_array().cloned().unwrap_or_default();
            (page, sessions)
        }
        Command::Show { id } => {
            let session = client.get(&format!("/api/v1/sessions/{id}")).await?;
            (session.clone(), vec![session])
        }
    };
    if json {
        return output::json(&answer);
    }
    output::table(&["ID", "CREATED", "NAME", "TASKS"], &sessions.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

fn row(session: &Value) -> Vec<String> {
    let counts = session["tasks"].as_object().cloned().unwrap_or_default();
    let counts: Vec<String> =
        counts.iter().map(|(status, count)| format!("{} {status}", output::text(count))).collect();
    vec![
        output::text(&session["id"]),
        output::text(&session["created_at"]),
        output::plain(&output::text(&session["name"])),
        counts.join(", "),
    ]
}
