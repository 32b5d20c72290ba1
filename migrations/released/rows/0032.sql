-- Rows of the tables that migrations 0030 to 0032 add.

INSERT INTO budgets (id, scope, target, period, created_by, cap_nano_usd, spent_nano_usd, day, set_day)
VALUES ('019b8c00-0000-7000-8000-0000000000b1', 'org', '00000000-0000-0000-0000-000000000000', 'day', 'ada', 1000000000, 5,
        '2026-01-05', '2026-01-05');
INSERT INTO usage_days (day, project_id, agent_id, session_id, model, shard, calls, failed, unknown, input_tokens,
                        output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, cost_nano_usd,
                        unknown_nano_usd)
VALUES ('2026-01-05', '00000000-0000-7000-8000-000000000001', '00000000-0000-0000-0000-000000000000',
        '00000000-0000-0000-0000-000000000000', 'claude', 31, 2, 1, 0, 5, 1, 0, 0, 0, 5, 0);
