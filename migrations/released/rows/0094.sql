-- Rows of the table that migration 0094 adds: an entry that the night of a version found to be learnt again.

INSERT INTO context_renewals (context_id, version_id, renewed_at)
SELECT (SELECT min(id::text)::uuid FROM contexts), min(id::text)::uuid, '2026-01-08 03:00Z' FROM memory_versions;
