//! Nothing accepted is lost: whatever is open has something that will move it.

use super::{Check, check};

pub(super) const CHECKS: &[Check] = &[
    check!(
        "lost_task",
        Tasks,
        "every open task is ready, parked with a reason that can clear, or running",
        r#"SELECT id AS "task!", format('is %s with the reason %s, which nothing clears', status,
                                     coalesce(status_reason::text, 'none')) AS "evidence!"
           FROM tasks
           WHERE id = ANY ($1)
             AND NOT CASE status
                 WHEN 'pending' THEN status_reason IN ('scheduled', 'dependencies', 'concurrency')
                 WHEN 'waiting' THEN status_reason IN ('retry', 'rate_limited', 'provider_unavailable',
                                                       'sandbox_unavailable', 'timer', 'answer', 'outcome_unknown',
                                                       'journal_format', 'budget')
                 WHEN 'ready' THEN coalesce(status_reason IN ('drained', 'orphaned', 'paused', 'isolated', 'asleep'), true)
                 ELSE true END"#,
    ),
    check!(
        "overdue_task",
        Tasks,
        "no parked task is still parked a minute after its time came",
        r#"SELECT id AS "task!", format('is %s (%s) although its time came %s s ago', status, status_reason,
                                     round(extract(epoch FROM now() - run_at))) AS "evidence!"
           FROM tasks
           WHERE id = ANY ($1) AND status IN ('pending', 'waiting') AND run_at < now() - interval '1 min'
             -- What waits for another task, for room or for a person has no time of its own.
             AND status_reason NOT IN ('dependencies', 'concurrency', 'outcome_unknown', 'journal_format')"#,
    ),
    check!(
        "ghost_run",
        Tasks,
        "no task is running 5 s after its lease ended",
        r#"SELECT id AS "task!", format('is running on %s, whose lease ended %s s ago', coalesce(worker, 'nobody'),
                                     coalesce(round(extract(epoch FROM now() - lease_until))::text, 'some'))
                  AS "evidence!"
           FROM tasks
           WHERE id = ANY ($1) AND status = 'running'
             AND (lease_until IS NULL OR worker IS NULL OR lease_until < now() - interval '5 s')"#,
    ),
    check!(
        "endless_lease",
        Tasks,
        "no lease reaches further than one renewal gives",
        r#"SELECT id AS "task!", format('has a lease for another %s s, and a renewal gives 10',
                                     round(extract(epoch FROM lease_until - now()))) AS "evidence!"
           FROM tasks WHERE id = ANY ($1) AND status = 'running' AND lease_until > now() + interval '1 min'"#,
    ),
];
