//! What bounds how many run.

use super::{Check, check};

pub(super) const CHECKS: &[Check] = &[check!(
    "concurrency_exceeded",
    Tasks,
    "no concurrency key has more tasks running than its limit",
    r#"SELECT t.id AS "task!", format('runs with %s others of the key %s, whose limit is %s', k.running - 1,
                                   t.concurrency_key, k.most) AS "evidence!"
       FROM tasks t
       CROSS JOIN LATERAL (
           SELECT (SELECT count(*) FROM tasks o
                   WHERE o.concurrency_key = t.concurrency_key AND o.status = 'running') AS running,
                  coalesce((SELECT max_running FROM task_limits
                            WHERE kind = 'key' AND name = t.concurrency_key), 1) AS most) k
       WHERE t.id = ANY ($1) AND t.status = 'running' AND t.concurrency_key IS NOT NULL AND k.running > k.most"#,
)];
