//! What a task may use up, as it is sent and shown.

use hive_domain::Limits;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::faults::Faults;

/// A year: what lies beyond is a slip of the keyboard.
const MAX_SECONDS: u64 = 31_536_000;
/// Dollars, for the same reason.
const MAX_COST_USD: f64 = 1_000_000.0;

/// Notes what of limits cannot be accepted.
pub fn check_limits(limits: &Limits, faults: &mut Faults) {
    let at_least_one = "must be at least 1";
    faults.demand(limits.max_turns != Some(0), "/limits/max_turns", at_least_one);
    faults.demand(limits.max_tokens.is_none_or(|max| max >= 1), "/limits/max_tokens", at_least_one);
    let payable = limits.max_cost_usd.is_none_or(|max| (0.0..=MAX_COST_USD).contains(&max));
    faults.demand(payable, "/limits/max_cost_usd", "must be 0 to 1000000");
    let timely = limits.max_seconds.is_none_or(|max| (1..=MAX_SECONDS).contains(&max));
    faults.demand(timely, "/limits/max_seconds", "must be 1 to 31536000");
}

/// The same four fields for each use; what differs is whether
/// they are read or shown, and what stands for a field that is left out.
macro_rules! limits {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        pub struct $name {
            /// Model replies; null is unlimited.
            #[schema(minimum = 1)]
            max_turns: Option<u32>,
            /// US dollars; null is unlimited.
            #[schema(minimum = 0, maximum = 1_000_000)]
            max_cost_usd: Option<f64>,
            /// Tokens of every kind together; null is unlimited.
            #[schema(minimum = 1)]
            max_tokens: Option<i64>,
            /// Seconds since the first claim; null is unlimited.
            #[schema(minimum = 1, maximum = 31_536_000)]
            max_seconds: Option<u64>,
        }

        impl From<Limits> for $name {
            fn from(limits: Limits) -> Self {
                let Limits { max_turns, max_cost_usd, max_tokens, max_seconds } = limits;
                Self { max_turns, max_cost_usd, max_tokens, max_seconds }
            }
        }

        impl From<$name> for Limits {
            fn from(limits: $name) -> Self {
                let $name { max_turns, max_cost_usd, max_tokens, max_seconds } = limits;
                Self { max_turns, max_cost_usd, max_tokens, max_seconds }
            }
        }
    };
}

limits! {
    /// What a task may use up.
    #[derive(Debug, Serialize, ToSchema)]
    #[schema(as = Limits)]
    LimitsView
}

limits! {
    /// What a task may use up. What is left out keeps its default.
    #[derive(Debug, Deserialize, ToSchema)]
    #[serde(default, deny_unknown_fields)]
    #[schema(as = NewTaskLimits)]
    TaskLimits
}

limits! {
    /// What narrows the limits of each task of an agent. What is left out does not.
    #[derive(Debug, Default, Deserialize, ToSchema)]
    #[serde(default, deny_unknown_fields)]
    #[schema(as = NewAgentLimits)]
    AgentLimits
}

impl Default for TaskLimits {
    fn default() -> Self {
        Limits::default().into()
    }
}
