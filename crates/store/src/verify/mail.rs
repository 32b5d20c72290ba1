//! What is bound to a task, and what its journal holds of it.

use super::{Check, check};

pub(super) const CHECKS: &[Check] = &[
    check!(
        "mail_count",
        Tasks,
        "an open task counts the messages of agents that are bound to it",
        r#"SELECT t.id AS "task!", format('counts %s messages of agents, and %s are bound to it', t.mail, b.bound)
                  AS "evidence!"
           FROM tasks t
           CROSS JOIN LATERAL (SELECT count(*) AS bound FROM message_deliveries d
                               WHERE d.task_id = t.id AND d.state = 'bound') AS b
           WHERE t.id = ANY ($1) AND t.status NOT IN ('succeeded', 'failed', 'cancelled', 'dead') AND t.mail <> b.bound"#,
    ),
    check!(
        "message_seen_once",
        Steps,
        "a message of an agent stands in one journal entry, which its delivery names",
        r#"SELECT s.task_id AS "task!", format('entry %s holds message %s, whose delivery does not name it', s.seq,
                                               s.body ->> 'id') AS "evidence!"
           FROM steps s JOIN tasks t ON t.id = s.task_id
           -- What a fork shares another task has read.
           WHERE s.task_id = ANY ($1) AND s.kind = 'agent_message' AND s.epoch > 0
             AND NOT EXISTS (SELECT 1 FROM message_deliveries d
                             WHERE d.message_id = (s.body ->> 'id')::uuid AND d.state = 'acknowledged'
                               AND d.task_id = s.task_id AND d.step = s.seq)
             -- What was kept long enough is removed with its deliveries.
             AND EXISTS (SELECT 1 FROM conversations m WHERE m.id = (s.body ->> 'id')::uuid)"#,
    ),
    check!(
        "message_in_journal",
        Tasks,
        "what a task read of other agents stands in its journal",
        r#"SELECT d.task_id AS "task!", format('read message %s, and its entry %s does not hold it', d.message_id, d.step)
                  AS "evidence!"
           FROM message_deliveries d
           WHERE d.task_id = ANY ($1) AND d.step IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM steps s
                             WHERE s.task_id = d.task_id AND s.seq = d.step AND s.kind = 'agent_message'
                               AND s.body ->> 'id' = d.message_id::text)
             AND NOT EXISTS (SELECT 1 FROM journal_weeks w
                             WHERE w.dropped_at IS NOT NULL AND d.task_id >= w.first_id AND d.task_id < w.past_id)"#,
    ),
    check!(
        "answer_awaited",
        Tasks,
        "a task that waits for an answer has asked somebody",
        r#"SELECT t.id AS "task!", 'waits for an answer and has asked nobody' AS "evidence!"
           FROM tasks t
           WHERE t.id = ANY ($1) AND t.status = 'waiting' AND t.status_reason = 'answer'
             AND NOT EXISTS (SELECT 1 FROM conversations m
                             WHERE m.from_task_id = t.id AND m.message_type = 'question')"#,
    ),
];
