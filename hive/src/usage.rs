//! `hive usage`: what calls to the model used and cost.

use clap::{Args, ValueEnum};
use hive_domain::NanoUsd;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::{cli::Common, client::Client, failure::Failure, output};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// The first day (UTC), as 2026-11-01; 29 days before the last unless given.
    #[arg(long)]
    from: Option<String>,
    /// The last day; today unless given.
    #[arg(long)]
    to: Option<String>,
    /// What is added up.
    #[arg(long, value_enum, default_value = "day")]
    by: By,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    Day,
    Model,
    Agent,
    Session,
    Task,
    Run,
}

impl By {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Agent => "agent",
            Self::Session => "session",
            Self::Task => "task",
            Self::Run => "run",
        }
    }
}

pub(crate) async fn run(options: &Options, as_json: bool) -> Result<(), Failure> {
    let client = Client::new(&options.common.connection)?;
    let by = options.by.as_str();
    let (mut items, mut cursor) = (Vec::new(), None);
    let total = loop {
        let mut query = Serializer::new(String::new());
        query.extend_pairs([("limit", "200"), ("group_by", by)]);
        for (name, value) in [("from", &options.from), ("to", &options.to), ("cursor", &cursor)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let page = client.get(&format!("/api/v1/usage?{}", query.finish())).await?;
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break page["total"].clone(),
        }
    };
    if as_json {
        return output::json(&json!({ "items": items, "total": total }));
    }
    let row = |item: &Value, key: String| {
        let text = |field: &str| output::plain(&output::text(&item[field]));
        let money = |field: &str| NanoUsd(item[field].as_i64().unwrap_or_default()).exact();
        vec![
            key,
            text("calls"),
            text("failed_calls"),
            text("input_tokens"),
            text("output_tokens"),
            text("cache_read_tokens"),
            text("cache_write_tokens"),
            money("cost_nano_usd"),
            text("unknown_calls"),
            money("unknown_nano_usd"),
        ]
    };
    let mut rows: Vec<_> =
        items.iter().map(|item| row(item, output::plain(&output::text(&item["key"])))).collect();
    rows.push(row(&total, "all".to_owned()));
    let key = by.to_uppercase();
    let headings = [
        key.as_str(),
        "CALLS",
        "FAILED",
        "INPUT",
        "OUTPUT",
        "CACHE READ",
        "CACHE WRITE",
        "COST $",
        "UNKNOWN",
        "AT MOST $",
    ];
    output::table(&headings, &rows);
    Ok(())
}
