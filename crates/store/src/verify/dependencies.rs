//! A task begins when what it waits for has ended, and does not wait for what has.

use super::{Check, check};

pub(super) const CHECKS: &[Check] = &[
    check!(
        "started_early",
        Edges,
        "no task started before those it depends on had succeeded, or ended where its policy says so",
        r#"SELECT t.id AS "task!", format('started at %s (policy %s), and task %s, which it depends on, is %s since %s',
                                       t.started_at, t.on_dependency_failure, p.id, p.status,
                                       coalesce(p.completed_at::text, 'no time')) AS "evidence!"
           FROM tasks t
           JOIN task_dependencies d ON d.task_id = t.id
           JOIN tasks p ON p.id = d.depends_on
           WHERE t.id = ANY ($1) AND t.started_at IS NOT NULL
             AND (NOT d.resolved
                  OR t.on_dependency_failure <> 'continue'
                     AND (p.status <> 'succeeded' OR p.completed_at > t.started_at))"#,
    ),
    check!(
        "dependencies_missed",
        Edges,
        "no task waits for others that ended more than 10 s ago",
        r#"SELECT t.id AS "task!", CASE WHEN e.edges = 0 THEN 'waits for other tasks, and names none'
                                     ELSE format('waits for %s tasks, the last of which ended %s s ago', e.edges,
                                                 round(extract(epoch FROM now() - e.last))) END AS "evidence!"
           FROM tasks t
           CROSS JOIN LATERAL (
               SELECT count(*) AS edges, max(p.completed_at) AS last, count(*) - count(p.completed_at) AS open
               FROM task_dependencies d JOIN tasks p ON p.id = d.depends_on WHERE d.task_id = t.id) e
           WHERE t.id = ANY ($1) AND t.status = 'pending' AND t.status_reason = 'dependencies' AND e.open = 0
             AND coalesce(e.last, t.created_at) < now() - interval '10 s'"#,
    ),
];
