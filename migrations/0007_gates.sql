-- Gates: what keeps a ready task from being claimed, and how long it has waited.

-- The lane of a priority, as the queue has it.
CREATE FUNCTION lane_of(priority smallint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE WHEN priority <= 2 THEN 'urgent' WHEN priority <= 4 THEN 'high' WHEN priority <= 6 THEN 'normal' ELSE 'low' END;

-- All pauses of this moment in one row, so that a statement over many tasks reads them once.
CREATE VIEW open_pauses AS
SELECT coalesce(bool_or(scope = 'fleet'), false)                          AS fleet,
       coalesce(array_agg(name) FILTER (WHERE scope = 'lane'), '{}')          AS lanes,
       coalesce(array_agg(name::uuid) FILTER (WHERE scope = 'agent'), '{}')   AS agents,
       coalesce(array_agg(name::uuid) FILTER (WHERE scope = 'session'), '{}') AS sessions
FROM pauses WHERE until IS NULL OR until > now();

-- Those that also stop what runs at its next step edge.
CREATE VIEW halting_pauses AS
SELECT coalesce(bool_or(scope = 'fleet'), false)                          AS fleet,
       coalesce(array_agg(name) FILTER (WHERE scope = 'lane'), '{}')          AS lanes,
       coalesce(array_agg(name::uuid) FILTER (WHERE scope = 'agent'), '{}')   AS agents,
       coalesce(array_agg(name::uuid) FILTER (WHERE scope = 'session'), '{}') AS sessions
FROM pauses WHERE mode = 'pause' AND (until IS NULL OR until > now());

-- True when pauses (a row of one of the views) cover a task.
CREATE FUNCTION covers(fleet boolean, lanes text[], agents uuid[], sessions uuid[],
                       priority smallint, agent uuid, session uuid)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    fleet OR lane_of(priority) = ANY (lanes) OR coalesce(agent = ANY (agents), false)
          OR coalesce(session = ANY (sessions), false);

-- Ready tasks by how long they have waited: the oldest decides about admission, the aged ones go first.
CREATE INDEX tasks_ready_oldest ON tasks (run_at) WHERE status = 'ready';

-- What waits for a task, a place of its key or a person has no time of its own and would stand before all others.
DROP INDEX tasks_parked;
CREATE INDEX tasks_parked ON tasks (run_at)
    WHERE status IN ('pending', 'waiting')
      AND status_reason NOT IN ('dependencies', 'concurrency', 'outcome_unknown', 'journal_format');

-- The worker processes, as each reports itself with its lease renewal. One that is silent for a lease is gone.
CREATE TABLE workers (
    name       text        PRIMARY KEY, -- as in tasks.worker
    host       text        NOT NULL,
    version    text        NOT NULL,
    slots      integer     NOT NULL,
    isolated   boolean     NOT NULL,
    draining   boolean     NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);
-- Suspects that wait for an isolated worker.
CREATE INDEX tasks_isolated ON tasks (id) WHERE status = 'ready' AND isolated;
-- Keys with tasks that wait for a place.
CREATE INDEX tasks_at_key ON tasks (concurrency_key) WHERE status = 'pending' AND status_reason = 'concurrency';
