-- What operations add to a task: who it belongs to, what bounds it, where it came from, what its failures cost.

-- A session groups tasks that a person starts, watches and pauses together.
CREATE TABLE sessions (
    -- These columns never change.
    id         uuid        PRIMARY KEY,
    project_id uuid        NOT NULL REFERENCES projects (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text        NOT NULL,
    -- These may.
    name       text        NOT NULL CONSTRAINT sessions_name_length CHECK (char_length(name) BETWEEN 1 AND 255)
);
CREATE INDEX sessions_by_project ON sessions (project_id, id DESC);

ALTER TABLE tasks
    -- These never change after the insert.
    ADD COLUMN session_id      uuid REFERENCES sessions (id),
    ADD COLUMN parent_id       uuid REFERENCES tasks (id),    -- the task that made this one; cancelling it cancels this
    ADD COLUMN deadline        timestamptz,                   -- failed when it has not ended by then
    ADD COLUMN concurrency_key text CONSTRAINT tasks_concurrency_key_length
                               CHECK (char_length(concurrency_key) BETWEEN 1 AND 255),
    ADD COLUMN redriven_from   uuid REFERENCES tasks (id),    -- the ended task that this one tries again
    ADD COLUMN forked_from     uuid REFERENCES tasks (id),    -- the task whose first steps this one shares
    ADD COLUMN forked_at       integer CONSTRAINT tasks_forked_at_positive CHECK (forked_at >= 1), -- the last shared step
    -- These change with the task's state.
    ADD COLUMN deaths          integer NOT NULL DEFAULT 0,     -- claims that ended without a word since the last step
    ADD COLUMN isolated        boolean NOT NULL DEFAULT false, -- only an isolated worker may claim it; see deaths
    ADD COLUMN journal_format  smallint,                       -- pinned by the first claim: how its steps are written
    ADD COLUMN error_class     text,                           -- of the last failed try, for redrive by class
    ADD CONSTRAINT tasks_fork_whole CHECK ((forked_from IS NULL) = (forked_at IS NULL)),
    ADD CONSTRAINT tasks_not_its_parent CHECK (parent_id <> id);

-- What a cancel runs down.
CREATE INDEX tasks_by_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX tasks_by_session ON tasks (session_id, id DESC) WHERE session_id IS NOT NULL;
-- Deadlines that pass.
CREATE INDEX tasks_by_deadline ON tasks (deadline)
    WHERE deadline IS NOT NULL AND status NOT IN ('succeeded', 'failed', 'cancelled', 'dead');
-- How many of a key run, and who is next: the two questions of its gate.
CREATE INDEX tasks_by_key ON tasks (concurrency_key, priority, id)
    WHERE concurrency_key IS NOT NULL AND status IN ('pending', 'ready', 'running');

-- What holds for a key or an agent. A key without a row has the limit 1.
CREATE TABLE task_limits (
    kind        text        NOT NULL CONSTRAINT task_limits_kind CHECK (kind IN ('key', 'agent')),
    name        text        NOT NULL, -- the concurrency key, or the agent's id
    max_running integer     CONSTRAINT task_limits_running CHECK (max_running BETWEEN 1 AND 100000), -- keys only
    max_starts  integer     CONSTRAINT task_limits_starts CHECK (max_starts BETWEEN 1 AND 1000),
    per_seconds integer     CONSTRAINT task_limits_seconds CHECK (per_seconds BETWEEN 1 AND 86400),
    -- The last max_starts starts, oldest first: the window slides, so that no window holds more.
    starts      timestamptz[] NOT NULL DEFAULT '{}',
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, name),
    CONSTRAINT task_limits_rate_whole CHECK ((max_starts IS NULL) = (per_seconds IS NULL)),
    CONSTRAINT task_limits_running_of_keys CHECK (max_running IS NULL OR kind = 'key')
);

CREATE TYPE pause_mode AS ENUM (
    'pause', -- running tasks stop at their next step edge
    'drain'  -- running tasks end; none starts
);

-- What takes no tasks at the moment. A handful of rows, read with each claim.
CREATE TABLE pauses (
    scope      text        NOT NULL CONSTRAINT pauses_scope CHECK (scope IN ('fleet', 'lane', 'agent', 'session')),
    name       text        NOT NULL, -- '' for the fleet, the lane's name, the agent's or session's id
    mode       pause_mode  NOT NULL,
    reason     text        NOT NULL DEFAULT '',
    until      timestamptz, -- ends by itself then
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, name)
);
