-- The journal in weeks: steps, events and calls lie in partitions by the id of their task. Ids of version 7 order by
-- time, so a range of ids is a range of times; old weeks go as whole tables instead of row by row.
--
-- No foreign key leads from the journal to tasks any more: each row is inserted by a statement that reads the task's
-- row, a trigger keeps tasks that have a journal, and a key would make each dropped week lock the tasks of the whole
-- fleet.

CREATE FUNCTION refuse_to_delete_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM events WHERE task_id = OLD.id) OR EXISTS (SELECT FROM steps WHERE task_id = OLD.id)
       OR EXISTS (SELECT FROM llm_calls WHERE task_id = OLD.id) THEN
        RAISE EXCEPTION 'task % is kept: its journal refers to it', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'tasks_are_kept';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER tasks_are_kept BEFORE DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION refuse_to_delete_tasks();

-- The least id that an instant can have.
CREATE FUNCTION first_id_of(at timestamptz) RETURNS uuid LANGUAGE sql STABLE STRICT AS
$$ SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;

-- When an id of version 7 was made.
CREATE FUNCTION time_of_id(id uuid) RETURNS timestamptz LANGUAGE sql STABLE STRICT AS
$$ SELECT to_timestamp(('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint / 1000.0) $$;

-- The weeks that were made, also after they are gone.
CREATE TABLE journal_weeks (
    -- These columns never change.
    monday     timestamptz PRIMARY KEY, -- its first instant, UTC
    name       text        NOT NULL,    -- as in steps_2026w48
    first_id   uuid        NOT NULL,    -- of its tasks
    past_id    uuid        NOT NULL,    -- the first that is no longer of it
    -- These are set once.
    dropped_at timestamptz,
    bytes      bigint                   -- what dropping it gave back
);

ALTER TABLE steps RENAME TO steps_whole;
ALTER TABLE events RENAME TO events_whole;
ALTER TABLE llm_calls RENAME TO llm_calls_whole;
ALTER INDEX steps_pkey RENAME TO steps_whole_pkey;
ALTER INDEX events_pkey RENAME TO events_whole_pkey;
ALTER INDEX llm_calls_pkey RENAME TO llm_calls_whole_pkey;
ALTER INDEX llm_calls_by_task RENAME TO llm_calls_whole_by_task;

CREATE TABLE steps (LIKE steps_whole INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (task_id, seq))
    PARTITION BY RANGE (task_id);
CREATE TABLE events (LIKE events_whole INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (task_id, seq))
    PARTITION BY RANGE (task_id);
-- The key begins with the task, since a partitioned key must; every statement that has a call's id has its task's.
CREATE TABLE llm_calls (LIKE llm_calls_whole INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (task_id, id))
    PARTITION BY RANGE (task_id);
CREATE INDEX llm_calls_by_task ON llm_calls (task_id, seq);
-- Housekeeping: calls that stayed open.
CREATE INDEX llm_calls_open ON llm_calls (created_at) WHERE state = 'intent';

-- Nets for ids of no week. They stay empty: making a week takes its rows out.
CREATE TABLE steps_default PARTITION OF steps DEFAULT;
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE llm_calls_default PARTITION OF llm_calls DEFAULT;

-- Makes the week of an instant, and moves there what the nets hold of it. False when it was made before.
CREATE FUNCTION make_journal_week(instant timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    monday  timestamptz := date_trunc('week', instant, 'UTC');
    name    text := to_char(monday AT TIME ZONE 'UTC', 'IYYY"w"IW');
    first   uuid := first_id_of(monday);
    past    uuid := first_id_of(monday + interval '168 hours');
    journal text;
    week    text;
BEGIN
    INSERT INTO journal_weeks (monday, name, first_id, past_id) VALUES (monday, name, first, past)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOREACH journal IN ARRAY ARRAY['steps', 'events', 'llm_calls'] LOOP
        week := journal || '_' || name;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', week, journal);
        -- Nobody may add to the net between the move and the attachment.
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', journal || '_default');
        EXECUTE format('WITH moved AS (DELETE FROM %I WHERE task_id >= $1 AND task_id < $2 RETURNING *)
                        INSERT INTO %I SELECT * FROM moved', journal || '_default', week) USING first, past;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', journal, week, first, past);
    END LOOP;
    RETURN true;
END $$;

-- Drops a week whose tasks have all ended, and with it the outputs of its tools; returns the bytes, or NULL when a
-- task was reopened meanwhile.
CREATE FUNCTION drop_journal_week(week timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone    journal_weeks;
    journal text;
    freed   bigint := 0;
BEGIN
    -- What reopens a task writes an event, so it is either seen below or waits and then finds no steps.
    LOCK TABLE ONLY steps, ONLY events, ONLY llm_calls IN ACCESS EXCLUSIVE MODE;
    SELECT * INTO gone FROM journal_weeks w WHERE w.monday = week AND w.dropped_at IS NULL FOR UPDATE;
    IF gone IS NULL OR EXISTS (SELECT FROM tasks t
                               WHERE t.status IN ('proposed', 'pending', 'ready', 'running', 'waiting')
                                 AND t.id >= gone.first_id AND t.id < gone.past_id) THEN
        RETURN NULL;
    END IF;
    FOREACH journal IN ARRAY ARRAY['steps', 'events', 'llm_calls'] LOOP
        freed := freed + pg_total_relation_size(format('%I', journal || '_' || gone.name)::regclass);
        EXECUTE format('DROP TABLE %I', journal || '_' || gone.name);
    END LOOP;
    UPDATE journal_weeks w SET dropped_at = now(), bytes = freed WHERE w.monday = week;
    RETURN freed;
END $$;

-- The weeks of all tasks there are, this one and four ahead.
SELECT make_journal_week(monday)
FROM (SELECT DISTINCT date_trunc('week', time_of_id(id), 'UTC') AS monday FROM tasks
      WHERE id >= first_id_of('2020-01-01Z') AND id < first_id_of(now() + interval '28 days')
      UNION SELECT date_trunc('week', now() + n * interval '168 hours', 'UTC') FROM generate_series(0, 4) AS n) AS weeks
ORDER BY monday;

INSERT INTO steps SELECT * FROM steps_whole;
INSERT INTO events SELECT * FROM events_whole;
INSERT INTO llm_calls SELECT * FROM llm_calls_whole;
DROP TABLE steps_whole, events_whole, llm_calls_whole;
ANALYZE steps, events, llm_calls;

-- What refers to an artifact: asked before one is removed.
CREATE INDEX task_artifacts_by_content ON task_artifacts (sha256);
