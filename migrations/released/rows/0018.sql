-- Rows of the tables that migrations 0007 to 0018 add.

INSERT INTO workers (name, host, version, slots, isolated) VALUES ('worker-1', 'host', '0.1.0', 4, false);
INSERT INTO idempotency_keys (owner, key, fingerprint, status, location, body)
VALUES ('ada', 'once', sha256('POST'), 201, '/api/v1/tasks/1', '{"id": 1}');
INSERT INTO task_actions (id, kind, filter, priority, matched, created_by, status)
VALUES ('019b8c00-0000-7000-8000-0000000000d1', 'reprioritise', '{"status": ["ready"]}', 2, 1, 'ada', 'working');
INSERT INTO task_action_items (action_id, task_id)
SELECT '019b8c00-0000-7000-8000-0000000000d1', id FROM tasks WHERE title = 'waits';

INSERT INTO task_messages (task_id, number, text, policy, author, step, read_at)
SELECT id, 1, 'Use tabs.', 'interrupt', 'ada', 2, '2026-01-05 12:00Z' FROM tasks WHERE title = 'waits';
INSERT INTO task_messages (task_id, number, text, policy, author)
SELECT id, 2, 'And then stop.', 'enqueue', 'ada' FROM tasks WHERE title = 'waits';
UPDATE tasks SET messages_sent = 2, messages_read = 1 WHERE title = 'waits';

INSERT INTO schedules (id, project_id, created_by, name, cron, time_zone, overlap, catch_up, catch_up_limit, enabled, duty,
                       last_slot, next_slot)
VALUES ('019b8c00-0000-7000-8000-0000000000e1', '00000000-0000-7000-8000-000000000001', 'ada', 'nightly', '0 3 * * *',
        'Europe/Berlin', 'queue', 'one', 1, false, 'records', '2026-01-05 02:00Z', '2026-01-06 02:00Z');
INSERT INTO housekeeping_orders (id, duty, dry_run, ordered_by)
VALUES ('019b8c00-0000-7000-8000-0000000000f1', 'records', false, 'schedule nightly');
INSERT INTO housekeeping_runs (order_id, host, state, finished_at, removed_rows)
VALUES ('019b8c00-0000-7000-8000-0000000000f1', '', 'done', '2026-01-05 02:00Z', 3);
INSERT INTO housekeeping_successes (duty, host, at) VALUES ('records', '', '2026-01-05 02:00Z');
INSERT INTO cron_slots (schedule_id, slot, outcome, order_id, fired_at)
VALUES ('019b8c00-0000-7000-8000-0000000000e1', '2026-01-05 02:00Z', 'fired', '019b8c00-0000-7000-8000-0000000000f1',
        '2026-01-05 02:00Z');
INSERT INTO cron_slots (schedule_id, slot, outcome)
VALUES ('019b8c00-0000-7000-8000-0000000000e1', '2026-01-04 02:00Z', 'missed');
