-- Money as a lock: what a call may cost at most is reserved before it is sent, in the transaction of its intent.

CREATE TABLE budgets (
    -- These columns never change.
    id                uuid        PRIMARY KEY,
    scope             text        NOT NULL CONSTRAINT budgets_scope CHECK (scope IN ('org', 'session', 'agent', 'task')),
    target            uuid        NOT NULL, -- the session's, agent's or task's id; all zeros for org
    period            text        NOT NULL CONSTRAINT budgets_period CHECK (period IN ('total', 'day')),
    created_by        text        NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    -- These do, with each call that it covers.
    cap_nano_usd      bigint      NOT NULL CONSTRAINT budgets_cap CHECK (cap_nano_usd >= 0),
    spent_nano_usd    bigint      NOT NULL DEFAULT 0, -- what calls cost, and what those of unknown outcome may have cost
    reserved_nano_usd bigint      NOT NULL DEFAULT 0, -- what open calls may cost at most
    day               date        NOT NULL,           -- UTC; of what is spent, when the period is a day
    raised_at         timestamptz NOT NULL DEFAULT now(),
    set_day           date        NOT NULL,           -- UTC, on which a person last set the cap
    set_used_nano_usd bigint      NOT NULL DEFAULT 0, -- what was spent and reserved then: a cap may be set below it
    updated_at        timestamptz NOT NULL DEFAULT now(),
    -- Ids are unique over all kinds, so the target alone finds what covers a task.
    CONSTRAINT budgets_key UNIQUE (target, scope, period),
    CONSTRAINT budgets_org CHECK ((scope = 'org') = (target = '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT budgets_not_negative CHECK (spent_nano_usd >= 0 AND reserved_nano_usd >= 0)
);
ALTER TABLE budgets SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

ALTER TABLE llm_calls
    -- These never change after the insert, but for open calls, which a new budget takes on.
    ADD COLUMN reserved_nano_usd     bigint NOT NULL DEFAULT 0,    -- what it may cost at most, as reckoned before it was sent
    ADD COLUMN budgets               uuid[] NOT NULL DEFAULT '{}', -- on which that was reserved
    -- Set once, by the answer.
    ADD COLUMN cache_write_1h_tokens bigint NOT NULL DEFAULT 0;    -- of cache_write_tokens, those written for an hour

ALTER TABLE tasks
    -- Set when a call did not fit; they mean something while the task waits for its budget.
    ADD COLUMN budget_id   uuid,   -- which one
    ADD COLUMN budget_need bigint; -- what the call may cost at most, in billionths of a US dollar

-- Who waits for which budget, in the order of their turn.
CREATE INDEX tasks_at_budget ON tasks (budget_id, priority, id)
    WHERE status = 'waiting' AND status_reason = 'budget';

-- The tasks above a task by parent_id, nearest first.
CREATE FUNCTION ancestors_of(parent uuid) RETURNS uuid[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE above AS (
        SELECT id, parent_id, 1 AS height FROM tasks WHERE id = parent
        UNION ALL
        SELECT t.id, t.parent_id, height + 1 FROM above JOIN tasks t ON t.id = above.parent_id WHERE height < 16
    )
    SELECT coalesce(array_agg(id ORDER BY height), '{}') FROM above
$$;

-- What the budgets that cover a task may be set on: all, its agent, its session, itself and the tasks above it.
CREATE FUNCTION budget_targets(task uuid, parent uuid, agent uuid, session uuid) RETURNS uuid[] LANGUAGE sql STABLE AS $$
    SELECT array_remove(ARRAY['00000000-0000-0000-0000-000000000000'::uuid, agent, session, task], NULL)
        || CASE WHEN parent IS NULL THEN '{}'::uuid[] ELSE ancestors_of(parent) END
$$;
