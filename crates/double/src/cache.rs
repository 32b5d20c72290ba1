//! The prompt cache, simulated: which prefixes were marked and sent before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::catalogue::Model;
use crate::digest::{Rendered, Ttl};
use crate::ledger::Usage;
use crate::tokens::tokens;

/// Blocks before a marker in which an earlier entry is looked for.
const LOOK_BACK: usize = 20;
/// Entries that are kept at most; when they are exceeded the cache starts anew.
const MOST_ENTRIES: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct PromptCache {
    // Digest of a prefix and when it expires; requests come in parallel.
    entries: Mutex<HashMap<u64, (Instant, Duration)>>,
}

impl PromptCache {
    /// Splits the tokens of a prompt into read, written and neither, and remembers its marked prefixes.
    pub(crate) fn charge(&self, model: &Model, rendered: &Rendered, now: Instant) -> Usage {
        let total = tokens(rendered.bytes());
        let Some(last) = rendered.marks.iter().rposition(|mark| mark.marker.is_some()) else {
            return Usage { input_tokens: total, ..Usage::default() };
        };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let marked = || {
            let places = rendered.marks.iter().enumerate();
            places.filter_map(|(place, mark)| mark.marker.map(|ttl| (place, ttl)))
        };
        let hit = marked()
            .flat_map(|(place, _)| place.saturating_sub(LOOK_BACK)..=place)
            .filter(|&place| {
                entries.get(&rendered.marks[place].digest).is_some_and(|(expiry, _)| *expiry > now)
            })
            .max();
        if let Some((expiry, lifetime)) = hit.and_then(|place| entries.get_mut(&rendered.marks[place].digest))
        {
            *expiry = now + *lifetime;
        }
        let size = |place: usize| tokens(rendered.marks[place].bytes);
        let read = hit.map_or(0, size);
        let mut usage = Usage { cache_read_input_tokens: read, ..Usage::default() };
        let mut written_to = read;
        for (place, ttl) in marked().filter(|(place, _)| hit.is_none_or(|hit| *place > hit)) {
            if size(place) < model.cache_minimum {
                continue;
            }
            let written = size(place).saturating_sub(written_to);
            written_to += written;
            usage.cache_creation_input_tokens += written;
            let lifetime = match ttl {
                Ttl::FiveMinutes => Duration::from_secs(300),
                Ttl::Hour => {
                    usage.cache_creation_1h_input_tokens += written;
                    Duration::from_secs(3_600)
                }
            };
            if entries.len() >= MOST_ENTRIES {
                entries.clear();
            }
            entries.insert(rendered.marks[place].digest, (now + lifetime, lifetime));
        }
        debug_assert!(written_to <= size(last).max(read));
        usage.input_tokens = total.saturating_sub(written_to);
        usage
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::catalogue;

    fn usage(cache: &PromptCache, body: &Value, now: Instant) -> Usage {
        let model = catalogue::find("claude-sonnet-5-5").expect("the catalogue has it");
        let body = body.as_object().expect("the test writes an object");
        cache.charge(model, &Rendered::of(model.id, body), now)
    }

    #[test]
    fn the_second_turn_reads_what_the_first_one_wrote() {
        let cache = PromptCache::default();
        let now = Instant::now();
        let long = "word ".repeat(1_000);
        let first = json!({"cache_control": {"type": "ephemeral"},
            "messages": [{"role": "user", "content": long}]});
        let wrote = usage(&cache, &first, now);
        assert_eq!(wrote.cache_creation_input_tokens, tokens(5_000));
        assert_eq!((wrote.input_tokens, wrote.cache_read_input_tokens), (0, 0));

        let second = json!({"cache_control": {"type": "ephemeral"}, "messages": [
            {"role": "user", "content": long}, {"role": "assistant", "content": "yes"},
            {"role": "user", "content": "go on"}]});
        let read = usage(&cache, &second, now);
        assert_eq!(read.cache_read_input_tokens, tokens(5_000));
        assert_eq!(read.cache_creation_input_tokens, tokens(5_008) - tokens(5_000));

        let late = usage(&cache, &first, now + Duration::from_secs(301));
        assert_eq!(late.cache_read_input_tokens, 0, "five minutes are over");
    }

    #[test]
    fn a_short_prefix_and_an_unmarked_one_are_not_cached() {
        let cache = PromptCache::default();
        let now = Instant::now();
        let short = json!({"cache_control": {"type": "ephemeral"},
            "messages": [{"role": "user", "content": "hi"}]});
        assert_eq!(usage(&cache, &short, now), Usage { input_tokens: 1, ..Usage::default() });
        assert_eq!(usage(&cache, &short, now), Usage { input_tokens: 1, ..Usage::default() });
        let unmarked = json!({"messages": [{"role": "user", "content": "word ".repeat(1_000)}]});
        assert_eq!(usage(&cache, &unmarked, now).input_tokens, tokens(5_000));
        assert_eq!(usage(&cache, &unmarked, now).cache_read_input_tokens, 0);
    }
}
