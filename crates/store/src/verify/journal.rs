//! The journal of a task is one sequence, written by one holder after the other.
//!
//! A fork shares the first steps of its origin: they are its origin's, or copies, and were written under other epochs.

use super::{Check, check};

pub(super) const CHECKS: &[Check] = &[
    check!(
        "step_gap",
        Steps,
        "steps are numbered without gaps and the task knows the next number",
        r#"SELECT t.id AS "task!", format('has %s different steps from %s to %s, and expects number %s next',
                                       coalesce(s.steps, 0), s.low, s.high, t.next_seq) AS "evidence!"
           FROM tasks t
           LEFT JOIN (SELECT task_id, count(DISTINCT seq) AS steps, min(seq) AS low, max(seq) AS high
                      FROM steps WHERE task_id = ANY ($1) GROUP BY task_id) s ON s.task_id = t.id
           WHERE t.id = ANY ($1)
             AND (t.next_seq <> coalesce(s.high, t.forked_at, 0) + 1
                  OR s.low NOT IN (1, coalesce(t.forked_at, 0) + 1)
                  OR s.steps <> s.high - s.low + 1)
             -- Kept long enough, the journal goes and the task stays.
             AND NOT EXISTS (SELECT 1 FROM journal_weeks w
                             WHERE w.dropped_at IS NOT NULL AND t.id >= w.first_id AND t.id < w.past_id)"#,
    ),
    check!(
        "double_step",
        Steps,
        "no step was committed twice",
        r#"SELECT task_id AS "task!", format('has step %s %s times', seq, count(*)) AS "evidence!"
           FROM steps WHERE task_id = ANY ($1) GROUP BY task_id, seq HAVING count(*) > 1"#,
    ),
    check!(
        "step_after_takeover",
        Steps,
        "no step was written by a run after a later run wrote one",
        r#"SELECT task_id AS "task!", format('step %s was written by epoch %s after epoch %s had written', seq, epoch,
                                          before) AS "evidence!"
           FROM (SELECT s.task_id, s.seq, s.epoch, lag(s.epoch) OVER (PARTITION BY s.task_id ORDER BY s.seq) AS before
                 FROM steps s JOIN tasks t ON t.id = s.task_id
                 WHERE s.task_id = ANY ($1) AND s.seq > coalesce(t.forked_at, 0)) AS ordered
           WHERE epoch < before"#,
    ),
    check!(
        "step_beyond_fence",
        Steps,
        "no step carries an epoch that its task never had",
        r#"SELECT s.task_id AS "task!", format('step %s was written by epoch %s, and the task is at %s', s.seq, s.epoch,
                                            t.epoch) AS "evidence!"
           FROM steps s JOIN tasks t ON t.id = s.task_id
           WHERE s.task_id = ANY ($1) AND s.seq > coalesce(t.forked_at, 0) AND s.epoch NOT BETWEEN 1 AND t.epoch"#,
    ),
    check!(
        "results_without_question",
        Steps,
        "tool results answer a reply that asked for them, once",
        r#"SELECT task_id AS "task!", format('step %s holds tool results, and the one before it of its kind or a reply is %s',
                                          seq, coalesce(before::text, 'missing')) AS "evidence!"
           FROM (SELECT s.task_id, s.seq, s.kind, lag(s.kind) OVER (PARTITION BY s.task_id ORDER BY s.seq) AS before,
                        t.forked_at
                 FROM steps s JOIN tasks t ON t.id = s.task_id
                 WHERE s.task_id = ANY ($1) AND s.kind IN ('reply', 'tool_results')) AS ordered
           -- Before the first step of a fork may lie a reply of its origin.
           WHERE kind = 'tool_results' AND before IS DISTINCT FROM 'reply' AND NOT (before IS NULL AND forked_at IS NOT NULL)"#,
    ),
];
