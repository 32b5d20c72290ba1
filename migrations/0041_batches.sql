-- Requests that can wait, for half the price: they are queued, sent together as a batch of the provider, and read from
-- its results.

CREATE TYPE batch_request_state AS ENUM (
    'queued',    -- waits for a batch, not before not_before
    'sent',      -- in the batch named by batch_id
    'succeeded', -- result is the reply
    'errored',   -- error says why, and there is no further try
    'canceled',  -- its batch was cancelled before its turn
    'expired'    -- its last try ended before its turn
);

CREATE TYPE batch_state AS ENUM (
    'intent',  -- about to be created, or created by a worker that did not live to say so
    'created', -- at the provider, as provider_id
    'ended',   -- its results are booked
    'unsent',  -- was not created; its requests wait again
    'lost'     -- the provider does not have it, or its results, any more
);

CREATE TABLE batches (
    -- These columns never change.
    id           uuid        PRIMARY KEY,  -- version 7: ordered by time
    model        text        NOT NULL,
    key_id       text        NOT NULL,     -- which key it was noted under; another may not see it
    requests     integer     NOT NULL CONSTRAINT batches_requests_positive CHECK (requests >= 1),
    created_at   timestamptz NOT NULL DEFAULT now(), -- of the intent, which is committed before the call
    -- These change with its state.
    state        batch_state NOT NULL DEFAULT 'intent',
    provider_id  text        CONSTRAINT batches_provider_key UNIQUE,
    not_ours     text[]      NOT NULL DEFAULT '{}', -- batches at the provider that were looked at and are somebody else's
    expires_at   timestamptz,                       -- as the provider says
    succeeded    integer     NOT NULL DEFAULT 0,    -- as the provider counts them, at the end
    errored      integer     NOT NULL DEFAULT 0,
    canceled     integer     NOT NULL DEFAULT 0,
    expired      integer     NOT NULL DEFAULT 0,
    polls        integer     NOT NULL DEFAULT 0,
    next_poll_at timestamptz NOT NULL DEFAULT now(),
    detail       text,                              -- the last failure, or what is not decided yet
    ended_at     timestamptz,                       -- here, whatever way
    CONSTRAINT batches_created_as CHECK ((state = 'created') <= (provider_id IS NOT NULL)),
    CONSTRAINT batches_ended CHECK ((state IN ('intent', 'created')) = (ended_at IS NULL))
);
-- What somebody has to look at.
CREATE INDEX batches_open ON batches (next_poll_at) WHERE state IN ('intent', 'created');

CREATE TABLE batch_requests (
    -- These columns never change.
    id           uuid        PRIMARY KEY,  -- chosen by who asks; the custom_id at the provider
    purpose      text        NOT NULL CONSTRAINT batch_requests_purpose_length CHECK (char_length(purpose) BETWEEN 1 AND 200),
    model        text        NOT NULL CONSTRAINT batch_requests_model_length CHECK (char_length(model) BETWEEN 1 AND 200),
    body         text        NOT NULL,     -- of a message without stream, sent byte for byte
    project_id   uuid        NOT NULL REFERENCES projects (id),
    task_id      uuid        REFERENCES tasks (id),    -- whom it is charged to; all of these may be missing
    agent_id     uuid        REFERENCES agents (id),
    session_id   uuid        REFERENCES sessions (id),
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- These change with its state.
    state        batch_request_state NOT NULL DEFAULT 'queued',
    not_before   timestamptz NOT NULL DEFAULT now(),
    tries        smallint    NOT NULL DEFAULT 0, -- batches that it was sent in
    batch_id     uuid        REFERENCES batches (id), -- the last one
    budget_id    uuid,                           -- which had no room for it when it was last taken
    result       text,                           -- the message as it came
    error        text,                           -- of the last try
    completed_at timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT batch_requests_sent_in CHECK (state NOT IN ('sent', 'succeeded') OR batch_id IS NOT NULL),
    CONSTRAINT batch_requests_result CHECK ((state = 'succeeded') = (result IS NOT NULL)),
    CONSTRAINT batch_requests_completed CHECK ((state IN ('queued', 'sent')) = (completed_at IS NULL))
);
CREATE INDEX batch_requests_queued ON batch_requests (model, id) WHERE state = 'queued';
-- What is not at its end, and what an ending batch sets free.
CREATE INDEX batch_requests_sent ON batch_requests (batch_id) WHERE state = 'sent';

-- One try of one request, noted and reserved before its batch is created: what llm_calls is for calls that are answered
-- at once. These have no step of a journal, and often no task.
CREATE TABLE batch_calls (
    -- These columns never change.
    batch_id              uuid        NOT NULL REFERENCES batches (id),
    request_id            uuid        NOT NULL REFERENCES batch_requests (id),
    model                 text        NOT NULL,
    project_id            uuid        NOT NULL,
    task_id               uuid,
    agent_id              uuid,
    session_id            uuid,
    created_at            timestamptz NOT NULL DEFAULT now(),
    reserved_nano_usd     bigint      NOT NULL,              -- what it may cost at most
    budgets               uuid[]      NOT NULL DEFAULT '{}', -- on which that was reserved; a new budget takes on open calls
    -- These are set once, by the result.
    state                 call_state  NOT NULL DEFAULT 'intent',
    error                 text,
    input_tokens          bigint      NOT NULL DEFAULT 0,
    output_tokens         bigint      NOT NULL DEFAULT 0,
    cache_read_tokens     bigint      NOT NULL DEFAULT 0,
    cache_write_tokens    bigint      NOT NULL DEFAULT 0,
    cache_write_1h_tokens bigint      NOT NULL DEFAULT 0,
    cost_nano_usd         bigint      NOT NULL DEFAULT 0,
    finished_at           timestamptz,
    PRIMARY KEY (batch_id, request_id),
    CONSTRAINT batch_calls_finished CHECK ((state = 'intent') = (finished_at IS NULL))
);
CREATE INDEX batch_calls_by_request ON batch_calls (request_id);
CREATE INDEX batch_calls_by_task ON batch_calls (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX batch_calls_open ON batch_calls (created_at) WHERE state = 'intent';

-- The one worker that sends, polls and books.
CREATE TABLE batch_lease (
    only_row   boolean     PRIMARY KEY DEFAULT true CONSTRAINT batch_lease_only_row CHECK (only_row),
    holder     text,
    held_until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO batch_lease DEFAULT VALUES;

-- As settle_calls books calls that are answered at once: see there.
CREATE FUNCTION settle_batch_calls() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    today  date := (now() AT TIME ZONE 'UTC')::date;
    nobody uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    INSERT INTO usage_days AS u
    SELECT s.day, s.project_id, s.agent, s.session, s.model, pg_backend_pid() % 32 AS shard, s.calls, s.failed, s.unknown,
           s.input, s.output, s.cache_read, s.cache_write, s.cache_write_1h, s.cost, s.assumed
    FROM (SELECT (c.finished_at AT TIME ZONE 'UTC')::date AS day, c.project_id, coalesce(c.agent_id, nobody) AS agent,
                 coalesce(c.session_id, nobody) AS session, c.model, sum(sign) AS calls,
                 sum(CASE WHEN c.state = 'failed' THEN sign ELSE 0 END) AS failed,
                 sum(CASE WHEN c.state = 'unknown' THEN sign ELSE 0 END) AS unknown,
                 sum(sign * c.input_tokens) AS input, sum(sign * c.output_tokens) AS output,
                 sum(sign * c.cache_read_tokens) AS cache_read, sum(sign * c.cache_write_tokens) AS cache_write,
                 sum(sign * c.cache_write_1h_tokens) AS cache_write_1h, sum(sign * c.cost_nano_usd) AS cost,
                 sum(CASE WHEN c.state = 'unknown' THEN sign * c.reserved_nano_usd ELSE 0 END) AS assumed
          FROM (SELECT 1 AS sign, a.* FROM after_rows a UNION ALL SELECT -1, b.* FROM before_rows b) c
          WHERE c.state <> 'intent'
          GROUP BY 1, 2, 3, 4, 5) s
    ORDER BY s.day, s.agent, s.session, s.model, s.project_id
    ON CONFLICT (day, agent_id, session_id, model, project_id, shard) DO UPDATE
        SET calls = u.calls + excluded.calls, failed = u.failed + excluded.failed,
            unknown = u.unknown + excluded.unknown, input_tokens = u.input_tokens + excluded.input_tokens,
            output_tokens = u.output_tokens + excluded.output_tokens,
            cache_read_tokens = u.cache_read_tokens + excluded.cache_read_tokens,
            cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
            cache_write_1h_tokens = u.cache_write_1h_tokens + excluded.cache_write_1h_tokens,
            cost_nano_usd = u.cost_nano_usd + excluded.cost_nano_usd,
            unknown_nano_usd = u.unknown_nano_usd + excluded.unknown_nano_usd;

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

CREATE TRIGGER batch_calls_are_settled AFTER UPDATE ON batch_calls
    REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION settle_batch_calls();

-- Calls of batches are of a task's money, too.
CREATE OR REPLACE FUNCTION spent_of_tree(root uuid, today boolean) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE tree AS (
        SELECT root AS id, 1 AS height
        UNION ALL
        SELECT t.id, height + 1 FROM tree JOIN tasks t ON t.parent_id = tree.id WHERE height < 16
    )
    SELECT coalesce(sum(c.cost_nano_usd + CASE WHEN c.state = 'unknown' THEN c.reserved_nano_usd ELSE 0 END), 0)::bigint
    FROM tree
    CROSS JOIN LATERAL (
        SELECT cost_nano_usd, state, reserved_nano_usd, finished_at FROM llm_calls WHERE task_id = tree.id
        UNION ALL
        SELECT cost_nano_usd, state, reserved_nano_usd, finished_at FROM batch_calls WHERE task_id = tree.id) AS c
    WHERE NOT today OR (c.finished_at AT TIME ZONE 'UTC')::date = (now() AT TIME ZONE 'UTC')::date
$$;
