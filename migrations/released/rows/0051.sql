-- Rows of the tables that migration 0051 adds.

INSERT INTO threads (id, project_id, created_at, last_number)
VALUES ('019b8e00-0000-7000-8000-000000000051', '00000000-0000-7000-8000-000000000001', '2026-01-05 12:00Z', 2);
INSERT INTO conversations (id, project_id, thread_id, number, from_name, to_agent_id, audience, message_type, content, trust,
                           answer_by, wakes, created_at)
VALUES ('019b8e00-0000-7000-8000-000000000052', '00000000-0000-7000-8000-000000000001',
        '019b8e00-0000-7000-8000-000000000051', 1, 'ada', '019b8c00-0000-7000-8000-0000000000a1', 'direct', 'question',
        'Which port, "ä"?', 'user', '2026-01-05 13:00Z', true, '2026-01-05 12:00Z');
INSERT INTO conversations (id, project_id, thread_id, number, from_agent_id, from_task_id, from_name, audience, message_type,
                           content, trust, reply_to, wakes, send_key, created_at)
VALUES ('019b8e00-0000-7000-8000-000000000053', '00000000-0000-7000-8000-000000000001',
        '019b8e00-0000-7000-8000-000000000051', 2, '019b8c00-0000-7000-8000-0000000000a1',
        '019b8c00-0000-7000-8000-0000000000c1', 'Ada', 'broadcast', 'message', 'It is 7700.', 'agent',
        '019b8e00-0000-7000-8000-000000000052', false, 'a call', '2026-01-05 12:01Z');
INSERT INTO inboxes (agent_id, last_place, failures, failed_at)
VALUES ('019b8c00-0000-7000-8000-0000000000a1', 2, 1, '2026-01-05 12:00Z');
INSERT INTO message_deliveries (agent_id, place, message_id, state, task_id, tries, visible_at, step, acknowledged_by,
                                acknowledged_at)
VALUES ('019b8c00-0000-7000-8000-0000000000a1', 1, '019b8e00-0000-7000-8000-000000000052', 'acknowledged',
        '019b8c00-0000-7000-8000-0000000000c1', 1, '2026-01-05 12:00Z', 2, 'task', '2026-01-05 12:00Z');
INSERT INTO message_deliveries (agent_id, place, message_id, state, tries, visible_at, last_error, died_at)
VALUES ('019b8c00-0000-7000-8000-0000000000a1', 2, '019b8e00-0000-7000-8000-000000000053', 'dead', 5, '2026-01-05 12:00Z',
        'its receiver did not acknowledge it in time', '2026-01-05 12:05Z');
