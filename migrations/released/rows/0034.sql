-- Rows of the tables that migration 0033 adds.

INSERT INTO provider_keys (key_id, stopped_at, reason, detail, probe_at)
VALUES ('0123456789ab', '2026-01-05 12:00+00', 'permission', 'no', '2026-01-05 12:05+00');
INSERT INTO provider_models (key_id, model, hold_until, opened_at, detail, failed_probes, probe_at, requests)
VALUES ('0123456789ab', 'claude', '2026-01-05 12:01+00', '2026-01-05 12:00+00', 'overloaded', 1, '2026-01-05 12:02+00', 50);
INSERT INTO provider_events (key_id, kind, detail) VALUES ('0123456789ab', 'key_stopped', 'permission: no');
