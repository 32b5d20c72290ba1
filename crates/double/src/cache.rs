//! The prompt cache, simulated: which prefixes were marked and sent before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalogue::Model;
use crate::digest::{Digest, Rendered, Ttl};
use crate::ledger::Usage;
use crate::tokens::tokens;

/// Blocks before a marker in which an earlier entry is looked for.
const LOOK_BACK: usize = 20;
/// Entries that are kept at most; when they are exceeded the cache starts anew.
const MOST_ENTRIES: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct PromptCache {
    // Digest of a prefix and when it expires; requests come in parallel.
    entries: Mutex<HashMap<Digest, Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    expiry: DateTime<Utc>,
    lifetime: TimeDelta,
}

/// What a prompt costs, and what the cache learns when it is answered.
#[derive(Debug)]
pub(crate) struct Weighed {
    pub(crate) usage: Usage,
    /// The entry that was read; reading prolongs it.
    read: Option<Digest>,
    written: Vec<(Digest, TimeDelta)>,
}

impl PromptCache {
    /// Splits the tokens of a prompt into read, written and neither. Nothing is remembered yet.
    pub(crate) fn weigh(&self, model: &Model, rendered: &Rendered, now: DateTime<Utc>) -> Weighed {
        let total = tokens(rendered.bytes());
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let marked = || {
            let places = rendered.marks.iter().enumerate();
            places.filter_map(|(place, mark)| mark.marker.map(|ttl| (place, ttl)))
        };
        let alive = |place: &usize| {
            entries.get(&rendered.marks[*place].digest).is_some_and(|entry| entry.expiry > now)
        };
        // The newest entry of what any of the markers looks back on.
        let hit = marked().flat_map(|(place, _)| place.saturating_sub(LOOK_BACK)..=place).filter(alive).max();
        let size = |place: usize| tokens(rendered.marks[place].bytes);
        let read = hit.map_or(0, size);
        let mut usage = Usage { cache_read_input_tokens: read, ..Usage::default() };
        let mut written = Vec::new();
        let mut written_to = read;
        for (place, ttl) in marked().filter(|(place, _)| hit.is_none_or(|hit| *place > hit)) {
            if size(place) < model.cache_minimum {
                continue;
            }
            let more = size(place).saturating_sub(written_to);
            written_to += more;
            usage.cache_creation_input_tokens += more;
            let lifetime = match ttl {
                Ttl::FiveMinutes => TimeDelta::minutes(5),
                Ttl::Hour => {
                    usage.cache_creation_1h_input_tokens += more;
                    TimeDelta::hours(1)
                }
            };
            written.push((rendered.marks[place].digest, lifetime));
        }
        usage.input_tokens = total.saturating_sub(written_to);
        Weighed { usage, read: hit.map(|place| rendered.marks[place].digest), written }
    }

    /// Remembers the marked prefixes of a prompt that is being answered.
    pub(crate) fn keep(&self, weighed: &Weighed, now: DateTime<Utc>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = weighed.read.and_then(|digest| entries.get_mut(&digest)) {
            entry.expiry = now + entry.lifetime;
        }
        for (digest, lifetime) in &weighed.written {
            if entries.len() >= MOST_ENTRIES {
                entries.clear();
            }
            entries.insert(*digest, Entry { expiry: now + *lifetime, lifetime: *lifetime });
        }
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

    fn usage(cache: &PromptCache, body: &Value, now: DateTime<Utc>) -> Usage {
        let model = catalogue::find("claude-sonnet-5-5").expect("the catalogue has it");
        let body = body.as_object().expect("the test writes an object");
        let weighed = cache.weigh(model, &Rendered::of(model.id, body), now);
        cache.keep(&weighed, now);
        weighed.usage
    }

    #[test]
    fn the_second_turn_reads_what_the_first_one_wrote() {
        let cache = PromptCache::default();
        let now = DateTime::UNIX_EPOCH;
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

        let late = usage(&cache, &first, now + TimeDelta::seconds(301));
        assert_eq!(late.cache_read_input_tokens, 0, "five minutes are over");
    }

    #[test]
    fn a_short_prefix_and_an_unmarked_one_are_not_cached() {
        let cache = PromptCache::default();
        let now = DateTime::UNIX_EPOCH;
        let short = json!({"cache_control": {"type": "ephemeral"},
            "messages": [{"role": "user", "content": "hi"}]});
        assert_eq!(usage(&cache, &short, now), Usage { input_tokens: 1, ..Usage::default() });
        assert_eq!(usage(&cache, &short, now), Usage { input_tokens: 1, ..Usage::default() });
        let unmarked = json!({"messages": [{"role": "user", "content": "word ".repeat(1_000)}]});
        assert_eq!(usage(&cache, &unmarked, now).input_tokens, tokens(5_000));
        assert_eq!(usage(&cache, &unmarked, now).cache_read_input_tokens, 0);
    }

    /// Messages of one word each but for a first long one; the last carries the marker.
    fn turns(count: usize, marker: &Value) -> Value {
        let mut messages = vec![json!({"role": "user", "content": "word ".repeat(1_000)})];
        for turn in 1..count {
            let role = if turn % 2 == 0 { "user" } else { "assistant" };
            messages.push(json!({"role": role, "content": "go"}));
        }
        json!({"cache_control": marker, "messages": messages})
    }

    #[test]
    fn a_marker_looks_back_on_twenty_blocks_and_no_further() {
        let marker = json!({"type": "ephemeral"});
        for (more, read) in [(20, tokens(5_000)), (21, 0)] {
            let cache = PromptCache::default();
            usage(&cache, &turns(1, &marker), DateTime::UNIX_EPOCH);
            let later = usage(&cache, &turns(1 + more, &marker), DateTime::UNIX_EPOCH);
            assert_eq!(later.cache_read_input_tokens, read, "{more} blocks later");
        }
    }

    #[test]
    fn hours_and_minutes_are_counted_apart_and_reading_prolongs() {
        let cache = PromptCache::default();
        let now = DateTime::UNIX_EPOCH;
        let wrote = usage(&cache, &turns(1, &json!({"type": "ephemeral", "ttl": "1h"})), now);
        assert_eq!(wrote.cache_creation_1h_input_tokens, tokens(5_000));
        let minutes = usage(&cache, &turns(3, &json!({"type": "ephemeral"})), now);
        assert_eq!(minutes.cache_read_input_tokens, tokens(5_000));
        assert_eq!(minutes.cache_creation_input_tokens, tokens(5_004) - tokens(5_000));
        assert_eq!(minutes.cache_creation_1h_input_tokens, 0);
        for minute in [4, 8] {
            let read =
                usage(&cache, &turns(3, &json!({"type": "ephemeral"})), now + TimeDelta::minutes(minute));
            assert_eq!(read.cache_read_input_tokens, tokens(5_004), "prolonged up to minute {minute}");
        }
        let over = usage(&cache, &turns(3, &json!({"type": "ephemeral"})), now + TimeDelta::minutes(14));
        assert_eq!(over.cache_read_input_tokens, tokens(5_000), "the entry of an hour is left");
    }

    #[test]
    fn each_tier_is_invalidated_by_its_own_changes_and_by_those_before_it() {
        let marker = json!({"type": "ephemeral"});
        let long = |word: &str| word.repeat(1_000);
        let body = json!({
            "tools": [{"name": "a", "description": long("tool "), "cache_control": marker}],
            "system": [{"type": "text", "text": long("rule "), "cache_control": marker}],
            "messages": [{"role": "user", "content": long("word ")}],
            "cache_control": marker,
        });
        let changes = [
            ("tools", json!([{"name": "b", "description": long("tool "), "cache_control": marker}]), 0),
            ("system", json!([{"type": "text", "text": long("RULE "), "cache_control": marker}]), 1),
            ("tool_choice", json!({"type": "none"}), 2),
            ("thinking", json!({"type": "disabled"}), 2),
        ];
        let sizes: Vec<u64> = Rendered::of("m", body.as_object().expect("an object"))
            .marks
            .iter()
            .map(|mark| tokens(mark.bytes))
            .collect();
        for (field, value, tiers) in changes {
            let cache = PromptCache::default();
            usage(&cache, &body, DateTime::UNIX_EPOCH);
            let mut changed = body.clone();
            changed[field] = value;
            let read = usage(&cache, &changed, DateTime::UNIX_EPOCH).cache_read_input_tokens;
            let expected = if tiers == 0 { 0 } else { sizes[tiers - 1] };
            assert_eq!(read, expected, "after a change of {field}");
        }
    }
}
