-- Rows of the tables that migration 0090 adds; its triggers write the event of the first.

INSERT INTO fleet_health (component, state, reason, since, checked_at)
VALUES ('queue', 'degraded', 'slow', '2026-01-09 01:00Z', '2026-01-09 01:01Z');
