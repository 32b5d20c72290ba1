-- What a night does, in rows: what it asks, what it changes and why, what it read, and the questions of its gate.

-- What its calls came to when it was over: the calls themselves are removed some day.
ALTER TABLE sleep_cycles
    ADD COLUMN requests      bigint NOT NULL DEFAULT 0,
    ADD COLUMN input_tokens  bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN cost_nano_usd bigint NOT NULL DEFAULT 0;

-- A request of a night to the model. Its text and its answer lie in batch_requests, what it cost in batch_calls.
CREATE TABLE sleep_requests (
    cycle_id   uuid        NOT NULL REFERENCES sleep_cycles (id) ON DELETE CASCADE,
    phase      sleep_phase NOT NULL, -- which made it; a later one may read the answer, too
    number     integer     NOT NULL CONSTRAINT sleep_requests_number CHECK (number >= 0),
    request_id uuid        NOT NULL UNIQUE REFERENCES batch_requests (id) ON DELETE CASCADE,
    -- What stands behind the numbers in the text: a model is told numbers, since it would copy ids wrongly.
    given      jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cycle_id, phase, number)
);

CREATE TYPE sleep_change_kind AS ENUM (
    'extracted',  -- drawn from a journal
    'merged',     -- says what its sources said
    'superseded', -- was overtaken: closed where the later one begins
    'promoted',   -- rose to the project
    'decayed',    -- had faded
    'kept',       -- was asked about, and is left as it is
    'refused',    -- was proposed, and a guard said no; nothing was changed
    'dropped'     -- was made, but somebody changed what it was made of before it was published
);

-- The difference that a night makes, one row for each thing that it does.
CREATE TABLE sleep_changes (
    -- These columns never change.
    id         uuid              PRIMARY KEY, -- version 7
    cycle_id   uuid              NOT NULL REFERENCES sleep_cycles (id) ON DELETE CASCADE,
    phase      sleep_phase       NOT NULL,
    born       uuid,                          -- the entry that it brought, if any; without a reference, since it may be deleted
    retired    uuid[]            NOT NULL,    -- entries that are not visible while its version is active
    sources    uuid[]            NOT NULL,    -- what it was drawn from
    versions   integer[]         NOT NULL,    -- of the retired ones, as the night read them
    created_at timestamptz       NOT NULL DEFAULT now(),
    -- These may, until it is published.
    kind       sleep_change_kind NOT NULL,
    reason     text              NOT NULL,
    CONSTRAINT sleep_changes_versions CHECK (cardinality(versions) = cardinality(retired))
);
CREATE INDEX sleep_changes_by_cycle ON sleep_changes (cycle_id, id);

-- Whose journals a night read. What a completed one read is not read again.
CREATE TABLE sleep_readings (
    cycle_id   uuid NOT NULL REFERENCES sleep_cycles (id) ON DELETE CASCADE,
    subject_id uuid NOT NULL, -- an ended task
    PRIMARY KEY (cycle_id, subject_id)
);
CREATE INDEX sleep_readings_by_subject ON sleep_readings (subject_id);

-- Questions with evidence that the memory must answer after a night as well as before it; made before its first change.
CREATE TABLE sleep_probes (
    cycle_id uuid    NOT NULL REFERENCES sleep_cycles (id) ON DELETE CASCADE,
    number   integer NOT NULL,
    question text    NOT NULL,
    evidence uuid    NOT NULL, -- the entry that answers it, or what was drawn from it
    before   boolean,          -- whether it was found; set by the gate
    after    boolean,
    PRIMARY KEY (cycle_id, number)
);
