-- Rows of the tables that migrations 0036 and 0037 add.

INSERT INTO models (id, display_name, line, lifecycle, max_input_tokens, max_output_tokens, capabilities, refreshed_at)
VALUES ('claude-sonnet-5-5', 'Claude Sonnet 5.5', 'sonnet', 'active', 1000000, 128000, '{"batch": {"supported": true}}',
        '2026-01-05 12:00Z');
INSERT INTO model_classes (name, model, reported_by) VALUES ('work', 'claude-sonnet-5-5', 'worker-1');
UPDATE model_refresh SET refreshed_at = '2026-01-05 12:00Z', refreshed_by = 'worker-1';
INSERT INTO routing_rules (version, rules, note, created_by)
VALUES (2, '[{"role": "qa", "step": "*", "model": "hard"}]', 'Better eyes', 'ada');
UPDATE active_routing SET version = 2, activated_by = 'ada';
