-- The task: what was asked for, where it stands, who may act on it now.

CREATE TYPE task_status AS ENUM (
    'proposed',  -- part of a plan that nobody approved yet; left by approval
    'pending',   -- waits for its time or its dependencies; left by the reconciler
    'ready',     -- may run now; left by a claim
    'running',   -- a worker holds the lease; left by settling or by the lease's end
    'waiting',   -- parked without a worker until run_at or an event; left by the reconciler
    'succeeded', -- done, and the checks agree
    'failed',    -- ended for the reason in status_reason
    'cancelled', -- ended by a person
    'dead'       -- attempts used up; kept with its journal for a person to look at
);

CREATE TYPE status_reason AS ENUM (
    'scheduled',            -- pending: run_at lies ahead
    'dependencies',         -- pending: an earlier task is not done
    'retry',                -- waiting: a try failed, the next one is timed
    'rate_limited',         -- waiting: the provider said when to come back
    'provider_unavailable', -- waiting: the provider is overloaded or unreachable
    'sandbox_unavailable',  -- waiting: the worker's host has no sandbox floor
    'drained',              -- ready: handed back by a worker that was asked to stop
    'orphaned',             -- ready: the worker died or lost its lease
    'verification_failed',  -- failed: the acceptance commands are red on the final tree
    'turn_limit',           -- failed: limits.max_turns reached
    'time_limit',           -- failed: limits.max_seconds reached
    'token_limit',          -- failed: limits.max_tokens reached
    'cost_limit',           -- failed: limits.max_cost_usd reached
    'max_tokens',           -- failed: replies kept being cut at the output limit
    'refused',              -- failed: the model declined
    'context_window',       -- failed: the conversation no longer fits the model
    'empty_reply',          -- failed: the model kept answering nothing
    'bad_tool_input',       -- failed: tool calls kept being unreadable
    'unexpected_reply',     -- failed: a stop reason this version does not know
    'authentication',       -- failed: the provider refused the credential
    'billing',              -- failed: the provider account cannot pay
    'permission',           -- failed: the credential may not use this model
    'model_not_found',      -- failed: the provider does not know the model
    'invalid_request',      -- failed: the provider refused the request
    'request_too_large',    -- failed: the request exceeds the provider's size limit
    'repository',           -- failed: the repository could not be read or pushed to
    'dependency_failed',    -- failed: an earlier task did not succeed
    'dependency_skipped',   -- cancelled: an earlier task did not succeed and the policy says skip
    'no_agent',             -- failed: the agent was deactivated before the task began
    'attempts_exhausted',   -- dead: max_attempts tries ended without progress
    'requested'             -- cancelled: a person asked for it
);

CREATE TYPE dependency_policy AS ENUM (
    'fail',    -- a dependency that did not succeed fails this task
    'skip',    -- … cancels this task
    'continue' -- … is ignored
);

CREATE TABLE tasks (
    -- These columns never change after the insert.
    id                    uuid        PRIMARY KEY,  -- version 7: ordered by time
    project_id            uuid        NOT NULL REFERENCES projects (id),
    title                 text        NOT NULL CONSTRAINT tasks_title_length CHECK (char_length(title) BETWEEN 1 AND 255),
    description           text        NOT NULL DEFAULT '',
    duty                  text        CONSTRAINT tasks_duty_known CHECK (duty IN ('noop')), -- a built-in duty instead of an agent
    repository_url        text,
    base_ref              text,
    base_commit           text,       -- what base_ref named when the task was accepted
    acceptance            jsonb       NOT NULL DEFAULT '[]',
    context               jsonb       NOT NULL DEFAULT '{}',
    labels                jsonb       NOT NULL DEFAULT '{}',
    limits                jsonb       NOT NULL DEFAULT '{}',
    model                 text,       -- overrides the agent's model
    on_dependency_failure dependency_policy NOT NULL DEFAULT 'fail',
    max_attempts          integer     NOT NULL DEFAULT 3 CONSTRAINT tasks_max_attempts_range CHECK (max_attempts BETWEEN 1 AND 100),
    created_by            text        NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    -- These change with the task's state; each change is one guarded UPDATE.
    assigned_agent_id     uuid        REFERENCES agents (id),
    agent_version         integer,    -- pinned by the first claim
    priority              smallint    NOT NULL DEFAULT 5 CONSTRAINT tasks_priority_range CHECK (priority BETWEEN 1 AND 9),
    status                task_status NOT NULL,
    status_reason         status_reason,
    status_detail         text,       -- one sentence for a person
    run_at                timestamptz NOT NULL DEFAULT now(), -- pending, waiting: not before
    attempt               integer     NOT NULL DEFAULT 0,     -- claims without progress; 1 while the claim that wrote a step goes on
    verify_only           boolean     NOT NULL DEFAULT false, -- the next activation runs the checks and nothing else
    epoch                 bigint      NOT NULL DEFAULT 0,     -- fencing token: one more with each claim and each cancel
    worker                text,
    lease_until           timestamptz,
    announced_at          timestamptz,                        -- when a ticket for this epoch was last put into Redis
    next_seq              integer     NOT NULL DEFAULT 1,     -- the next journal entry
    event_seq             bigint      NOT NULL DEFAULT 0,     -- the last event
    result                jsonb,
    input_tokens          bigint      NOT NULL DEFAULT 0,
    output_tokens         bigint      NOT NULL DEFAULT 0,
    cache_read_tokens     bigint      NOT NULL DEFAULT 0,
    cache_write_tokens    bigint      NOT NULL DEFAULT 0,
    cost_nano_usd         bigint      NOT NULL DEFAULT 0,     -- billionths of a US dollar
    started_at            timestamptz,
    claimed_at            timestamptz,                        -- when the run in progress, or the last one, began
    run_seconds           double precision NOT NULL DEFAULT 0, -- of all runs that ended; parked time does not count
    completed_at          timestamptz,
    updated_at            timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT tasks_agent_or_duty CHECK ((duty IS NULL) = (assigned_agent_id IS NOT NULL)),
    CONSTRAINT tasks_repository_whole CHECK (num_nulls(repository_url, base_ref, base_commit) IN (0, 3)),
    CONSTRAINT tasks_lease_only_while_running
        CHECK ((status = 'running') = (lease_until IS NOT NULL) AND (status = 'running') = (worker IS NOT NULL)),
    CONSTRAINT tasks_completed_only_at_end
        CHECK ((status IN ('succeeded', 'failed', 'cancelled', 'dead')) = (completed_at IS NOT NULL)),
    CONSTRAINT tasks_reason_where_needed
        CHECK (status_reason IS NOT NULL OR status NOT IN ('pending', 'waiting', 'failed', 'cancelled', 'dead')),
    CONSTRAINT tasks_pinned_version FOREIGN KEY (assigned_agent_id, agent_version)
        REFERENCES agent_versions (agent_id, version)
);

-- The reconciler: ready tasks whose ticket may be lost, most urgent first.
CREATE INDEX tasks_ready ON tasks (priority, run_at, id) WHERE status = 'ready';
-- The reconciler: parked tasks whose time has come. What waits for another task has no time of its own and would
-- stand before all others.
CREATE INDEX tasks_parked ON tasks (run_at) WHERE status IN ('pending', 'waiting') AND status_reason <> 'dependencies';
-- Lists: newest first, by status, by agent, by label. The reconciler finds leases that ran out by status: running tasks
-- are few, and with lease_until in no index a step or a renewal writes none.
CREATE INDEX tasks_by_project ON tasks (project_id, id DESC);
CREATE INDEX tasks_by_status ON tasks (status, id DESC);
CREATE INDEX tasks_by_agent ON tasks (assigned_agent_id, id DESC) WHERE assigned_agent_id IS NOT NULL;
CREATE INDEX tasks_by_label ON tasks USING gin (labels jsonb_path_ops) WHERE labels <> '{}';
ALTER TABLE tasks SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE task_dependencies (
    task_id    uuid    NOT NULL REFERENCES tasks (id),
    depends_on uuid    NOT NULL REFERENCES tasks (id),
    resolved   boolean NOT NULL DEFAULT false, -- depends_on reached an end
    PRIMARY KEY (task_id, depends_on),
    CONSTRAINT task_dependencies_not_itself CHECK (task_id <> depends_on)
);
-- What an ending task releases.
CREATE INDEX task_dependencies_open ON task_dependencies (depends_on, task_id) WHERE NOT resolved;
