//! Each answer is paid for once, and what a task says it used is what its calls used.
//!
//! The shared steps of a fork were paid for by its origin.

use super::{Check, check};

pub(super) const CHECKS: &[Check] = &[
    check!(
        "double_charge",
        Calls,
        "no step has more than one answered call",
        r#"SELECT task_id AS "task!", format('step %s has %s answered calls', seq, count(*)) AS "evidence!"
           FROM llm_calls WHERE task_id = ANY ($1) AND state = 'answered'
           GROUP BY task_id, seq HAVING count(*) > 1"#,
    ),
    check!(
        "answer_without_step",
        Calls,
        "each answered call is the reply or the summary that it became",
        r#"SELECT c.task_id AS "task!", format('call %s was answered by epoch %s as step %s, which is %s', c.id, c.epoch,
                                            c.seq, coalesce('a ' || s.kind || ' of epoch ' || s.epoch, 'missing'))
                  AS "evidence!"
           FROM llm_calls c LEFT JOIN steps s ON s.task_id = c.task_id AND s.seq = c.seq
           WHERE c.task_id = ANY ($1) AND c.state = 'answered'
             AND (s.kind IS NULL OR s.kind NOT IN ('reply', 'compacted') OR s.epoch <> c.epoch)"#,
    ),
    check!(
        "reply_without_call",
        Steps,
        "each reply has the call that brought it",
        r#"SELECT s.task_id AS "task!", format('the reply in step %s has no answered call', s.seq) AS "evidence!"
           FROM steps s JOIN tasks t ON t.id = s.task_id
           WHERE s.task_id = ANY ($1) AND s.kind = 'reply' AND s.seq > coalesce(t.forked_at, 0)
             AND NOT EXISTS (SELECT 1 FROM llm_calls c
                             WHERE c.task_id = s.task_id AND c.seq = s.seq AND c.state = 'answered')"#,
    ),
    check!(
        "usage_differs",
        Calls,
        "a call used what its reply says",
        r#"SELECT c.task_id AS "task!", format('call %s used %s/%s/%s/%s tokens for %s, its step %s says %s', c.id,
                      c.input_tokens, c.output_tokens, c.cache_read_tokens, c.cache_write_tokens, c.cost_nano_usd,
                      c.seq, s.body -> 'usage') AS "evidence!"
           FROM llm_calls c JOIN steps s ON s.task_id = c.task_id AND s.seq = c.seq
                             AND s.kind IN ('reply', 'compacted')
           WHERE c.task_id = ANY ($1) AND c.state = 'answered'
             AND (c.input_tokens, c.output_tokens, c.cache_read_tokens, c.cache_write_tokens, c.cost_nano_usd)
                 IS DISTINCT FROM ((s.body #>> '{usage,input_tokens}')::bigint,
                                   (s.body #>> '{usage,output_tokens}')::bigint,
                                   (s.body #>> '{usage,cache_read_tokens}')::bigint,
                                   (s.body #>> '{usage,cache_write_tokens}')::bigint,
                                   (s.body #>> '{usage,cost_nano_usd}')::bigint)"#,
    ),
    check!(
        "ledger_sum",
        Calls,
        "a task's totals are the sums of its calls",
        r#"SELECT t.id AS "task!", format('says %s/%s/%s/%s tokens for %s, its calls sum up to %s/%s/%s/%s for %s',
                      t.input_tokens, t.output_tokens, t.cache_read_tokens, t.cache_write_tokens, t.cost_nano_usd,
                      coalesce(c.input, 0), coalesce(c.output, 0), coalesce(c.cache_read, 0),
                      coalesce(c.cache_write, 0), coalesce(c.cost, 0)) AS "evidence!"
           FROM tasks t
           LEFT JOIN (SELECT task_id, sum(input_tokens) AS input, sum(output_tokens) AS output,
                             sum(cache_read_tokens) AS cache_read, sum(cache_write_tokens) AS cache_write,
                             sum(cost_nano_usd) AS cost
                      FROM (SELECT task_id, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                                   cost_nano_usd
                            FROM llm_calls WHERE task_id = ANY ($1)
                            UNION ALL
                            SELECT task_id, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                                   cost_nano_usd
                            FROM batch_calls WHERE task_id = ANY ($1)) AS every
                      GROUP BY task_id) c ON c.task_id = t.id
           WHERE t.id = ANY ($1)
             -- Kept long enough, the calls go and the sums stay.
             AND NOT EXISTS (SELECT 1 FROM journal_weeks w
                             WHERE w.dropped_at IS NOT NULL AND t.id >= w.first_id AND t.id < w.past_id)
             AND (t.input_tokens, t.output_tokens, t.cache_read_tokens, t.cache_write_tokens, t.cost_nano_usd)
                 IS DISTINCT FROM (coalesce(c.input, 0), coalesce(c.output, 0), coalesce(c.cache_read, 0),
                                   coalesce(c.cache_write, 0), coalesce(c.cost, 0))"#,
    ),
    check!(
        "open_intent",
        Calls,
        "a run that ended its task knows what became of each of its calls",
        // A run that was killed leaves an intent for good: nobody knows its outcome. Its epoch is an earlier one then.
        r#"SELECT c.task_id AS "task!", format('call %s of epoch %s is still open, %s s after the same run ended the task',
                                            c.id, c.epoch, round(extract(epoch FROM now() - t.completed_at)))
                  AS "evidence!"
           FROM llm_calls c JOIN tasks t ON t.id = c.task_id
           WHERE c.task_id = ANY ($1) AND t.id = ANY ($1) AND c.state = 'intent' AND c.epoch = t.epoch
             AND t.status IN ('succeeded', 'failed') AND t.completed_at < now() - interval '10 s'"#,
    ),
    check!(
        "call_beyond_fence",
        Calls,
        "no call carries an epoch that its task never had",
        r#"SELECT c.task_id AS "task!", format('call %s belongs to epoch %s, and the task is at %s', c.id, c.epoch, t.epoch)
                  AS "evidence!"
           FROM llm_calls c JOIN tasks t ON t.id = c.task_id
           WHERE c.task_id = ANY ($1) AND c.epoch NOT BETWEEN 1 AND t.epoch"#,
    ),
];
