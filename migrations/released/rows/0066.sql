-- Rows of the tables that migration 0066 adds.

INSERT INTO sleep_settings (agent_id, idle_seconds, fall_seconds, sleep_seconds, updated_by, updated_at)
SELECT id, 600, 300, 7200, 'operator', '2026-01-06 12:00Z' FROM agents ORDER BY id LIMIT 1;
INSERT INTO sleeps (id, agent_id, trigger, requested_by, began_at, falls_by, wake_by, state, event_seq, asleep_at)
SELECT '019b8e00-0000-7000-8000-000000000066', id, 'manual', 'operator', '2026-01-07 01:00Z', '2026-01-07 01:05Z',
       '2026-01-07 03:05Z', 'asleep', 2, '2026-01-07 01:01Z'
FROM agents ORDER BY id LIMIT 1;
INSERT INTO sleep_events (sleep_id, seq, kind, data, created_at)
VALUES ('019b8e00-0000-7000-8000-000000000066', 1, 'falling_asleep', '{"trigger": "manual"}', '2026-01-07 01:00Z'),
       ('019b8e00-0000-7000-8000-000000000066', 2, 'asleep', '{}', '2026-01-07 01:01Z');
