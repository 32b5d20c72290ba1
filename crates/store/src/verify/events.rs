//! What watchers see is what happened, without gaps.

use super::{Check, check};

pub(super) const CHECKS: &[Check] = &[
    check!(
        "event_gap",
        Events,
        "events are numbered without gaps and the task knows the last number",
        r#"SELECT t.id AS "task!", format('has %s events from %s to %s, and says that %s is the last',
                                       coalesce(e.events, 0), e.low, e.high, t.event_seq) AS "evidence!"
           FROM tasks t
           LEFT JOIN (SELECT task_id, count(DISTINCT seq) AS events, min(seq) AS low, max(seq) AS high
                      FROM events WHERE task_id = ANY ($1) GROUP BY task_id) e ON e.task_id = t.id
           WHERE t.id = ANY ($1)
             AND (t.event_seq <> coalesce(e.high, 0) OR e.low <> 1 OR e.events <> e.high)
             -- Kept long enough, the events go and the task stays.
             AND NOT EXISTS (SELECT 1 FROM journal_weeks w
                             WHERE w.dropped_at IS NOT NULL AND t.id >= w.first_id AND t.id < w.past_id)"#,
    ),
    check!(
        "end_without_event",
        Events,
        "the last end that a task reported is the one it has",
        r#"SELECT t.id AS "task!", format('is %s, and the last end that it reported is %s', t.status,
                                       coalesce(e.kind, 'none')) AS "evidence!"
           FROM tasks t
           LEFT JOIN LATERAL (
               SELECT kind FROM events
               WHERE task_id = t.id AND kind IN ('task.succeeded', 'task.failed', 'task.cancelled', 'task.dead')
               ORDER BY seq DESC LIMIT 1) e ON true
           WHERE t.id = ANY ($1) AND t.status IN ('succeeded', 'failed', 'cancelled', 'dead')
             AND e.kind IS DISTINCT FROM 'task.' || t.status
             AND NOT EXISTS (SELECT 1 FROM journal_weeks w
                             WHERE w.dropped_at IS NOT NULL AND t.id >= w.first_id AND t.id < w.past_id)"#,
    ),
    check!(
        "start_without_event",
        Events,
        "each claim of a task is reported once",
        r#"SELECT task_id AS "task!", format('reports %s starts under epoch %s', count(*), data ->> 'epoch') AS "evidence!"
           FROM events WHERE task_id = ANY ($1) AND kind = 'task.started'
           GROUP BY task_id, data ->> 'epoch' HAVING count(*) > 1"#,
    ),
];
