//! What was charged beside what is known: the double's ledger against the journal.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use hive_double::Call;
use sqlx::PgPool;
use uuid::Uuid;

/// The comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    pub(crate) charged: usize,
    /// Answers that became steps.
    pub(crate) answered: usize,
    /// Answers that the provider cut and that the journal knows with what they cost.
    pub(crate) cut_and_known: usize,
    /// Answers that the provider charged and whose line it cut before it named them: the journal knows a failed call of
    /// that time, and not what it cost.
    pub(crate) cut_and_nameless: usize,
    /// Charged, and nobody knows the outcome: paid for twice, since the step was asked for again.
    pub(crate) duplicates: usize,
    /// Charged for a step whose answer had been committed before.
    pub(crate) repeated: Vec<String>,
    /// Answers in the journal that nobody charged.
    pub(crate) invented: usize,
}

/// Reads the journal and compares.
pub(crate) async fn compare(pool: &PgPool, ledger: &[Call]) -> anyhow::Result<Compared> {
    let known: Vec<(Option<String>, String)> =
        sqlx::query_as("SELECT request_id, state::text FROM llm_calls WHERE state <> 'intent'")
            .fetch_all(pool)
            .await?;
    let replies: Vec<(Uuid, i64, DateTime<Utc>)> = sqlx::query_as(
        "SELECT task_id, row_number() OVER (PARTITION BY task_id ORDER BY seq) - 1, created_at
         FROM steps WHERE kind = 'reply'",
    )
    .fetch_all(pool)
    .await?;
    let nameless: Vec<Nameless> = sqlx::query_as(
        "SELECT task_id, created_at, finished_at FROM llm_calls
         WHERE state = 'failed' AND request_id IS NULL AND finished_at IS NOT NULL
           -- What a strike cut is paid for twice, also when the journal knows of it.
           AND error NOT LIKE 'the lease was lost%' AND error NOT LIKE 'the worker stopped%'
           AND error NOT LIKE 'it was not sent%'",
    )
    .fetch_all(pool)
    .await?;
    Ok(weigh(ledger, &known, nameless, &replies))
}

/// A failed call without an id of the provider: its task, and from when to when it was made.
type Nameless = (Uuid, DateTime<Utc>, DateTime<Utc>);

/// Between the clock of the database and that of the double, which are one machine's.
const SKEW: TimeDelta = TimeDelta::milliseconds(20);

fn weigh(
    ledger: &[Call],
    known: &[(Option<String>, String)],
    mut nameless: Vec<Nameless>,
    replies: &[(Uuid, i64, DateTime<Utc>)],
) -> Compared {
    let of = |state: &str| -> HashSet<&str> {
        known.iter().filter(|(_, is)| is == state).filter_map(|(id, _)| id.as_deref()).collect()
    };
    let (answered, failed) = (of("answered"), of("failed"));
    let committed: HashMap<(String, usize), DateTime<Utc>> = replies
        .iter()
        .map(|(task, turn, at)| ((task.to_string(), usize::try_from(*turn).unwrap_or_default()), *at))
        .collect();
    let charged_ids: HashSet<&str> = ledger.iter().map(|call| call.request_id.as_str()).collect();
    let mut compared = Compared { charged: ledger.len(), ..Compared::default() };
    compared.invented = answered.iter().filter(|id| !charged_ids.contains(*id)).count();
    for call in ledger {
        if answered.contains(call.request_id.as_str()) {
            compared.answered += 1;
        } else if failed.contains(call.request_id.as_str()) {
            compared.cut_and_known += 1;
        } else if let Some(at) = nameless.iter().position(|(task, from, to)| {
            call.user_id.as_deref() == Some(task.to_string().as_str())
                && (*from - SKEW..=*to + SKEW).contains(&call.at)
        }) {
            nameless.swap_remove(at);
            compared.cut_and_nameless += 1;
        } else {
            compared.duplicates += 1;
        }
        let task = call.user_id.clone().unwrap_or_default();
        if committed.get(&(task.clone(), call.turn)).is_some_and(|at| call.at > *at) {
            compared.repeated.push(format!("task {task}, turn {}", call.turn));
        }
    }
    compared
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(task: Uuid, turn: usize, request_id: &str, at: &str) -> Call {
        let call = json!({
            "seq": 1, "at": at, "request_id": request_id, "model": "m", "user_id": task.to_string(), "turn": turn,
            "stop_reason": null, "stream": true, "cut": false, "rule": "r", "request_sha256": "",
            "usage": { "input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0,
                       "cache_creation_input_tokens": 0, "cache_creation_1h_input_tokens": 0 },
        });
        serde_json::from_value(call).expect("a call")
    }

    #[test]
    fn each_kind_of_charge_is_told_apart() {
        let task = Uuid::now_v7();
        let ledger = [
            call(task, 0, "cut", "2026-01-01T00:00:00Z"),
            call(task, 0, "lost", "2026-01-01T00:00:01Z"),
            call(task, 0, "kept", "2026-01-01T00:00:02Z"),
            call(task, 0, "again", "2026-01-01T00:00:09Z"),
        ];
        let known = [
            (Some("cut".to_owned()), "failed".to_owned()),
            (Some("kept".to_owned()), "answered".to_owned()),
            (Some("never charged".to_owned()), "answered".to_owned()),
            (None, "failed".to_owned()),
        ];
        let replies = [(task, 0, "2026-01-01T00:00:03Z".parse().expect("a time"))];
        let nameless = |from: &str| {
            vec![(task, from.parse().expect("a time"), "2026-01-01T00:00:01.5Z".parse().expect("a time"))]
        };
        let cut = weigh(&ledger, &known, nameless("2026-01-01T00:00:00.5Z"), &replies);
        assert_eq!((cut.cut_and_nameless, cut.duplicates), (1, 1), "the call of that second");
        let compared = weigh(&ledger, &known, nameless("2026-01-01T00:00:01.4Z"), &replies);
        assert_eq!((compared.charged, compared.answered, compared.cut_and_known), (4, 1, 1));
        assert_eq!((compared.duplicates, compared.invented), (2, 1));
        assert_eq!(compared.repeated, [format!("task {task}, turn 0")]);
    }
}
