//! `hive task bulk`

use std::{io::Read, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::{client::Client, failure::Failure, output};

#[derive(Args)]
pub(crate) struct Options {
    /// A file of JSON, or - for the standard input: a list of tasks as the API takes them, each with a `ref` by which the
    /// others may name it in `dependencies`.
    file: PathBuf,
    /// Makes it safe to send again: the same key makes the tasks once.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub(crate) async fn run(client: &Client, options: &Options, as_json: bool) -> Result<(), Failure> {
    let mut text = String::new();
    if options.file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        let name = options.file.display();
        text = std::fs::read_to_string(&options.file)
            .map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
    }
    let read: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{}: {error}", options.file.display())))?;
    let body = if read.is_array() { json!({ "tasks": read }) } else { read };
    let answer = client.post_once("/api/v1/tasks/bulk", &body, options.idempotency_key.as_deref()).await?;
    if as_json {
        return output::json(&answer);
    }
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    let row =
        |item: &Value| ["id", "status", "ref"].map(|name| output::plain(&output::text(&item[name]))).to_vec();
    output::table(&["ID", "STATUS", "REF"], &items.iter().map(row).collect::<Vec<_>>());
    Ok(())
}
