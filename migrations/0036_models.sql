-- What the service says of its models, over what a build knows of them; and the classes that workers are configured with.

CREATE TYPE model_lifecycle AS ENUM (
    'active',     -- in use
    'deprecated', -- answers still; its end is announced
    'retired'     -- does not answer any more
);

-- One row for each model that was ever listed. A column that is NULL was not said: there what the build knows holds.
CREATE TABLE models (
    -- These columns never change.
    id                text        PRIMARY KEY CONSTRAINT models_id_length CHECK (char_length(id) BETWEEN 1 AND 200),
    first_listed_at   timestamptz NOT NULL DEFAULT now(),
    -- These change with each refresh.
    display_name      text,
    line              text,       -- the family, such as opus
    lifecycle         model_lifecycle,
    deprecated_at     timestamptz,
    retires_at        timestamptz,
    max_input_tokens  bigint      CONSTRAINT models_input_positive CHECK (max_input_tokens > 0),
    max_output_tokens bigint      CONSTRAINT models_output_positive CHECK (max_output_tokens > 0),
    capabilities      jsonb,      -- the tree as it came; each leaf is {"supported": bool}
    refreshed_at      timestamptz NOT NULL, -- when it was last listed
    vanished_at       timestamptz -- when a list was first without it; NULL while it is listed
);

-- The refresh: one row, held by the one worker that asks.
CREATE TABLE model_refresh (
    only_row     boolean     PRIMARY KEY DEFAULT true CONSTRAINT model_refresh_only_row CHECK (only_row),
    requested_at timestamptz, -- a person wants a newer list than that of refreshed_at
    holder       text,        -- the worker that asks at the moment
    free_at      timestamptz, -- nobody else asks before; after a failure the time of the next try
    refreshed_at timestamptz,
    refreshed_by text,
    error        text,        -- why the last try failed; cleared by one that did not
    CONSTRAINT model_refresh_held CHECK (holder IS NULL OR free_at IS NOT NULL)
);
INSERT INTO model_refresh DEFAULT VALUES;

-- Classes that agents, tasks and rules may name instead of an id, as the worker that started last was told.
CREATE TABLE model_classes (
    name        text        PRIMARY KEY CONSTRAINT model_classes_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    model       text        NOT NULL,
    reported_by text        NOT NULL,
    reported_at timestamptz NOT NULL DEFAULT now()
);
