-- Rows of the table that migration 0070 adds.

INSERT INTO system_checkpoints (id, requested_by, created_at, status, worker, started_at, finished_at, error)
VALUES ('019b9300-0000-7000-8000-000000000070', 'operator', '2026-01-08 01:00Z', 'failed', 'worker-1',
        '2026-01-08 01:00Z', '2026-01-08 01:01Z', 'the worker that made it fell silent');
INSERT INTO system_checkpoints (id, requested_by, created_at, status, worker, started_at, finished_at, directory,
                                manifest_sha256, bytes, state)
VALUES ('019b9300-0000-7000-8000-000000000071', 'operator', '2026-01-08 02:00Z', 'done', 'worker-1',
        '2026-01-08 02:00Z', '2026-01-08 02:01Z', '20260108T020001Z-019b9300-0000-7000-8000-000000000071',
        repeat('0123456789abcdef', 4), 4096, '{"format": 1, "tables": 60, "rows": 7}');
