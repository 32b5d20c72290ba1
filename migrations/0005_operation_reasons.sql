-- Reasons and duties of the operations: values of an enum are usable only after the transaction that adds them.

ALTER TYPE status_reason ADD VALUE 'concurrency';       -- pending: as many tasks of its concurrency key run as may
ALTER TYPE status_reason ADD VALUE 'paused';            -- ready: handed back at a step edge, since a pause covers it
ALTER TYPE status_reason ADD VALUE 'isolated';          -- ready: its workers died twice; waits for an isolated worker
ALTER TYPE status_reason ADD VALUE 'timer';             -- waiting: the agent asked to be woken at run_at
ALTER TYPE status_reason ADD VALUE 'outcome_unknown';   -- waiting: an external effect was cut; a person decides
ALTER TYPE status_reason ADD VALUE 'journal_format';    -- waiting: its journal was written in a format this build cannot read
ALTER TYPE status_reason ADD VALUE 'deadline';          -- failed: deadline passed
ALTER TYPE status_reason ADD VALUE 'loop_detected';     -- failed: the agent repeated itself without progress
ALTER TYPE status_reason ADD VALUE 'parent_cancelled';  -- cancelled: the task that made it was cancelled
ALTER TYPE status_reason ADD VALUE 'poison';            -- dead: it killed the isolated worker twice
