//! What was charged beside what is known: the double's ledger against the journal.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use hive_double::Call;
use sqlx::PgPool;
use uuid::Uuid;

/// The comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    pub(crate) charged: usize,
    /// Answers that became steps.
    pub(crate) answered: usize,
    /// Answers that the provider broke off and that the journal knows with what they cost.
    pub(crate) cut_and_known: usize,
    /// The answer was whole or would have been, and a strike kept it from the journal: paid for twice, since the step
    /// was asked for again. Also when the journal knows of the call.
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
    // The turn of a reply is how many stood before it; what a person had undone by then does not.
    let replies: Vec<(Uuid, i64, DateTime<Utc>)> = sqlx::query_as(
        "WITH undone AS (
             SELECT task_id, seq AS past, (body ->> 'from')::integer AS first FROM steps WHERE kind = 'rollback'
         ), replies AS (
             SELECT task_id, seq, created_at, row_number() OVER (PARTITION BY task_id ORDER BY seq) - 1 AS before
             FROM steps WHERE kind = 'reply'
         )
         SELECT task_id, before - (SELECT count(*) FROM replies e JOIN undone u USING (task_id)
                                   WHERE e.task_id = r.task_id AND e.seq >= u.first AND e.seq < u.past AND u.past < r.seq),
                created_at
         FROM replies r ORDER BY seq",
    )
    .fetch_all(pool)
    .await?;
    Ok(weigh(ledger, &known, &replies))
}

fn weigh(
    ledger: &[Call],
    known: &[(Option<String>, String)],
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
        } else if call.broken && failed.contains(call.request_id.as_str()) {
            compared.cut_and_known += 1;
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

    fn call(task: Uuid, turn: usize, request_id: &str, at: &str, broken: bool) -> Call {
        let call = json!({
            "seq": 1, "at": at, "request_id": request_id, "model": "m", "user_id": task.to_string(), "turn": turn,
            "stop_reason": null, "stream": true, "cut": false, "broken": broken, "rule": "r", "request_sha256": "",
            "usage": { "input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0,
                       "cache_creation_input_tokens": 0, "cache_creation_1h_input_tokens": 0 },
        });
        serde_json::from_value(call).expect("a call")
    }

    #[test]
    fn each_kind_of_charge_is_told_apart() {
        let task = Uuid::now_v7();
        let ledger = [
            call(task, 0, "cut", "2026-01-01T00:00:00Z", true),
            call(task, 0, "lost", "2026-01-01T00:00:01Z", false),
            call(task, 0, "struck", "2026-01-01T00:00:01Z", false),
            call(task, 0, "cut and lost", "2026-01-01T00:00:01Z", true),
            call(task, 0, "kept", "2026-01-01T00:00:02Z", false),
            call(task, 0, "again", "2026-01-01T00:00:09Z", false),
        ];
        let known = |id: &str, state: &str| (Some(id.to_owned()), state.to_owned());
        let known = [
            known("cut", "failed"),
            known("struck", "failed"),
            known("kept", "answered"),
            known("never charged", "answered"),
            (None, "failed".to_owned()),
        ];
        let replies = [(task, 0, "2026-01-01T00:00:03Z".parse().expect("a time"))];
        let compared = weigh(&ledger, &known, &replies);
        assert_eq!((compared.charged, compared.answered, compared.cut_and_known), (6, 1, 1));
        assert_eq!((compared.duplicates, compared.invented), (4, 1));
        assert_eq!(compared.repeated, [format!("task {task}, turn 0")]);
    }
}
