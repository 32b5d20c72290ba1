-- A night: one consolidation of one memory, from its trigger to its end. Phases are done in this order, each with its mark
-- in the transaction of its rows, so that a night that was cut goes on where it stopped.

CREATE TYPE sleep_trigger AS ENUM (
    'cron',     -- its time had come
    'idle',     -- nothing was to do
    'pressure', -- much had piled up
    'manual'    -- somebody asked
);

CREATE TYPE sleep_cycle_state AS ENUM (
    'pending',          -- waits for a worker
    'running',          -- a worker has taken it, or it waits for answers of the model
    'completed',        -- its version was published; left by a rollback
    'rejected_by_gate', -- probes were answered worse than before; nothing changed
    'failed',           -- failure says why; nothing changed
    'cancelled',        -- a person or a waking stopped it; nothing changed
    'rolled_back'       -- was completed, and its version was taken back
);

CREATE TYPE sleep_phase AS ENUM (
    'extract',    -- facts from what was lived through since the last night
    'dedupe',     -- what says the same in the same words
    'merge',      -- what says the same in other words
    'contradict', -- what was overtaken
    'promote',    -- what several agents learnt rises to their project
    'decay',      -- what has faded
    'publish'     -- the gate, and the switch
);

CREATE TABLE sleep_cycles (
    -- These columns never change. The owner is as memory_versions has it.
    id              uuid              PRIMARY KEY, -- version 7: ordered by time
    scope           memory_scope      NOT NULL,
    project_id      uuid              REFERENCES projects (id),
    session_id      uuid              REFERENCES sessions (id),
    agent_id        uuid              REFERENCES agents (id),
    trigger         sleep_trigger     NOT NULL,
    asked_by        text              NOT NULL CONSTRAINT sleep_cycles_asked_by_length CHECK (char_length(asked_by) BETWEEN 1 AND 255),
    budget_nano_usd bigint            CONSTRAINT sleep_cycles_budget_nano_usd CHECK (budget_nano_usd >= 0),
    budget_tokens   bigint            CONSTRAINT sleep_cycles_budget_tokens CHECK (budget_tokens >= 0),
    budget_minutes  integer           NOT NULL CONSTRAINT sleep_cycles_budget_minutes CHECK (budget_minutes BETWEEN 1 AND 1440),
    version_id      uuid              NOT NULL UNIQUE REFERENCES memory_versions (id), -- what it makes
    created_at      timestamptz       NOT NULL DEFAULT now(),
    -- These change as it goes on.
    state           sleep_cycle_state NOT NULL DEFAULT 'pending',
    phase           sleep_phase       NOT NULL DEFAULT 'extract', -- which is to be done; the last one when it is over
    worker          text,                               -- who has taken it
    epoch           bigint            NOT NULL DEFAULT 0, -- one more with each taking: older writes are refused
    lease_until     timestamptz,
    look_at         timestamptz       NOT NULL DEFAULT now(), -- not taken before
    deaths          integer           NOT NULL DEFAULT 0, -- workers that it lost in a row without a phase between
    started_at      timestamptz,                        -- the first taking; its minutes count from here
    extracted       integer           NOT NULL DEFAULT 0,
    merged          integer           NOT NULL DEFAULT 0, -- entries that another one stands for now
    superseded      integer           NOT NULL DEFAULT 0, -- entries that were overtaken
    promoted        integer           NOT NULL DEFAULT 0,
    decayed         integer           NOT NULL DEFAULT 0,
    refused         integer           NOT NULL DEFAULT 0, -- proposals that a guard refused
    kept            integer           NOT NULL DEFAULT 0, -- entries of the owner that it left alone
    skipped         jsonb             NOT NULL DEFAULT '[]', -- what it did not get to: phase, what, how many, why
    stopped_by      text              CONSTRAINT sleep_cycles_stopped_by CHECK (stopped_by IN ('money', 'tokens', 'time')),
    probes          integer           NOT NULL DEFAULT 0,
    quality_before  real,                               -- the share of probes that are answered, 0 to 1
    quality_after   real,
    failure         text,
    finished_at     timestamptz,
    rolled_back_at  timestamptz,
    rolled_back_by  text,
    updated_at      timestamptz       NOT NULL DEFAULT now(),
    CONSTRAINT sleep_cycles_owner CHECK (CASE scope
        WHEN 'org'     THEN project_id IS NULL     AND session_id IS NULL     AND agent_id IS NULL
        WHEN 'project' THEN project_id IS NOT NULL AND session_id IS NULL     AND agent_id IS NULL
        WHEN 'session' THEN project_id IS NOT NULL AND session_id IS NOT NULL AND agent_id IS NULL
        WHEN 'agent'   THEN project_id IS NOT NULL AND session_id IS NULL     AND agent_id IS NOT NULL
    END),
    CONSTRAINT sleep_cycles_held CHECK ((worker IS NULL) = (lease_until IS NULL)),
    CONSTRAINT sleep_cycles_lease CHECK (state = 'running' OR worker IS NULL),
    CONSTRAINT sleep_cycles_finished CHECK ((state IN ('pending', 'running')) = (finished_at IS NULL)),
    CONSTRAINT sleep_cycles_failure CHECK ((state = 'failed') <= (failure IS NOT NULL)),
    CONSTRAINT sleep_cycles_rolled_back CHECK ((state = 'rolled_back') = (rolled_back_at IS NOT NULL))
);
-- One at a time for each memory, whoever asks.
CREATE UNIQUE INDEX sleep_cycles_one_open ON sleep_cycles (scope, project_id, session_id, agent_id) NULLS NOT DISTINCT
    WHERE state IN ('pending', 'running');
CREATE INDEX sleep_cycles_due ON sleep_cycles (look_at) WHERE state IN ('pending', 'running');
CREATE INDEX sleep_cycles_by_owner ON sleep_cycles (scope, project_id, session_id, agent_id, id);
