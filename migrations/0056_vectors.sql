-- Vectors, beside the entries: model and length are data, and spaces are never mixed.

CREATE TYPE embedding_state AS ENUM (
    'building', -- entries get vectors of it; searches do not use it yet
    'active',   -- searches use it, and new entries get vectors of it
    'retired'   -- its vectors may go
);

CREATE TABLE embedding_models (
    -- These columns never change.
    model      text            PRIMARY KEY CONSTRAINT embedding_models_name CHECK (model ~ '^[A-Za-z0-9._/:-]{1,100}$'),
    dims       integer         NOT NULL CONSTRAINT embedding_models_dims CHECK (dims BETWEEN 1 AND 4000),
    created_at timestamptz     NOT NULL DEFAULT now(),
    -- These may.
    state      embedding_state NOT NULL DEFAULT 'building',
    state_at   timestamptz     NOT NULL DEFAULT now(),
    CONSTRAINT embedding_models_dims_key UNIQUE (model, dims)
);
CREATE UNIQUE INDEX embedding_models_one_active ON embedding_models ((true)) WHERE state = 'active';
CREATE UNIQUE INDEX embedding_models_one_building ON embedding_models ((true)) WHERE state = 'building';
INSERT INTO embedding_models (model, dims, state) VALUES ('minilm-l6-v2-int8', 384, 'active');

CREATE TABLE context_vectors (
    context_id uuid     NOT NULL REFERENCES contexts (id) ON DELETE CASCADE,
    model      text     NOT NULL,
    chunk      smallint NOT NULL CONSTRAINT context_vectors_chunk CHECK (chunk >= 0), -- a long entry has several
    dims       integer  NOT NULL,
    vector     vector   NOT NULL CONSTRAINT context_vectors_length CHECK (vector_dims(vector) = dims),
    changed_tx xid8     NOT NULL DEFAULT pg_current_xact_id(), -- see contexts.changed_tx
    PRIMARY KEY (context_id, model, chunk),
    FOREIGN KEY (model, dims) REFERENCES embedding_models (model, dims)
);
CREATE INDEX context_vectors_by_change ON context_vectors (changed_tx);
-- One for each model, since an index has one length. A statement that is to use it names the model and the cast as they
-- stand here.
CREATE INDEX context_vectors_minilm ON context_vectors USING hnsw ((vector::vector(384)) vector_cosine_ops)
    WHERE model = 'minilm-l6-v2-int8';

-- Entries that want vectors: those whose embedder was busy or away, and all of them when a model is being built.
CREATE TABLE context_vectors_due (
    model       text        NOT NULL REFERENCES embedding_models (model),
    context_id  uuid        NOT NULL REFERENCES contexts (id) ON DELETE CASCADE,
    taken_until timestamptz NOT NULL DEFAULT '-infinity', -- a process works on it until then
    tries       integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (model, context_id)
);
CREATE INDEX context_vectors_due_by_context ON context_vectors_due (context_id);
CREATE INDEX context_vectors_due_by_time ON context_vectors_due (model, taken_until, context_id);
