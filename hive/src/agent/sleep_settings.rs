//! When an agent sleeps by itself, and how long.

use std::str::FromStr;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{client::Client, failure::Failure, output};

/// The word for a setting that is as it usually is.
const NONE: &str = "none";

/// A number, or as it usually is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Wish<T>(Option<T>);

impl<T: FromStr<Err: std::fmt::Display>> FromStr for Wish<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Self(None));
        }
        text.parse().map(|number| Self(Some(number))).map_err(|error| format!("{error}, nor is it {NONE:?}"))
    }
}

/// Each takes a number, or `none`: as it is while nobody says anything.
#[derive(Args)]
pub(crate) struct Settings {
    /// Its id or its name.
    pub(super) id: String,
    /// Forget what was said, all of it: it sleeps when it is told to.
    #[arg(long, conflicts_with_all = ["idle_seconds", "pressure_entries", "pressure_steps", "fall_seconds", "sleep_seconds", "night_usd"])]
    reset: bool,
    /// Seconds without a task after which it sleeps, if something is new since its last night; none: it does not.
    #[arg(long)]
    idle_seconds: Option<Wish<u32>>,
    /// New entries of its memory that make it sleep; none: they do not.
    #[arg(long)]
    pressure_entries: Option<Wish<u32>>,
    /// Steps that make it sleep; none: they do not.
    #[arg(long)]
    pressure_steps: Option<Wish<u32>>,
    /// Seconds that running work gets to reach a step edge; none: 300.
    #[arg(long)]
    fall_seconds: Option<Wish<u32>>,
    /// Seconds after that at which it wakes, whatever is done to its memory; none: 7200.
    #[arg(long)]
    sleep_seconds: Option<Wish<u32>>,
    /// What the cycle of one night may cost, in dollars; none: 1.
    #[arg(long)]
    night_usd: Option<Wish<f64>>,
}

impl Settings {
    /// What is named.
    fn changes(&self) -> Map<String, Value> {
        let whole = |wish: Option<Wish<u32>>| wish.map(|wish| json!(wish.0));
        let fields = [
            ("idle_seconds", whole(self.idle_seconds)),
            ("pressure_entries", whole(self.pressure_entries)),
            ("pressure_steps", whole(self.pressure_steps)),
            ("fall_seconds", whole(self.fall_seconds)),
            ("sleep_seconds", whole(self.sleep_seconds)),
            ("night_usd", self.night_usd.map(|wish| json!(wish.0))),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// All of what holds then: the server takes settings whole.
    fn whole(&self, held: &Value) -> Value {
        let fields = [
            "idle_seconds",
            "pressure_entries",
            "pressure_steps",
            "fall_seconds",
            "sleep_seconds",
            "night_usd",
        ];
        let mut whole: Map<String, Value> =
            fields.into_iter().map(|name| (name.to_owned(), held[name].clone())).collect();
        whole.extend(self.changes());
        whole.into()
    }

    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let path = format!("/api/v1/agents/{}/sleep-settings", self.id);
        if self.reset {
            client.put_empty(&path, &json!({})).await?;
        } else if !self.changes().is_empty() {
            let held = client.get(&path).await?;
            // What somebody else says at the same time must not be taken back by what was read before it. An api that tells no
            // version compares none.
            let version = held["version"].as_i64().unwrap_or_default();
            client.put_matching(&path, &self.whole(&held), version).await?;
        }
        output::json(&client.get(&path).await?)
    }
}
