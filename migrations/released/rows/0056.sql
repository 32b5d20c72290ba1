-- Rows of the tables that migrations 0055 and 0056 add.

INSERT INTO memory_versions (id, scope, project_id, number, state)
VALUES ('019b8e00-0000-7000-8000-000000000055', 'project', '00000000-0000-7000-8000-000000000001', 1, 'active');
INSERT INTO contexts (id, lineage, scope, project_id, kind, title, content, trust, author, valid_from, recorded_at,
                      born_version, importance, pinned)
VALUES ('019b8e00-0000-7000-8000-000000000056', '019b8e00-0000-7000-8000-000000000056', 'project',
        '00000000-0000-7000-8000-000000000001', 'fact', 'Port', 'The port of the shop is 8080', 'user', 'operator',
        '2026-01-05 12:00Z', '2026-01-05 12:00Z', NULL, 0.5, true),
       ('019b8e00-0000-7000-8000-000000000057', '019b8e00-0000-7000-8000-000000000057', 'project',
        '00000000-0000-7000-8000-000000000001', 'insight', '', 'The shop listens on 8080', 'user', 'night',
        '2026-01-05 12:00Z', '2026-01-06 02:00Z', '019b8e00-0000-7000-8000-000000000055', 0.7, false);
INSERT INTO context_sources (context_id, source_id)
VALUES ('019b8e00-0000-7000-8000-000000000057', '019b8e00-0000-7000-8000-000000000056');
INSERT INTO context_uses (context_id, recalled, recalled_at)
VALUES ('019b8e00-0000-7000-8000-000000000056', 3, '2026-01-06 12:00Z');
INSERT INTO context_tombstones (context_id, project_id, cause_id, deleted_by)
VALUES ('019b8e00-0000-7000-8000-000000000058', '00000000-0000-7000-8000-000000000001',
        '019b8e00-0000-7000-8000-000000000058', 'operator');
INSERT INTO context_vectors_due (model, context_id)
VALUES ('minilm-l6-v2-int8', '019b8e00-0000-7000-8000-000000000057');
INSERT INTO context_vectors (context_id, model, chunk, dims, vector)
VALUES ('019b8e00-0000-7000-8000-000000000056', 'minilm-l6-v2-int8', 0, 384,
        array_fill(0.05103104::real, ARRAY[384])::vector);
