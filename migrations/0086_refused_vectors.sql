-- What an embedder refuses waits longer each time and holds nothing else up; see 0052 and 0056.

ALTER TABLE context_vectors_due
    ADD COLUMN refusals integer NOT NULL DEFAULT 0, -- times in a row that the text was refused
    ADD COLUMN reason   text;                       -- what the embedder said last
CREATE INDEX context_vectors_due_refused ON context_vectors_due (model) WHERE refusals > 0;

ALTER TABLE message_vectors_due
    ADD COLUMN refusals integer NOT NULL DEFAULT 0,
    ADD COLUMN reason   text;
CREATE INDEX message_vectors_due_refused ON message_vectors_due (model) WHERE refusals > 0;
