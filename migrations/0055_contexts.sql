-- What is remembered. Text never changes: an edit adds a row and closes the one before it, a night adds and retires rows
-- under a version that is published by one switch. Only a redaction writes over text, so that it is gone.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TYPE memory_scope AS ENUM (
    'org',     -- everybody
    'project', -- whoever works in the project
    'session', -- whoever works in the session
    'agent'    -- one agent, and nobody beside it
);

-- From least to most, so that LEAST() is the trust of what is drawn from several sources.
CREATE TYPE trust_class AS ENUM (
    'external', -- text from outside
    'agent',    -- an agent wrote it
    'user',     -- a person wrote it
    'system'    -- the hive itself found it
);

CREATE TYPE memory_version_state AS ENUM (
    'building',    -- a night is at work; nobody sees its rows
    'active',      -- its rows are visible, and what it retired is not
    'rolled_back', -- was active, and was taken back
    'rejected'     -- was never active
);

-- What a night made of one memory: all of it or nothing is visible, by `state` alone. So a rollback is the same switch
-- back, and what was visible before is visible again, byte for byte.
CREATE TABLE memory_versions (
    -- These columns never change.
    id         uuid                 PRIMARY KEY,
    scope      memory_scope         NOT NULL,
    project_id uuid                 REFERENCES projects (id),
    session_id uuid                 REFERENCES sessions (id),
    agent_id   uuid                 REFERENCES agents (id),
    number     integer              NOT NULL CONSTRAINT memory_versions_positive CHECK (number >= 1),
    created_at timestamptz          NOT NULL DEFAULT now(),
    -- These may.
    state      memory_version_state NOT NULL DEFAULT 'building',
    state_at   timestamptz          NOT NULL DEFAULT now(),
    changed_tx xid8                 NOT NULL DEFAULT pg_current_xact_id(), -- see contexts.changed_tx
    CONSTRAINT memory_versions_number_key UNIQUE NULLS NOT DISTINCT (scope, project_id, session_id, agent_id, number),
    CONSTRAINT memory_versions_owner CHECK (CASE scope
        WHEN 'org'     THEN project_id IS NULL     AND session_id IS NULL     AND agent_id IS NULL
        WHEN 'project' THEN project_id IS NOT NULL AND session_id IS NULL     AND agent_id IS NULL
        WHEN 'session' THEN project_id IS NOT NULL AND session_id IS NOT NULL AND agent_id IS NULL
        WHEN 'agent'   THEN project_id IS NOT NULL AND session_id IS NULL     AND agent_id IS NOT NULL
    END)
);
CREATE INDEX memory_versions_by_change ON memory_versions (changed_tx);

CREATE TABLE contexts (
    -- These columns never change.
    id            uuid         PRIMARY KEY,
    lineage       uuid         NOT NULL, -- the id of the first row that said it; the same in all that replaced it
    scope         memory_scope NOT NULL,
    project_id    uuid         REFERENCES projects (id),
    session_id    uuid         REFERENCES sessions (id),
    agent_id      uuid         REFERENCES agents (id),
    parent_id     uuid         REFERENCES contexts (id) ON DELETE SET NULL, -- what it is a part of; of the same owner
    follows_id    uuid         REFERENCES contexts (id) ON DELETE SET NULL, -- what was said just before; of the same owner
    kind          text         NOT NULL CONSTRAINT contexts_kind_length CHECK (char_length(kind) BETWEEN 1 AND 100),
    trust         trust_class  NOT NULL,
    author        text         NOT NULL, -- who stored it
    task_id       uuid         REFERENCES tasks (id), -- where it came from: the task, its run and its journal entry
    run_epoch     bigint,
    step_seq      integer,
    valid_from    timestamptz  NOT NULL, -- since when it holds in the world
    recorded_at   timestamptz  NOT NULL DEFAULT now(),
    born_version  uuid         REFERENCES memory_versions (id), -- the night that brought it
    -- These only change when a redaction writes over the text.
    title         text         NOT NULL DEFAULT '' CONSTRAINT contexts_title_length CHECK (char_length(title) <= 255),
    content       text         NOT NULL CONSTRAINT contexts_content_length CHECK (octet_length(content) BETWEEN 1 AND 32768),
    redacted_at   timestamptz,
    -- These are set once.
    valid_to      timestamptz, -- until when it held; the same as valid_from when it never did
    superseded_by uuid         REFERENCES contexts (id) ON DELETE SET NULL,
    -- These may change.
    died_version  uuid         REFERENCES memory_versions (id), -- the night that retired it
    importance    real         NOT NULL DEFAULT 0.5 CONSTRAINT contexts_importance CHECK (importance BETWEEN 0 AND 1),
    pinned        boolean      NOT NULL DEFAULT false, -- does not fade
    locked        boolean      NOT NULL DEFAULT false, -- nobody replaces it, and no night retires it
    source_gone   boolean      NOT NULL DEFAULT false, -- something it was drawn from was deleted
    version       integer      NOT NULL DEFAULT 1,     -- one more with each change
    -- The transaction that last changed what a search sees of the row. A reader that has seen all transactions before N
    -- asks for rows from N on; commits may come in another order than these numbers, which is why N is the oldest
    -- transaction that was still open when it looked.
    changed_tx    xid8         NOT NULL DEFAULT pg_current_xact_id(),
    -- For a memory that no process holds in its index: Postgres proposes, and what it proposes is weighed like the rest.
    words         tsvector     NOT NULL GENERATED ALWAYS AS (to_tsvector('english', title || ' ' || content)) STORED,
    CONSTRAINT contexts_owner CHECK (CASE scope
        WHEN 'org'     THEN project_id IS NULL     AND session_id IS NULL     AND agent_id IS NULL
        WHEN 'project' THEN project_id IS NOT NULL AND session_id IS NULL     AND agent_id IS NULL
        WHEN 'session' THEN project_id IS NOT NULL AND session_id IS NOT NULL AND agent_id IS NULL
        WHEN 'agent'   THEN project_id IS NOT NULL AND session_id IS NULL     AND agent_id IS NOT NULL
    END),
    CONSTRAINT contexts_origin_whole CHECK (
        (run_epoch IS NULL OR task_id IS NOT NULL) AND (step_seq IS NULL OR task_id IS NOT NULL)),
    CONSTRAINT contexts_validity CHECK (valid_to >= valid_from),
    CONSTRAINT contexts_locked_survives CHECK (NOT locked OR (superseded_by IS NULL AND died_version IS NULL))
);
CREATE INDEX contexts_by_change ON contexts (changed_tx);
CREATE INDEX contexts_by_words ON contexts USING gin (words);
CREATE INDEX contexts_by_project ON contexts (project_id, id);
CREATE INDEX contexts_of_all ON contexts (id) WHERE scope = 'org';
CREATE INDEX contexts_by_agent ON contexts (agent_id, id) WHERE agent_id IS NOT NULL;
CREATE INDEX contexts_by_session ON contexts (session_id, id) WHERE session_id IS NOT NULL;
CREATE INDEX contexts_by_lineage ON contexts (lineage, id);
CREATE INDEX contexts_by_parent ON contexts (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX contexts_by_follows ON contexts (follows_id) WHERE follows_id IS NOT NULL;
CREATE INDEX contexts_by_superseded ON contexts (superseded_by) WHERE superseded_by IS NOT NULL;
CREATE INDEX contexts_by_task ON contexts (task_id, id) WHERE task_id IS NOT NULL;
CREATE INDEX contexts_by_born ON contexts (born_version) WHERE born_version IS NOT NULL;
CREATE INDEX contexts_by_died ON contexts (died_version) WHERE died_version IS NOT NULL;

-- What an entry was drawn from. Rows go with either end.
CREATE TABLE context_sources (
    context_id uuid NOT NULL REFERENCES contexts (id) ON DELETE CASCADE,
    source_id  uuid NOT NULL REFERENCES contexts (id) ON DELETE CASCADE,
    PRIMARY KEY (context_id, source_id),
    CONSTRAINT context_sources_not_itself CHECK (context_id <> source_id)
);
CREATE INDEX context_sources_by_source ON context_sources (source_id);

-- How often an entry was recalled; beside the entries, so that a recall rewrites no text. Counted in strides, so a crash
-- loses some seconds of it.
CREATE TABLE context_uses (
    context_id  uuid        PRIMARY KEY REFERENCES contexts (id) ON DELETE CASCADE,
    recalled    bigint      NOT NULL DEFAULT 0,
    recalled_at timestamptz NOT NULL DEFAULT now()
);

-- That something was deleted, and nothing of what it said.
CREATE TABLE context_tombstones (
    context_id uuid        PRIMARY KEY,
    project_id uuid        REFERENCES projects (id),
    cause_id   uuid        NOT NULL, -- the entry that a person deleted; another one for what went with it
    deleted_by text        NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    changed_tx xid8        NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX context_tombstones_by_change ON context_tombstones (changed_tx);
