-- The journal: what happened in a task, in order. What comes next is a function of it.

CREATE TYPE step_kind AS ENUM (
    'reply',        -- the model answered
    'tool_results', -- the tools of the last reply ran
    'note',         -- the harness told the model something
    'checks'        -- the harness ran the acceptance commands
);

-- Rows are never updated.
CREATE TABLE steps (
    task_id       uuid        NOT NULL REFERENCES tasks (id),
    seq           integer     NOT NULL CONSTRAINT steps_seq_positive CHECK (seq >= 1),
    epoch         bigint      NOT NULL, -- the run that wrote it
    kind          step_kind   NOT NULL,
    body          json        NOT NULL, -- json, not jsonb: a reply goes back to the model byte for byte
    commit_hash   text,                 -- the workspace after this step, when it changed
    sandbox       text,                 -- the level its commands ran under
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task_id, seq)
);

CREATE TYPE call_state AS ENUM (
    'intent',   -- about to be sent; an intent that stays is a call whose outcome nobody knows
    'answered', -- its reply is the step named by seq
    'failed'    -- refused or cut; error says how
);

-- Every request to the Messages API, written before it is sent.
CREATE TABLE llm_calls (
    -- These columns never change.
    id                 uuid        PRIMARY KEY,
    task_id            uuid        NOT NULL REFERENCES tasks (id),
    seq                integer     NOT NULL, -- the step its answer becomes
    epoch              bigint      NOT NULL,
    model              text        NOT NULL,
    request_sha256     bytea       NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    -- These are set once, by the answer.
    state              call_state  NOT NULL DEFAULT 'intent',
    request_id         text,
    error              text,
    input_tokens       bigint      NOT NULL DEFAULT 0,
    output_tokens      bigint      NOT NULL DEFAULT 0,
    cache_read_tokens  bigint      NOT NULL DEFAULT 0,
    cache_write_tokens bigint      NOT NULL DEFAULT 0,
    cost_nano_usd      bigint      NOT NULL DEFAULT 0,
    finished_at        timestamptz,
    CONSTRAINT llm_calls_finished CHECK ((state = 'intent') = (finished_at IS NULL))
);
CREATE INDEX llm_calls_by_task ON llm_calls (task_id, seq);

-- Large texts by content: stored once, named by their hash.
CREATE TABLE artifacts (
    sha256     bytea       PRIMARY KEY CONSTRAINT artifacts_sha256_length CHECK (octet_length(sha256) = 32),
    bytes      bigint      NOT NULL,
    body       bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Which task shows an artifact, and as what.
CREATE TABLE task_artifacts (
    task_id    uuid        NOT NULL REFERENCES tasks (id),
    name       text        NOT NULL, -- diff, or step-<seq>-<tool use id>
    sha256     bytea       NOT NULL REFERENCES artifacts (sha256),
    media_type text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task_id, name)
);
