-- Getting tasks in, and acting on many: requests that may be repeated, trees of bounded depth, actions on many tasks.

-- What a request with an Idempotency-Key did. Written in the transaction of the effect, so that either both are there or
-- neither; a request that was refused leaves no row. Forgotten after 48 hours.
CREATE TABLE idempotency_keys (
    -- These columns never change.
    owner       text        NOT NULL, -- who sent it: keys of different callers do not meet
    key         text        NOT NULL CONSTRAINT idempotency_keys_key_length CHECK (char_length(key) BETWEEN 1 AND 255),
    fingerprint bytea       NOT NULL, -- SHA-256 of method, path and body
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Set by the transaction that makes the row, so that nobody else ever sees them null.
    status      smallint,
    location    text,
    body        text,
    PRIMARY KEY (owner, key),
    CONSTRAINT idempotency_keys_fingerprint_length CHECK (octet_length(fingerprint) = 32),
    CONSTRAINT idempotency_keys_answer_whole CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

ALTER TABLE tasks
    -- How many tasks stand above it by parent_id; never changes.
    ADD COLUMN depth smallint NOT NULL DEFAULT 0,
    ADD CONSTRAINT tasks_depth_range CHECK (depth BETWEEN 0 AND 5);

-- Whether a task was tried again, and by which.
CREATE INDEX tasks_by_origin ON tasks (redriven_from) WHERE redriven_from IS NOT NULL;

CREATE TYPE task_action_kind AS ENUM (
    'cancel',       -- ends them, with all that belongs to them
    'reprioritise', -- sets their priority
    'redrive'       -- makes a new task from each that ended without success
);

CREATE TYPE task_action_status AS ENUM (
    'working', -- some of its tasks wait for their turn; left by the slice that acts on the last of them
    'done'     -- each of its tasks was acted on or skipped
);

-- One thing done to many tasks, in slices of one transaction each.
CREATE TABLE task_actions (
    -- These columns never change.
    id          uuid             PRIMARY KEY,
    kind        task_action_kind NOT NULL,
    filter      jsonb            NOT NULL, -- what was asked for, to be shown
    priority    smallint         CONSTRAINT task_actions_priority_range CHECK (priority BETWEEN 1 AND 9),
    matched     bigint           NOT NULL, -- tasks that fitted the filter when it was accepted
    created_by  text             NOT NULL,
    created_at  timestamptz      NOT NULL DEFAULT now(),
    -- These change with each slice.
    status      task_action_status NOT NULL,
    done        bigint           NOT NULL DEFAULT 0,
    skipped     bigint           NOT NULL DEFAULT 0, -- their state did not allow it
    cascaded    bigint           NOT NULL DEFAULT 0, -- cancelled besides, since they belong to one that was
    finished_at timestamptz,
    CONSTRAINT task_actions_priority_of_kind CHECK ((kind = 'reprioritise') = (priority IS NOT NULL)),
    CONSTRAINT task_actions_finished CHECK ((status = 'done') = (finished_at IS NOT NULL)),
    CONSTRAINT task_actions_counts CHECK (done + skipped <= matched)
);
CREATE INDEX task_actions_open ON task_actions (id) WHERE status = 'working';

-- The tasks of an action that wait for their turn.
CREATE TABLE task_action_items (
    action_id uuid NOT NULL REFERENCES task_actions (id),
    task_id   uuid NOT NULL,
    PRIMARY KEY (action_id, task_id)
);
