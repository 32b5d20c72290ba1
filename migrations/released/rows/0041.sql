-- Rows of the tables that migration 0041 adds.

INSERT INTO batches (id, model, key_id, requests, state, provider_id, expires_at, next_poll_at)
VALUES ('019b8e00-0000-7000-8000-000000000041', 'claude-haiku-5-5', '0123456789ab', 1, 'created', 'msgbatch_1', '2026-01-06 12:00Z',
        '2026-01-05 12:00Z');
INSERT INTO batch_requests (id, purpose, model, body, project_id, state, tries, batch_id)
VALUES ('019b8e00-0000-7000-8000-000000000042', 'consolidation', 'claude-haiku-5-5', '{"max_tokens": 1}',
        '00000000-0000-7000-8000-000000000001', 'sent', 1, '019b8e00-0000-7000-8000-000000000041');
INSERT INTO batch_calls (batch_id, request_id, model, project_id, reserved_nano_usd)
VALUES ('019b8e00-0000-7000-8000-000000000041', '019b8e00-0000-7000-8000-000000000042', 'claude-haiku-5-5',
        '00000000-0000-7000-8000-000000000001', 100);
UPDATE batch_lease SET holder = 'worker-1', held_until = '2026-01-05 12:00Z';
