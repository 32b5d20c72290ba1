-- Rows of the table that migration 0091 adds: a task that is there, and an entry that was deleted.

INSERT INTO context_receipts (context_id, task_id) SELECT '019b9300-0000-7000-8000-000000000091', min(id::text)::uuid FROM tasks;
