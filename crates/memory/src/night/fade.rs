//! What has faded is retired: a search leaves it out already. A rollback of the night brings it back.

use chrono::{DateTime, Utc};
use hive_store::{ChangeKind, NightChange, NightItem};

use super::dedupe::is_settled;
use crate::strength::{FADED, half_life, strength};

/// Entries that are weaker than [`FADED`] at `now`. What is pinned or locked is not, and what was drawn this night neither.
#[must_use]
pub fn fade(items: &[NightItem], now: DateTime<Utc>) -> Vec<NightChange> {
    let faded = items.iter().filter(|item| !item.guarded && is_settled(&item.kind)).filter_map(|item| {
        let strength = strength_of(item, now);
        (strength < FADED).then(|| NightChange {
            kind: ChangeKind::Decayed,
            born: None,
            retired: vec![(item.id, item.version)],
            sources: Vec::new(),
            reason: format!(
                "faded: strength {strength:.3}, importance {:.2}, recalled {} times",
                item.importance, item.recalled.0
            ),
        })
    });
    faded.collect()
}

fn strength_of(item: &NightItem, now: DateTime<Utc>) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "days are wanted, not seconds")]
    let since = |then: DateTime<Utc>| (now - then).num_seconds() as f32;
    let (count, last) = item.recalled;
    let rest = last.map_or(f32::MAX, since);
    strength(
        item.importance,
        since(item.recorded_at),
        u64::try_from(count).unwrap_or(0),
        rest,
        half_life(&item.kind),
    )
}
