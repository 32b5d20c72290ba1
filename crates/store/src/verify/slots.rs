//! Schedules against their slots: what should have come by now left a row, whatever became of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hive_domain::Cadence;
use uuid::Uuid;

use super::{Checked, KEPT, Rows, Violation};
use crate::{error::Result, pool::Store, schedules::NOTED};

/// Schedules of one statement.
const PAGE: i64 = 100;

/// A schedule, as far as its slots go.
struct Slotted {
    id: Uuid,
    name: String,
    cron: String,
    time_zone: String,
    slots_since: DateTime<Utc>,
    now: DateTime<Utc>,
}

/// A slot without a row.
struct Missing {
    id: Uuid,
    slot: DateTime<Utc>,
    last_error: Option<String>,
}

impl Store {
    /// Looks for slots of enabled schedules that left no row: of each schedule the latest hundred, from its creation or
    /// the last change of its cadence on, until `grace` ago. What housekeeping may have removed is not missed. A
    /// violation names no task; its evidence names the schedule.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn verify_slots(&self, grace: Duration) -> Result<Checked> {
        let mut checked = Checked {
            name: "slot_missing",
            says: "every slot of an enabled schedule left a row, whatever became of it",
            rows: Rows::Slots,
            looked_at: 0,
            found: 0,
            violations: Vec::new(),
        };
        let mut after = Uuid::nil();
        loop {
            let schedules = sqlx::query_as!(
                Slotted,
                r#"SELECT id, name, cron, time_zone, slots_since, now() AS "now!"
                   FROM schedules WHERE enabled AND id > $1 ORDER BY id LIMIT $2"#,
                after,
                PAGE,
            )
            .fetch_all(&self.pool)
            .await?;
            let Some(last) = schedules.last() else { return Ok(checked) };
            after = last.id;
            self.verify_slots_of(&schedules, grace, &mut checked).await?;
        }
    }

    async fn verify_slots_of(
        &self,
        schedules: &[Slotted],
        grace: Duration,
        checked: &mut Checked,
    ) -> Result<()> {
        let (mut ids, mut slots) = (Vec::new(), Vec::new());
        for schedule in schedules {
            let until = schedule.now - grace;
            let cadence = match Cadence::parse(&schedule.cron, &schedule.time_zone) {
                Ok(cadence) => cadence,
                Err(error) => {
                    found(checked, &schedule.name, schedule.id, &format!("fires never: {error}"));
                    continue;
                }
            };
            for slot in cadence.latest(schedule.slots_since, until, NOTED) {
                ids.push(schedule.id);
                slots.push(slot);
            }
        }
        checked.looked_at += i64::try_from(slots.len()).unwrap_or(i64::MAX);
        let missing = sqlx::query_as!(
            Missing,
            r#"SELECT s.id, expected.slot AS "slot!", s.last_error
               FROM unnest($1::uuid[], $2::timestamptz[]) AS expected (id, slot)
               -- Looked at again: what was changed meanwhile has slots of its own.
               JOIN schedules s ON s.id = expected.id AND s.enabled AND s.slots_since < expected.slot
               CROSS JOIN LATERAL (
                   -- Rows before the oldest that is left may have been removed; when none is left, all may have been.
                   SELECT CASE WHEN h.at IS NULL THEN '-infinity'
                               ELSE coalesce((SELECT min(slot) FROM cron_slots c
                                              WHERE c.schedule_id = s.id AND NOT c.manual AND c.outcome <> 'waiting'),
                                             h.at) END AS since
                   FROM (SELECT max(at) AS at FROM housekeeping_successes WHERE duty = 'records') AS h
               ) AS kept
               WHERE expected.slot >= kept.since
                 AND NOT EXISTS (SELECT 1 FROM cron_slots c WHERE c.schedule_id = s.id AND c.slot = expected.slot)
               ORDER BY s.id, expected.slot DESC"#,
            &ids,
            &slots,
        )
        .fetch_all(&self.pool)
        .await?;
        for Missing { id, slot, last_error } in missing {
            let name = schedules.iter().find(|schedule| schedule.id == id).map_or("", |s| s.name.as_str());
            let why = last_error.map(|error| format!("; it could not fire: {error}")).unwrap_or_default();
            found(checked, name, id, &format!("has no row for its slot {}{why}", slot.to_rfc3339()));
        }
        Ok(())
    }
}

fn found(checked: &mut Checked, name: &str, id: Uuid, what: &str) {
    checked.found += 1;
    if checked.violations.len() < KEPT {
        let evidence = format!("schedule {name:?} ({id}) {what}");
        checked.violations.push(Violation { task: Uuid::nil().into(), evidence });
    }
}
