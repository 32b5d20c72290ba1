//! `hive events`: what happens to the system, beside its tasks.

use std::{error::Error, ops::ControlFlow, str::FromStr, time::Duration};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use hive_domain::{Channel, SystemEventKind};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::{
    cli::Common,
    client::{Client, stream},
    failure::Failure,
    output,
};

/// Connections that may break in a row, half a second apart, before the server counts as gone.
const PATIENCE: u32 = 120;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Print what comes from now on, until interrupted.
    #[arg(long)]
    follow: bool,
    /// With --follow: begin after the event of this number; 0 is everything that is kept.
    #[arg(long, requires = "follow")]
    after: Option<i64>,
    /// Of this channel; may be repeated.
    #[arg(long, value_parser = one_of(Channel::ALL, Channel::as_str))]
    channel: Vec<Channel>,
    /// Of this kind; may be repeated.
    #[arg(long, value_parser = one_of(SystemEventKind::ALL, SystemEventKind::as_str))]
    kind: Vec<SystemEventKind>,
    /// About this: an id or a name.
    #[arg(long)]
    subject: Option<String>,
    /// Without --follow: how many, the latest ones.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=200))]
    limit: u8,
}

/// Reads one of these by its name; the names are in the help.
fn one_of<T>(all: &'static [T], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + FromStr<Err: Error + Send + Sync + 'static> + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.iter().map(|one| name(*one))).try_map(|text| text.parse())
}

pub(crate) async fn run(options: &Options, as_json: bool) -> Result<(), Failure> {
    let client = Client::new(&options.common.connection)?;
    if options.follow {
        return follow(&client, options, as_json).await;
    }
    let mut query = filter(options);
    query.append_pair("limit", &options.limit.to_string());
    let page = client.get(&format!("/api/v1/events?{}", query.finish())).await?;
    if as_json {
        return output::json(&page);
    }
    for event in page["items"].as_array().into_iter().flatten().rev() {
        show(event, false);
    }
    Ok(())
}

fn filter(options: &Options) -> Serializer<'static, String> {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(options.channel.iter().map(|channel| ("channel", channel.as_str())));
    query.extend_pairs(options.kind.iter().map(|kind| ("kind", kind.as_str())));
    query.extend_pairs(options.subject.iter().map(|subject| ("subject", subject)));
    query
}

async fn follow(client: &Client, options: &Options, as_json: bool) -> Result<(), Failure> {
    let mut after = match options.after {
        Some(after) => after,
        None => client.get("/api/v1/events?limit=1").await?["items"][0]["seq"].as_i64().unwrap_or(0),
    };
    let path = format!("/api/v1/events/stream?{}", filter(options).finish());
    let mut broken = 0;
    loop {
        match client.stream(&path, after).await {
            Ok(response) => {
                let read = stream::read(response, |event| {
                    after = event["seq"].as_i64().unwrap_or(after);
                    broken = 0;
                    show(event, as_json);
                    Ok(ControlFlow::Continue(()))
                });
                if read.await?.is_break() {
                    return Ok(());
                }
            }
            Err(Failure::Unreachable(_) | Failure::Later(_)) if broken < PATIENCE => {}
            Err(failure) => return Err(failure),
        }
        broken += 1;
        if broken > PATIENCE {
            return Err(Failure::Unreachable("the event stream keeps breaking".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn show(event: &Value, as_json: bool) {
    if as_json {
        println!("{event}");
        return;
    }
    let [seq, at, kind, subject] = ["seq", "at", "kind", "subject"].map(|name| output::text(&event[name]));
    println!(
        "{seq:>6} {at} {kind} {} {}",
        output::plain(&subject),
        output::plain(&event["data"].to_string())
    );
}
