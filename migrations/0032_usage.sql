-- What calls used, by day: kept when the weeks of the journal are dropped.

CREATE TABLE usage_days (
    day                   date     NOT NULL, -- UTC, on which the call ended
    project_id            uuid     NOT NULL,
    agent_id              uuid     NOT NULL, -- all zeros for none
    session_id            uuid     NOT NULL, -- all zeros for none
    model                 text     NOT NULL,
    -- Connections that settle at the same time add to rows of their own.
    shard                 smallint NOT NULL,
    calls                 bigint   NOT NULL, -- that ended, however they did
    failed                bigint   NOT NULL,
    unknown               bigint   NOT NULL, -- of which nobody knows what came
    input_tokens          bigint   NOT NULL,
    output_tokens         bigint   NOT NULL,
    cache_read_tokens     bigint   NOT NULL,
    cache_write_tokens    bigint   NOT NULL, -- of both lifetimes
    cache_write_1h_tokens bigint   NOT NULL,
    cost_nano_usd         bigint   NOT NULL,
    unknown_nano_usd      bigint   NOT NULL, -- what those of unknown outcome may have cost at most
    PRIMARY KEY (day, agent_id, session_id, model, project_id, shard)
);
ALTER TABLE usage_days SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
-- What an agent or a session has spent when a budget is set on it.
CREATE INDEX usage_days_by_agent ON usage_days (agent_id);
CREATE INDEX usage_days_by_session ON usage_days (session_id);

INSERT INTO usage_days
SELECT (c.finished_at AT TIME ZONE 'UTC')::date, t.project_id,
       coalesce(t.assigned_agent_id, '00000000-0000-0000-0000-000000000000'),
       coalesce(t.session_id, '00000000-0000-0000-0000-000000000000'), c.model, 0,
       count(*), count(*) FILTER (WHERE c.state = 'failed'), count(*) FILTER (WHERE c.state = 'unknown'),
       sum(c.input_tokens), sum(c.output_tokens), sum(c.cache_read_tokens), sum(c.cache_write_tokens), 0,
       sum(c.cost_nano_usd), sum(CASE WHEN c.state = 'unknown' THEN c.reserved_nano_usd ELSE 0 END)
FROM llm_calls c JOIN tasks t ON t.id = c.task_id
WHERE c.state <> 'intent'
GROUP BY 1, 2, 3, 4, 5;

-- What the calls of a task and of all below it cost, and those of unknown outcome may have cost; of this day or ever.
CREATE FUNCTION spent_of_tree(root uuid, today boolean) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE tree AS (
        SELECT root AS id, 1 AS height
        UNION ALL
        SELECT t.id, height + 1 FROM tree JOIN tasks t ON t.parent_id = tree.id WHERE height < 16
    )
    SELECT coalesce(sum(c.cost_nano_usd + CASE WHEN c.state = 'unknown' THEN c.reserved_nano_usd ELSE 0 END), 0)::bigint
    FROM tree JOIN llm_calls c ON c.task_id = tree.id
    WHERE NOT today OR (c.finished_at AT TIME ZONE 'UTC')::date = (now() AT TIME ZONE 'UTC')::date
$$;

-- Books what calls became, whichever statement says so, in that statement's transaction: the day's sums, and what the
-- budgets hold and have spent. Everything is the difference of the rows after and before, so that what is said twice is
-- booked once, and a late answer takes back what was assumed. Statements of its own, so that it sees budgets that were
-- made while the statement waited for a lock; rows are locked in the order of their keys.
CREATE FUNCTION settle_calls() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    IF NOT EXISTS (SELECT FROM after_rows) THEN
        RETURN NULL;
    END IF;
    INSERT INTO usage_days AS u
    SELECT s.day, t.project_id, coalesce(t.assigned_agent_id, '00000000-0000-0000-0000-000000000000') AS agent,
           coalesce(t.session_id, '00000000-0000-0000-0000-000000000000') AS session, s.model,
           pg_backend_pid() % 32 AS shard, sum(s.calls), sum(s.failed), sum(s.unknown), sum(s.input), sum(s.output),
           sum(s.cache_read), sum(s.cache_write), sum(s.cache_write_1h), sum(s.cost), sum(s.assumed)
    FROM (SELECT (c.finished_at AT TIME ZONE 'UTC')::date AS day, c.task_id, c.model, sum(sign) AS calls,
                 sum(CASE WHEN c.state = 'failed' THEN sign ELSE 0 END) AS failed,
                 sum(CASE WHEN c.state = 'unknown' THEN sign ELSE 0 END) AS unknown,
                 sum(sign * c.input_tokens) AS input, sum(sign * c.output_tokens) AS output,
                 sum(sign * c.cache_read_tokens) AS cache_read, sum(sign * c.cache_write_tokens) AS cache_write,
                 sum(sign * c.cache_write_1h_tokens) AS cache_write_1h, sum(sign * c.cost_nano_usd) AS cost,
                 sum(CASE WHEN c.state = 'unknown' THEN sign * c.reserved_nano_usd ELSE 0 END) AS assumed
          FROM (SELECT 1 AS sign, a.* FROM after_rows a UNION ALL SELECT -1, b.* FROM before_rows b) c
          WHERE c.state <> 'intent'
          GROUP BY 1, 2, 3) s
    CROSS JOIN LATERAL (SELECT project_id, assigned_agent_id, session_id FROM tasks WHERE id = s.task_id OFFSET 0) t
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 3, 4, 5, 2
    ON CONFLICT (day, agent_id, session_id, model, project_id, shard) DO UPDATE
        SET calls = u.calls + excluded.calls, failed = u.failed + excluded.failed,
            unknown = u.unknown + excluded.unknown, input_tokens = u.input_tokens + excluded.input_tokens,
            output_tokens = u.output_tokens + excluded.output_tokens,
            cache_read_tokens = u.cache_read_tokens + excluded.cache_read_tokens,
            cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
            cache_write_1h_tokens = u.cache_write_1h_tokens + excluded.cache_write_1h_tokens,
            cost_nano_usd = u.cost_nano_usd + excluded.cost_nano_usd,
            unknown_nano_usd = u.unknown_nano_usd + excluded.unknown_nano_usd;

    IF NOT EXISTS (SELECT FROM after_rows WHERE budgets <> '{}') THEN
        RETURN NULL;
    END IF;
    PERFORM FROM budgets b
    WHERE b.id = ANY (ARRAY(SELECT DISTINCT unnest(a.budgets) FROM after_rows a)) ORDER BY b.id FOR NO KEY UPDATE;
    WITH part AS (
        SELECT u.id, (c.finished_at AT TIME ZONE 'UTC')::date AS day,
               sum(CASE WHEN c.state = 'intent' THEN sign * c.reserved_nano_usd ELSE 0 END) AS held,
               sum(CASE c.state WHEN 'intent' THEN 0
                                WHEN 'unknown' THEN sign * (c.cost_nano_usd + c.reserved_nano_usd)
                                ELSE sign * c.cost_nano_usd END) AS spent
        FROM (SELECT 1 AS sign, a.* FROM after_rows a UNION ALL SELECT -1, b.* FROM before_rows b) c
        CROSS JOIN unnest(c.budgets) AS u (id)
        GROUP BY 1, 2
    ), whole AS (
        SELECT p.id, greatest(b.day, today) AS day, sum(p.held) AS held,
               -- What ended on another day was of that day's money.
               coalesce(sum(p.spent) FILTER (WHERE b.period = 'total' OR p.day = greatest(b.day, today)), 0) AS spent
        FROM part p JOIN budgets b ON b.id = p.id
        GROUP BY p.id, b.day
    )
    UPDATE budgets b
    SET reserved_nano_usd = b.reserved_nano_usd + w.held,
        spent_nano_usd = CASE WHEN b.period = 'day' AND b.day < w.day THEN 0 ELSE b.spent_nano_usd END + w.spent,
        day = w.day, updated_at = now()
    FROM whole w WHERE b.id = w.id;
    RETURN NULL;
END $$;

CREATE TRIGGER llm_calls_are_settled AFTER UPDATE ON llm_calls
    REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION settle_calls();
