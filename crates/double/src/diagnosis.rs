//! Why the prompt cache could not reuse what an earlier request had sent.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::digest::{Digest, Rendered, Tiers};
use crate::ledger::Usage;

/// Requests that are remembered at most; older ones are not found.
const MOST_REMEMBERED: usize = 10_000;

/// What is remembered of a request that was answered.
#[derive(Clone, Debug)]
pub(crate) struct Print {
    model: String,
    speed: Value,
    tiers: Tiers,
    /// Messages, and the digest of everything up to the last of them.
    messages: usize,
    end: Digest,
    /// Tokens that a later request could have read.
    cached: u64,
}

impl Print {
    pub(crate) fn of(body: &Map<String, Value>, rendered: &Rendered, usage: &Usage) -> Self {
        Self {
            model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
            speed: body.get("speed").cloned().unwrap_or_else(|| "standard".into()),
            tiers: rendered.tiers.clone(),
            messages: rendered.before.len().saturating_sub(1),
            end: rendered.before.last().copied().unwrap_or_default(),
            cached: usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
        }
    }
}

/// Prints by the id of the answer.
#[derive(Debug, Default)]
pub(crate) struct Diagnoses {
    // Answers are remembered and asked about in parallel.
    prints: Mutex<Prints>,
}

#[derive(Debug, Default)]
struct Prints {
    by_id: HashMap<String, Print>,
    order: VecDeque<String>,
}

impl Diagnoses {
    /// `diagnostics` of the answer: null where nobody asked, or nothing differs.
    pub(crate) fn of(
        &self,
        body: &Map<String, Value>,
        rendered: &Rendered,
        print: &Print,
        usage: &Usage,
    ) -> Value {
        let Some(previous) = body.get("diagnostics").and_then(|given| given["previous_message_id"].as_str())
        else {
            return Value::Null;
        };
        let earlier = self.prints.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(previous).cloned();
        let Some(earlier) = earlier else {
            return json!({ "cache_miss_reason": { "type": "previous_message_not_found" } });
        };
        let changed = if earlier.model != print.model || earlier.speed != print.speed {
            "model_changed"
        } else if earlier.tiers.tools != print.tiers.tools {
            "tools_changed"
        } else if earlier.tiers.system != print.tiers.system {
            "system_changed"
        } else if rendered.before.get(earlier.messages) != Some(&earlier.end) {
            "messages_changed"
        } else if earlier.tiers.settings != print.tiers.settings {
            return json!({ "cache_miss_reason": { "type": "unavailable" } });
        } else {
            return Value::Null;
        };
        let missed = earlier.cached.saturating_sub(usage.cache_read_input_tokens);
        json!({ "cache_miss_reason": { "type": changed, "cache_missed_input_tokens": missed } })
    }

    pub(crate) fn remember(&self, message_id: &str, print: Print) {
        let mut prints = self.prints.lock().unwrap_or_else(PoisonError::into_inner);
        prints.order.push_back(message_id.to_owned());
        prints.by_id.insert(message_id.to_owned(), print);
        if prints.order.len() > MOST_REMEMBERED
            && let Some(oldest) = prints.order.pop_front()
        {
            prints.by_id.remove(&oldest);
        }
    }
}
