-- Rows of the tables that migration 0052 adds.

INSERT INTO message_vectors (message_id, model, chunk, vector)
VALUES ('019b8e00-0000-7000-8000-000000000052', 'minilm-l6-v2-int8', 0, array_fill(0.05103104::real, ARRAY[384])::vector);
INSERT INTO message_vectors_due (model, message_id)
VALUES ('minilm-l6-v2-int8', '019b8e00-0000-7000-8000-000000000053');
