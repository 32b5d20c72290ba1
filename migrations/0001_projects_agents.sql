-- Projects own everything a tenant has; agents are versioned definitions inside a project.

CREATE TABLE projects (
    -- These columns never change.
    id         uuid        PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- These may.
    name       text        NOT NULL CONSTRAINT projects_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT projects_name_key UNIQUE (name)
);

-- The one project every task belongs to unless it names another.
INSERT INTO projects (id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'default');

CREATE TYPE agent_status AS ENUM (
    'active',   -- takes tasks
    'inactive'  -- keeps its history and takes none; left by an update with status active
);

CREATE TABLE agents (
    -- These columns never change.
    id         uuid         PRIMARY KEY,
    project_id uuid         NOT NULL REFERENCES projects (id),
    type       text         NOT NULL CONSTRAINT agents_type_length CHECK (char_length(type) BETWEEN 1 AND 100),
    created_at timestamptz  NOT NULL DEFAULT now(),
    -- These may.
    name       text         NOT NULL CONSTRAINT agents_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    status     agent_status NOT NULL DEFAULT 'active',
    version    integer      NOT NULL DEFAULT 1, -- the definition that new runs are pinned to
    updated_at timestamptz  NOT NULL DEFAULT now(),
    CONSTRAINT agents_name_key UNIQUE (project_id, name)
);

-- Choosing the agent for a task that names only a type.
CREATE INDEX agents_by_type ON agents (project_id, type, created_at) WHERE status = 'active';

-- A definition is never edited: a change adds a version, and a run keeps the one it started with.
CREATE TABLE agent_versions (
    agent_id      uuid        NOT NULL REFERENCES agents (id),
    version       integer     NOT NULL CONSTRAINT agent_versions_positive CHECK (version >= 1),
    role          text        NOT NULL,
    system_prompt text        NOT NULL,
    model         text        NOT NULL, -- a class of the configuration (work, hard, light) or a model id
    tools         text[]      NOT NULL,
    capabilities  text[]      NOT NULL DEFAULT '{}',
    limits        jsonb       NOT NULL DEFAULT '{}', -- narrows the limits of each task
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agent_id, version)
);

-- The current version exists; checked at commit, so that both rows can be written in one transaction.
ALTER TABLE agents ADD CONSTRAINT agents_version_exists
    FOREIGN KEY (id, version) REFERENCES agent_versions (agent_id, version) DEFERRABLE INITIALLY DEFERRED;
