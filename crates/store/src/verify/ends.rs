//! An ended task is whole, and an open one has no end.

use super::{Check, check};

pub(super) const CHECKS: &[Check] = &[
    check!(
        "end_not_whole",
        Tasks,
        "an ended task has its time, its reason where it needs one, and no holder",
        r#"SELECT id AS "task!", format('is %s with the reason %s, completed at %s, held by %s', status,
                                     coalesce(status_reason::text, 'none'), coalesce(completed_at::text, 'no time'),
                                     coalesce(worker, 'nobody')) AS "evidence!"
           FROM tasks
           WHERE id = ANY ($1) AND status IN ('succeeded', 'failed', 'cancelled', 'dead')
             AND (completed_at IS NULL OR worker IS NOT NULL OR lease_until IS NOT NULL
                  OR (status <> 'succeeded' AND status_reason IS NULL)
                  OR (status = 'succeeded' AND result IS NULL))"#,
    ),
    check!(
        "open_but_completed",
        Tasks,
        "a task that has not ended has no time of its end",
        r#"SELECT id AS "task!", format('is %s and was completed at %s', status, completed_at) AS "evidence!"
           FROM tasks
           WHERE id = ANY ($1) AND status NOT IN ('succeeded', 'failed', 'cancelled', 'dead')
             AND completed_at IS NOT NULL"#,
    ),
    check!(
        "ended_before_it_began",
        Tasks,
        "a task was created, started and completed in this order",
        r#"SELECT id AS "task!", format('was created at %s, started at %s and completed at %s', created_at, started_at,
                                     completed_at) AS "evidence!"
           FROM tasks
           WHERE id = ANY ($1) AND (started_at < created_at OR completed_at < coalesce(started_at, created_at))"#,
    ),
];
