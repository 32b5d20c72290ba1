-- Rows of the tables that migrations 0060 and 0061 add.

INSERT INTO memory_versions (id, scope, project_id, number, state)
VALUES ('019b8e00-0000-7000-8000-000000000060', 'project', '00000000-0000-7000-8000-000000000001', 2, 'active');
INSERT INTO sleep_cycles (id, scope, project_id, trigger, asked_by, budget_nano_usd, budget_tokens, budget_minutes, version_id,
                          created_at, state, phase, epoch, look_at, started_at, merged, kept, skipped, stopped_by, probes,
                          quality_before, quality_after, finished_at, updated_at, requests, input_tokens, output_tokens,
                          cost_nano_usd)
VALUES ('019b8e00-0000-7000-8000-000000000061', 'project', '00000000-0000-7000-8000-000000000001', 'cron', 'nightly',
        1000000000, 50000, 60, '019b8e00-0000-7000-8000-000000000060', '2026-01-06 02:00Z', 'completed', 'publish', 3,
        '2026-01-06 02:00Z', '2026-01-06 02:00Z', 1, 1, '[{"why": "money", "what": "requests", "count": 1, "phase": "merge"}]',
        'money', 1, 1, 1, '2026-01-06 02:10Z', '2026-01-06 02:10Z', 1, 900, 100, 70000);
INSERT INTO batch_requests (id, purpose, model, body, project_id, state, created_at, not_before, updated_at, error, completed_at)
VALUES ('019b8e00-0000-7000-8000-000000000062', 'sleep', 'claude-haiku-5-5', '{"max_tokens":1000}',
        '00000000-0000-7000-8000-000000000001', 'canceled', '2026-01-06 02:00Z', '2026-01-06 02:00Z', '2026-01-06 02:00Z',
        'the sleep cycle is over', '2026-01-06 02:00Z');
INSERT INTO sleep_requests (cycle_id, phase, number, request_id, given, created_at)
VALUES ('019b8e00-0000-7000-8000-000000000061', 'merge', 0, '019b8e00-0000-7000-8000-000000000062', '{"facts": [], "near": []}',
        '2026-01-06 02:00Z');
INSERT INTO sleep_changes (id, cycle_id, phase, born, retired, sources, versions, created_at, kind, reason)
VALUES ('019b8e00-0000-7000-8000-000000000063', '019b8e00-0000-7000-8000-000000000061', 'merge',
        '019b8e00-0000-7000-8000-000000000057', '{019b8e00-0000-7000-8000-000000000056}',
        '{019b8e00-0000-7000-8000-000000000056}', '{1}', '2026-01-06 02:05Z', 'merged', 'they say the same: "ports", ä');
INSERT INTO sleep_readings (cycle_id, subject_id)
VALUES ('019b8e00-0000-7000-8000-000000000061', '019b8c00-0000-7000-8000-0000000000c1');
INSERT INTO sleep_probes (cycle_id, number, question, evidence, before, after)
VALUES ('019b8e00-0000-7000-8000-000000000061', 0, 'port shop', '019b8e00-0000-7000-8000-000000000056', true, true);
