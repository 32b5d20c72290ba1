use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Input, ToolError};

/// The longest that an agent may sleep at a time, in seconds: a week.
const MAX_SECONDS: i64 = 7 * 24 * 3600;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    /// 1 to 604800 from now. Give this or `until`.
    #[serde(default)]
    seconds: Option<i64>,
    /// A time such as 2026-05-01T09:00:00Z, at most a week ahead. Give this or `seconds`.
    #[serde(default)]
    until: Option<String>,
}

impl Input for Wait {
    const DESCRIPTION: &'static str = "Go on later: after some seconds, or at a time. Costs nothing meanwhile. Use it \
                                       instead of commands that sleep. A message from the person wakes you earlier.";
}

impl Wait {
    /// When the run goes on.
    pub(super) fn wake_at(self, now: DateTime<Utc>) -> Result<DateTime<Utc>, ToolError> {
        let tell = |text: &str| Err(ToolError::Tell(text.to_owned()));
        let until = match self.until.map(|text| text.parse::<DateTime<Utc>>()).transpose() {
            Ok(until) => until,
            Err(_) => return tell("until must be a time such as 2026-05-01T09:00:00Z"),
        };
        let wake_at = match (self.seconds, until) {
            (Some(seconds), None) if (1..=MAX_SECONDS).contains(&seconds) => {
                now + TimeDelta::seconds(seconds)
            }
            (Some(_), None) => return tell("seconds must be 1 to 604800"),
            (None, Some(until)) if until <= now => return tell("until has passed already"),
            (None, Some(until)) if until - now > TimeDelta::seconds(MAX_SECONDS) => {
                return tell("until must lie at most a week ahead");
            }
            (None, Some(until)) => until,
            _ => return tell("give either seconds or until"),
        };
        Ok(wake_at)
    }
}
