-- Checkpoints of the whole system: where each stands, and the digest by which its files are known.

CREATE TYPE checkpoint_status AS ENUM (
    'waiting', -- asked for; a worker that has a directory for checkpoints takes it
    'running', -- a worker makes it, and renews its lease meanwhile
    'done',    -- its files are whole and named by manifest_sha256
    'failed'   -- error says why; there are no files
);

CREATE TABLE system_checkpoints (
    -- These columns never change.
    id              uuid              PRIMARY KEY,
    requested_by    text              NOT NULL,
    created_at      timestamptz       NOT NULL DEFAULT now(),
    -- These change with the status.
    status          checkpoint_status NOT NULL DEFAULT 'waiting',
    worker          text,             -- who makes it, or made it
    lease_until     timestamptz,      -- a worker that is silent for longer has died over it
    started_at      timestamptz,
    finished_at     timestamptz,
    error           text,
    -- These are set when it is done.
    directory       text,             -- below the directory for checkpoints of the worker
    manifest_sha256 text              CONSTRAINT system_checkpoints_digest CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    bytes           bigint,           -- of all files
    state           jsonb,            -- the mark of the database and the commits of the repositories, in short
    -- Set by housekeeping when the files are no longer there.
    removed_at      timestamptz,
    CONSTRAINT system_checkpoints_taken
        CHECK ((status = 'running') = (lease_until IS NOT NULL) AND (status = 'waiting') <= (worker IS NULL)),
    CONSTRAINT system_checkpoints_ended CHECK ((status IN ('done', 'failed')) = (finished_at IS NOT NULL)),
    CONSTRAINT system_checkpoints_failed CHECK ((status = 'failed') = (error IS NOT NULL)),
    CONSTRAINT system_checkpoints_whole
        CHECK (num_nulls(directory, manifest_sha256, bytes, state) = CASE WHEN status = 'done' THEN 0 ELSE 4 END),
    CONSTRAINT system_checkpoints_removed CHECK (removed_at IS NULL OR status = 'done')
);
-- One at a time, whoever asks.
CREATE UNIQUE INDEX system_checkpoints_one_at_a_time ON system_checkpoints ((true))
    WHERE status IN ('waiting', 'running');
