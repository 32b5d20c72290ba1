-- What agents wrote is found by its meaning, too. Model and length are data as they are for memories; see 0056, which comes
-- later and has the models.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE message_vectors (
    message_id uuid     NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    model      text     NOT NULL,
    chunk      smallint NOT NULL CONSTRAINT message_vectors_chunk CHECK (chunk >= 0), -- a long message has several
    vector     vector   NOT NULL,
    PRIMARY KEY (message_id, model, chunk)
);
-- One for each model, since an index has one length. A statement that is to use it names the model and the cast as they
-- stand here.
CREATE INDEX message_vectors_minilm ON message_vectors USING hnsw ((vector::vector(384)) vector_cosine_ops)
    WHERE model = 'minilm-l6-v2-int8';

-- Messages that want vectors.
CREATE TABLE message_vectors_due (
    model       text        NOT NULL,
    message_id  uuid        NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    taken_until timestamptz NOT NULL DEFAULT '-infinity', -- a process works on it until then
    PRIMARY KEY (model, message_id)
);
CREATE INDEX message_vectors_due_by_message ON message_vectors_due (message_id);
CREATE INDEX message_vectors_due_by_time ON message_vectors_due (model, taken_until, message_id);
