-- The schema at the head of the migrations, with rows; made by `make schema-dump`.
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;
COMMENT ON EXTENSION vector IS 'vector data type and ivfflat and hnsw access methods';
CREATE TYPE public.agent_status AS ENUM (
    'active',
    'inactive'
);
CREATE TYPE public.batch_request_state AS ENUM (
    'queued',
    'sent',
    'succeeded',
    'errored',
    'canceled',
    'expired'
);
CREATE TYPE public.batch_state AS ENUM (
    'intent',
    'created',
    'ended',
    'unsent',
    'lost'
);
CREATE TYPE public.call_state AS ENUM (
    'intent',
    'answered',
    'failed',
    'unknown'
);
CREATE TYPE public.catch_up_policy AS ENUM (
    'none',
    'one',
    'all'
);
CREATE TYPE public.checkpoint_status AS ENUM (
    'waiting',
    'running',
    'done',
    'failed'
);
CREATE TYPE public.delivery_state AS ENUM (
    'pending',
    'bound',
    'taken',
    'acknowledged',
    'dead'
);
CREATE TYPE public.dependency_policy AS ENUM (
    'fail',
    'skip',
    'continue'
);
CREATE TYPE public.embedding_state AS ENUM (
    'building',
    'active',
    'retired'
);
CREATE TYPE public.housekeeping_state AS ENUM (
    'running',
    'done',
    'failed'
);
CREATE TYPE public.memory_scope AS ENUM (
    'org',
    'project',
    'session',
    'agent'
);
CREATE TYPE public.memory_version_state AS ENUM (
    'building',
    'active',
    'rolled_back',
    'rejected'
);
CREATE TYPE public.message_audience AS ENUM (
    'direct',
    'group',
    'broadcast'
);
CREATE TYPE public.message_kind AS ENUM (
    'message',
    'question',
    'answer'
);
CREATE TYPE public.message_policy AS ENUM (
    'enqueue',
    'interrupt',
    'reject',
    'rollback'
);
CREATE TYPE public.model_lifecycle AS ENUM (
    'active',
    'deprecated',
    'retired'
);
CREATE TYPE public.overlap_policy AS ENUM (
    'allow',
    'skip',
    'queue'
);
CREATE TYPE public.pause_mode AS ENUM (
    'pause',
    'drain'
);
CREATE TYPE public.route_reason AS ENUM (
    'task',
    'agent',
    'rule',
    'default',
    'fallback'
);
CREATE TYPE public.sleep_change_kind AS ENUM (
    'extracted',
    'merged',
    'superseded',
    'promoted',
    'decayed',
    'kept',
    'refused',
    'dropped'
);
CREATE TYPE public.sleep_cycle_state AS ENUM (
    'pending',
    'running',
    'completed',
    'rejected_by_gate',
    'failed',
    'cancelled',
    'rolled_back'
);
CREATE TYPE public.sleep_phase AS ENUM (
    'extract',
    'dedupe',
    'merge',
    'contradict',
    'promote',
    'decay',
    'publish'
);
CREATE TYPE public.sleep_state AS ENUM (
    'falling_asleep',
    'asleep',
    'waking',
    'awake'
);
CREATE TYPE public.sleep_trigger AS ENUM (
    'cron',
    'idle',
    'pressure',
    'manual'
);
CREATE TYPE public.slot_outcome AS ENUM (
    'fired',
    'waiting',
    'skipped',
    'refused',
    'missed'
);
CREATE TYPE public.status_reason AS ENUM (
    'scheduled',
    'dependencies',
    'retry',
    'rate_limited',
    'provider_unavailable',
    'sandbox_unavailable',
    'drained',
    'orphaned',
    'verification_failed',
    'turn_limit',
    'time_limit',
    'token_limit',
    'cost_limit',
    'max_tokens',
    'refused',
    'context_window',
    'empty_reply',
    'bad_tool_input',
    'unexpected_reply',
    'authentication',
    'billing',
    'permission',
    'model_not_found',
    'invalid_request',
    'request_too_large',
    'repository',
    'dependency_failed',
    'dependency_skipped',
    'no_agent',
    'attempts_exhausted',
    'requested',
    'concurrency',
    'paused',
    'isolated',
    'timer',
    'outcome_unknown',
    'journal_format',
    'deadline',
    'loop_detected',
    'parent_cancelled',
    'poison',
    'budget',
    'answer',
    'asleep'
);
CREATE TYPE public.step_kind AS ENUM (
    'reply',
    'tool_results',
    'note',
    'checks',
    'message',
    'intent',
    'outcome',
    'rollback',
    'compacted',
    'agent_message',
    'recalled',
    'briefing'
);
CREATE TYPE public.task_action_kind AS ENUM (
    'cancel',
    'reprioritise',
    'redrive'
);
CREATE TYPE public.task_action_status AS ENUM (
    'working',
    'done',
    'failed'
);
CREATE TYPE public.task_status AS ENUM (
    'proposed',
    'pending',
    'ready',
    'running',
    'waiting',
    'succeeded',
    'failed',
    'cancelled',
    'dead'
);
CREATE TYPE public.trust_class AS ENUM (
    'external',
    'agent',
    'user',
    'system'
);
CREATE TYPE public.wake_reason AS ENUM (
    'cycle_ended',
    'no_cycle',
    'urgent',
    'requested',
    'wake_by'
);
CREATE FUNCTION public.budget_targets(task uuid, parent uuid, agent uuid, session uuid) RETURNS uuid[]
    LANGUAGE sql STABLE
    AS $$
    WITH RECURSIVE above AS (
        SELECT id FROM unnest(ARRAY[task, parent]) AS seed (id) WHERE id IS NOT NULL
        UNION
        SELECT came.id
        FROM above JOIN tasks t ON t.id = above.id
        CROSS JOIN unnest(ARRAY[t.parent_id, t.redriven_from, t.forked_from]) AS came (id)
        WHERE came.id IS NOT NULL
    )
    SELECT array_remove(ARRAY['00000000-0000-0000-0000-000000000000'::uuid, agent, session], NULL)
        || ARRAY(SELECT id FROM above)
$$;
CREATE FUNCTION public.lane_of(priority smallint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (priority <= 2) THEN 'urgent'::text WHEN (priority <= 4) THEN 'high'::text WHEN (priority <= 6) THEN 'normal'::text ELSE 'low'::text END;
CREATE FUNCTION public.covers(fleet boolean, lanes text[], agents uuid[], sessions uuid[], priority smallint, agent uuid, session uuid) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (fleet OR (public.lane_of(priority) = ANY (lanes)) OR COALESCE((agent = ANY (agents)), false) OR COALESCE((session = ANY (sessions)), false));
CREATE FUNCTION public.drop_journal_week(week timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION public.first_id_of(at timestamp with time zone) RETURNS uuid
    LANGUAGE sql STABLE STRICT
    AS $$ SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;
CREATE FUNCTION public.make_journal_week(instant timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql
    AS $_$
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
END $_$;
CREATE FUNCTION public.next_routing_version() RETURNS integer
    LANGUAGE sql
    AS $$ SELECT coalesce(max(version), 0) + 1 FROM routing_rules $$;
CREATE FUNCTION public.note_receipts() RETURNS trigger
    LANGUAGE plpgsql
    AS $_$
BEGIN
    INSERT INTO context_receipts (context_id, task_id)
    SELECT DISTINCT (given.entry ->> 'id')::uuid, NEW.task_id
    FROM jsonb_path_query(NEW.body::jsonb,
        CASE NEW.kind WHEN 'recalled' THEN '$.receipt.included[*]' ELSE '$.results[*].recalled.included[*]' END::jsonpath)
        AS given (entry)
    ORDER BY 1
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $_$;
CREATE FUNCTION public.number_system_event() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE next bigint;
BEGIN
    UPDATE system_event_numbers SET last = last + 1 RETURNING last INTO next;
    UPDATE system_events SET seq = next, at = clock_timestamp() WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE FUNCTION public.refuse_to_delete_tasks() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM events WHERE task_id = OLD.id) OR EXISTS (SELECT FROM steps WHERE task_id = OLD.id)
       OR EXISTS (SELECT FROM llm_calls WHERE task_id = OLD.id) THEN
        RAISE EXCEPTION 'task % is kept: its journal refers to it', OLD.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'tasks_are_kept';
    END IF;
    RETURN OLD;
END $$;
CREATE FUNCTION public.settle_batch_calls() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    today  date := (now() AT TIME ZONE 'UTC')::date;
    nobody uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    INSERT INTO usage_days AS u
    SELECT s.day, s.project_id, s.agent, s.session, s.model, pg_backend_pid() % 32 AS shard, s.calls, s.failed, s.unknown,
           s.input, s.output, s.cache_read, s.cache_write, s.cache_write_1h, s.cost, s.assumed
    FROM (SELECT (c.finished_at AT TIME ZONE 'UTC')::date AS day, c.project_id, coalesce(c.agent_id, nobody) AS agent,
                 coalesce(c.session_id, nobody) AS session, c.model, sum(sign) AS calls,
                 sum(CASE WHEN c.state = 'failed' THEN sign ELSE 0 END) AS failed,
                 sum(CASE WHEN c.state = 'unknown' THEN sign ELSE 0 END) AS unknown,
                 sum(sign * c.input_tokens) AS input, sum(sign * c.output_tokens) AS output,
                 sum(sign * c.cache_read_tokens) AS cache_read, sum(sign * c.cache_write_tokens) AS cache_write,
                 sum(sign * c.cache_write_1h_tokens) AS cache_write_1h, sum(sign * c.cost_nano_usd) AS cost,
                 sum(CASE WHEN c.state = 'unknown' THEN sign * c.reserved_nano_usd ELSE 0 END) AS assumed
          FROM (SELECT 1 AS sign, a.* FROM after_rows a UNION ALL SELECT -1, b.* FROM before_rows b) c
          WHERE c.state <> 'intent'
          GROUP BY 1, 2, 3, 4, 5) s
    ORDER BY s.day, s.agent, s.session, s.model, s.project_id
    ON CONFLICT (day, agent_id, session_id, model, project_id, shard) DO UPDATE
        SET calls = u.calls + excluded.calls, failed = u.failed + excluded.failed,
            unknown = u.unknown + excluded.unknown, input_tokens = u.input_tokens + excluded.input_tokens,
            output_tokens = u.output_tokens + excluded.output_tokens,
            cache_read_tokens = u.cache_read_tokens + excluded.cache_read_tokens,
            cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
            cache_write_1h_tokens = u.cache_write_1h_tokens + excluded.cache_write_1h_tokens,
            cost_nano_usd = u.cost_nano_usd + excluded.cost_nano_usd,
            unknown_nano_usd = u.unknown_nano_usd + excluded.unknown_nano_usd;

    PERFORM FROM budgets b
    WHERE b.id = ANY (ARRAY(SELECT DISTINCT unnest(a.budgets) FROM after_rows a)) ORDER BY b.id FOR NO KEY UPDATE;
    WITH part AS (
        SELECT u.id, (c.finished_at AT TIME ZONE 'UTC')::date AS day,
               sum(CASE WHEN c.state = 'intent' THEN sign * c.reserved_nano_usd ELSE 0 END) AS held,
               sum(CASE c.state WHEN 'intent' THEN 0
                                WHEN 'unknown' THEN sign * (c.cost_nano_usd + c.reserved_nano_usd)
                                ELSE sign * c.cost_nano_usd END) AS spent
        FROM (SELECT 1 AS sign, a.* FROM after_rows a UNION ALL SELECT -1, b.* FROM before_rows b) c
        CROSS JOIN unnest(c.budgets) AS u (id)
        GROUP BY 1, 2
    ), whole AS (
        SELECT p.id, greatest(b.day, today) AS day, sum(p.held) AS held,
               coalesce(sum(p.spent) FILTER (WHERE b.period = 'total' OR b.day > today OR p.day = greatest(b.day, today)), 0) AS spent
        FROM part p JOIN budgets b ON b.id = p.id
        GROUP BY p.id, b.day
    )
    UPDATE budgets b
    SET reserved_nano_usd = b.reserved_nano_usd + w.held,
        spent_nano_usd = CASE WHEN b.period = 'day' AND b.day < w.day THEN 0 ELSE b.spent_nano_usd END + w.spent,
        day = w.day, updated_at = now()
    FROM whole w WHERE b.id = w.id;
    RETURN NULL;
END $$;
CREATE FUNCTION public.settle_calls() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    IF NOT EXISTS (SELECT FROM after_rows) THEN
        RETURN NULL;
    END IF;
    INSERT INTO usage_days AS u
    SELECT s.day, t.project_id, coalesce(t.assigned_agent_id, '00000000-0000-0000-0000-000000000000') AS agent,
           coalesce(t.session_id, '00000000-0000-0000-0000-000000000000') AS session, s.model,
           pg_backend_pid() % 32 AS shard, sum(s.calls), sum(s.failed), sum(s.unknown), sum(s.input), sum(s.output),
           sum(s.cache_read), sum(s.cache_write), sum(s.cache_write_1h), sum(s.cost), sum(s.assumed)
    FROM (SELECT (c.finished_at AT TIME ZONE 'UTC')::date AS day, c.task_id, c.model, sum(sign) AS calls,
                 sum(CASE WHEN c.state = 'failed' THEN sign ELSE 0 END) AS failed,
                 sum(CASE WHEN c.state = 'unknown' THEN sign ELSE 0 END) AS unknown,
                 sum(sign * c.input_tokens) AS input, sum(sign * c.output_tokens) AS output,
                 sum(sign * c.cache_read_tokens) AS cache_read, sum(sign * c.cache_write_tokens) AS cache_write,
                 sum(sign * c.cache_write_1h_tokens) AS cache_write_1h, sum(sign * c.cost_nano_usd) AS cost,
                 sum(CASE WHEN c.state = 'unknown' THEN sign * c.reserved_nano_usd ELSE 0 END) AS assumed
          FROM (SELECT 1 AS sign, a.* FROM after_rows a UNION ALL SELECT -1, b.* FROM before_rows b) c
          WHERE c.state <> 'intent'
          GROUP BY 1, 2, 3) s
    CROSS JOIN LATERAL (SELECT project_id, assigned_agent_id, session_id FROM tasks WHERE id = s.task_id OFFSET 0) t
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 3, 4, 5, 2
    ON CONFLICT (day, agent_id, session_id, model, project_id, shard) DO UPDATE
        SET calls = u.calls + excluded.calls, failed = u.failed + excluded.failed,
            unknown = u.unknown + excluded.unknown, input_tokens = u.input_tokens + excluded.input_tokens,
            output_tokens = u.output_tokens + excluded.output_tokens,
            cache_read_tokens = u.cache_read_tokens + excluded.cache_read_tokens,
            cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
            cache_write_1h_tokens = u.cache_write_1h_tokens + excluded.cache_write_1h_tokens,
            cost_nano_usd = u.cost_nano_usd + excluded.cost_nano_usd,
            unknown_nano_usd = u.unknown_nano_usd + excluded.unknown_nano_usd;

    IF NOT EXISTS (SELECT FROM after_rows WHERE budgets <> '{}') THEN
        RETURN NULL;
    END IF;
    PERFORM FROM budgets b
    WHERE b.id = ANY (ARRAY(SELECT DISTINCT unnest(a.budgets) FROM after_rows a)) ORDER BY b.id FOR NO KEY UPDATE;
    WITH part AS (
        SELECT u.id, (c.finished_at AT TIME ZONE 'UTC')::date AS day,
               sum(CASE WHEN c.state = 'intent' THEN sign * c.reserved_nano_usd ELSE 0 END) AS held,
               sum(CASE c.state WHEN 'intent' THEN 0
                                WHEN 'unknown' THEN sign * (c.cost_nano_usd + c.reserved_nano_usd)
                                ELSE sign * c.cost_nano_usd END) AS spent
        FROM (SELECT 1 AS sign, a.* FROM after_rows a UNION ALL SELECT -1, b.* FROM before_rows b) c
        CROSS JOIN unnest(c.budgets) AS u (id)
        GROUP BY 1, 2
    ), whole AS (
        SELECT p.id, greatest(b.day, today) AS day, sum(p.held) AS held,
               -- What ended on another day was of that day's money.
               coalesce(sum(p.spent) FILTER (WHERE b.period = 'total' OR b.day > today OR p.day = greatest(b.day, today)), 0) AS spent
        FROM part p JOIN budgets b ON b.id = p.id
        GROUP BY p.id, b.day
    )
    UPDATE budgets b
    SET reserved_nano_usd = b.reserved_nano_usd + w.held,
        spent_nano_usd = CASE WHEN b.period = 'day' AND b.day < w.day THEN 0 ELSE b.spent_nano_usd END + w.spent,
        day = w.day, updated_at = now()
    FROM whole w WHERE b.id = w.id;
    RETURN NULL;
END $$;
CREATE FUNCTION public.spent_of_tree(root uuid, today boolean) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
    WITH RECURSIVE tree AS (
        SELECT root AS id
        UNION
        SELECT came.id
        FROM tree CROSS JOIN LATERAL (
            SELECT t.id FROM tasks t WHERE t.parent_id = tree.id
            UNION ALL SELECT t.id FROM tasks t WHERE t.redriven_from = tree.id
            UNION ALL SELECT t.id FROM tasks t WHERE t.forked_from = tree.id) AS came
    )
    SELECT coalesce(sum(c.cost_nano_usd + CASE WHEN c.state = 'unknown' THEN c.reserved_nano_usd ELSE 0 END), 0)::bigint
    FROM tree
    CROSS JOIN LATERAL (
        SELECT cost_nano_usd, state, reserved_nano_usd, finished_at FROM llm_calls WHERE task_id = tree.id
        UNION ALL
        SELECT cost_nano_usd, state, reserved_nano_usd, finished_at FROM batch_calls WHERE task_id = tree.id) AS c
    WHERE NOT today OR (c.finished_at AT TIME ZONE 'UTC')::date = (now() AT TIME ZONE 'UTC')::date
$$;
CREATE FUNCTION public.tell_budget() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    b budgets := coalesce(NEW, OLD);
    what text := CASE TG_OP WHEN 'INSERT' THEN 'set' WHEN 'DELETE' THEN 'removed' ELSE 'exhausted' END;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.cap_nano_usd <> NEW.cap_nano_usd THEN
        what := CASE WHEN NEW.cap_nano_usd > OLD.cap_nano_usd THEN 'raised' ELSE 'lowered' END;
    ELSIF TG_OP = 'UPDATE' AND NEW.exhausted_at IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM tell_system('system_events', 'budget.' || what, CASE b.scope WHEN 'org' THEN 'fleet' ELSE b.target::text END,
        jsonb_build_object('budget_id', b.id, 'scope', b.scope, 'period', b.period, 'cap_nano_usd', b.cap_nano_usd,
                           'before_nano_usd', CASE WHEN what IN ('raised', 'lowered') THEN OLD.cap_nano_usd END,
                           'spent_nano_usd', b.spent_nano_usd, 'reserved_nano_usd', b.reserved_nano_usd,
                           'set_by', b.created_by));
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_checkpoint() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM tell_system('system_events',
        'checkpoint.' || CASE WHEN NEW.removed_at IS NULL THEN NEW.status::text ELSE 'removed' END, NEW.id::text,
        jsonb_build_object('requested_by', NEW.requested_by, 'worker', NEW.worker, 'directory', NEW.directory,
                           'bytes', NEW.bytes, 'manifest_sha256', NEW.manifest_sha256, 'error', NEW.error));
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_fleet_health() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM tell_system('health_checks', 'health.' || NEW.state, NEW.component,
        jsonb_build_object('process', 'fleet', 'component', NEW.component, 'reason', NEW.reason));
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_hold() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- Each refusal may prolong a hold: it is told when it begins.
    IF NEW.hold_until > now() AND (TG_OP = 'INSERT' OR OLD.hold_until IS NULL OR OLD.hold_until <= now()) THEN
        PERFORM tell_system('system_events', 'provider.held', 'model:' || NEW.model,
            jsonb_build_object('key_id', NEW.key_id, 'model', NEW.model, 'until', NEW.hold_until));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_pause() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE p pauses := coalesce(NEW, OLD);
BEGIN
    PERFORM tell_system('system_events',
        CASE WHEN TG_OP = 'DELETE' THEN 'queue.resumed' WHEN p.mode = 'drain' THEN 'queue.drained' ELSE 'queue.paused' END,
        CASE WHEN p.scope = 'fleet' THEN 'fleet' ELSE p.scope || ':' || p.name END,
        jsonb_build_object('scope', p.scope, 'name', p.name, 'mode', p.mode, 'reason', p.reason, 'until', p.until,
                           'paused_by', p.created_by));
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_provider() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM tell_system('system_events', 'provider.' || NEW.kind,
        CASE NEW.model WHEN '' THEN 'key:' || NEW.key_id ELSE 'model:' || NEW.model END,
        jsonb_build_object('key_id', NEW.key_id, 'model', nullif(NEW.model, ''), 'detail', nullif(NEW.detail, '')));
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_schedule() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    s schedules := coalesce(NEW, OLD);
    what text := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'DELETE' THEN 'deleted' ELSE 'failing' END;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.enabled <> NEW.enabled THEN
        what := CASE WHEN NEW.enabled THEN 'enabled' ELSE 'disabled' END;
    END IF;
    PERFORM tell_system('system_events', 'schedule.' || what, s.id::text,
        jsonb_build_object('name', s.name, 'cron', s.cron, 'time_zone', s.time_zone, 'enabled', s.enabled,
                           'next_slot', s.next_slot, 'error', s.last_error));
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_sleep() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE s sleeps;
BEGIN
    SELECT * INTO s FROM sleeps WHERE id = NEW.sleep_id;
    PERFORM tell_system('system_events', 'agent.' || NEW.kind, s.agent_id::text,
        NEW.data || jsonb_build_object('sleep_id', s.id, 'trigger', s.trigger, 'wake_by', s.wake_by, 'cycle_id', s.cycle_id,
                                       'wake_reason', s.wake_reason));
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_sleep_cycle() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM tell_system('system_events', 'sleep_cycle.' || NEW.state, NEW.id::text,
        jsonb_build_object('scope', NEW.scope, 'agent_id', NEW.agent_id, 'project_id', NEW.project_id,
                           'session_id', NEW.session_id, 'trigger', NEW.trigger, 'asked_by', NEW.asked_by,
                           'worker', NEW.worker, 'failure', NEW.failure, 'stopped_by', NEW.stopped_by,
                           'quality_before', NEW.quality_before, 'quality_after', NEW.quality_after));
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_system(channel text, kind text, subject text, data jsonb) RETURNS void
    LANGUAGE sql
    AS $_$
    INSERT INTO system_events (channel, kind, subject, data) VALUES ($1, $2, $3, jsonb_strip_nulls($4))
$_$;
CREATE FUNCTION public.tell_worker() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    w workers := coalesce(NEW, OLD);
    channel text := 'system_events';
    what text := CASE TG_OP WHEN 'INSERT' THEN 'came' WHEN 'DELETE' THEN 'left' ELSE 'draining' END;
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.lost_at IS NULL) <> (NEW.lost_at IS NULL) THEN
        channel := 'health_checks';
        what := CASE WHEN NEW.lost_at IS NULL THEN 'returned' ELSE 'lost' END;
    END IF;
    PERFORM tell_system(channel, 'worker.' || what, w.name,
        jsonb_build_object('host', w.host, 'version', w.version, 'slots', w.slots, 'isolated', w.isolated,
                           'seen_at', w.seen_at));
    RETURN NULL;
END $$;
CREATE FUNCTION public.time_of_id(id uuid) RETURNS timestamp with time zone
    LANGUAGE sql STABLE STRICT
    AS $$ SELECT to_timestamp(('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint / 1000.0) $$;
SET default_table_access_method = heap;
CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE public.active_routing (
    only_row boolean DEFAULT true NOT NULL,
    version integer NOT NULL,
    activated_by text NOT NULL,
    activated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT active_routing_only_row CHECK (only_row)
);
CREATE TABLE public.agent_versions (
    agent_id uuid NOT NULL,
    version integer NOT NULL,
    role text NOT NULL,
    system_prompt text NOT NULL,
    model text NOT NULL,
    tools text[] NOT NULL,
    capabilities text[] DEFAULT '{}'::text[] NOT NULL,
    limits jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    fallback_models text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT agent_versions_positive CHECK ((version >= 1))
);
CREATE TABLE public.agents (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    type text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    name text NOT NULL,
    status public.agent_status DEFAULT 'active'::public.agent_status NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT agents_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
    CONSTRAINT agents_type_length CHECK (((char_length(type) >= 1) AND (char_length(type) <= 100)))
);
CREATE TABLE public.artifacts (
    sha256 bytea NOT NULL,
    bytes bigint NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT artifacts_sha256_length CHECK ((octet_length(sha256) = 32))
);
CREATE TABLE public.batch_calls (
    batch_id uuid NOT NULL,
    request_id uuid NOT NULL,
    model text NOT NULL,
    project_id uuid NOT NULL,
    task_id uuid,
    agent_id uuid,
    session_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    reserved_nano_usd bigint NOT NULL,
    budgets uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    state public.call_state DEFAULT 'intent'::public.call_state NOT NULL,
    error text,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cache_read_tokens bigint DEFAULT 0 NOT NULL,
    cache_write_tokens bigint DEFAULT 0 NOT NULL,
    cache_write_1h_tokens bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT batch_calls_finished CHECK (((state = 'intent'::public.call_state) = (finished_at IS NULL)))
);
CREATE TABLE public.batch_lease (
    only_row boolean DEFAULT true NOT NULL,
    holder text,
    held_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT batch_lease_only_row CHECK (only_row)
);
CREATE TABLE public.batch_requests (
    id uuid NOT NULL,
    purpose text NOT NULL,
    model text NOT NULL,
    body text NOT NULL,
    project_id uuid NOT NULL,
    task_id uuid,
    agent_id uuid,
    session_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state public.batch_request_state DEFAULT 'queued'::public.batch_request_state NOT NULL,
    not_before timestamp with time zone DEFAULT now() NOT NULL,
    tries smallint DEFAULT 0 NOT NULL,
    batch_id uuid,
    budget_id uuid,
    result text,
    error text,
    completed_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT batch_requests_completed CHECK (((state = ANY (ARRAY['queued'::public.batch_request_state, 'sent'::public.batch_request_state])) = (completed_at IS NULL))),
    CONSTRAINT batch_requests_model_length CHECK (((char_length(model) >= 1) AND (char_length(model) <= 200))),
    CONSTRAINT batch_requests_purpose_length CHECK (((char_length(purpose) >= 1) AND (char_length(purpose) <= 200))),
    CONSTRAINT batch_requests_result CHECK (((state = 'succeeded'::public.batch_request_state) = (result IS NOT NULL))),
    CONSTRAINT batch_requests_sent_in CHECK (((state <> ALL (ARRAY['sent'::public.batch_request_state, 'succeeded'::public.batch_request_state])) OR (batch_id IS NOT NULL)))
);
CREATE TABLE public.batches (
    id uuid NOT NULL,
    model text NOT NULL,
    key_id text NOT NULL,
    requests integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state public.batch_state DEFAULT 'intent'::public.batch_state NOT NULL,
    provider_id text,
    not_ours text[] DEFAULT '{}'::text[] NOT NULL,
    expires_at timestamp with time zone,
    succeeded integer DEFAULT 0 NOT NULL,
    errored integer DEFAULT 0 NOT NULL,
    canceled integer DEFAULT 0 NOT NULL,
    expired integer DEFAULT 0 NOT NULL,
    polls integer DEFAULT 0 NOT NULL,
    next_poll_at timestamp with time zone DEFAULT now() NOT NULL,
    detail text,
    ended_at timestamp with time zone,
    CONSTRAINT batches_created_as CHECK (((state = 'created'::public.batch_state) <= (provider_id IS NOT NULL))),
    CONSTRAINT batches_ended CHECK (((state = ANY (ARRAY['intent'::public.batch_state, 'created'::public.batch_state])) = (ended_at IS NULL))),
    CONSTRAINT batches_requests_positive CHECK ((requests >= 1))
);
CREATE TABLE public.budgets (
    id uuid NOT NULL,
    scope text NOT NULL,
    target uuid NOT NULL,
    period text NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    cap_nano_usd bigint NOT NULL,
    spent_nano_usd bigint DEFAULT 0 NOT NULL,
    reserved_nano_usd bigint DEFAULT 0 NOT NULL,
    day date NOT NULL,
    raised_at timestamp with time zone DEFAULT now() NOT NULL,
    set_day date NOT NULL,
    set_used_nano_usd bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    exhausted_at timestamp with time zone,
    CONSTRAINT budgets_cap CHECK ((cap_nano_usd >= 0)),
    CONSTRAINT budgets_not_negative CHECK (((spent_nano_usd >= 0) AND (reserved_nano_usd >= 0))),
    CONSTRAINT budgets_org CHECK (((scope = 'org'::text) = (target = '00000000-0000-0000-0000-000000000000'::uuid))),
    CONSTRAINT budgets_period CHECK ((period = ANY (ARRAY['total'::text, 'day'::text]))),
    CONSTRAINT budgets_scope CHECK ((scope = ANY (ARRAY['org'::text, 'session'::text, 'agent'::text, 'task'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE public.context_receipts (
    context_id uuid NOT NULL,
    task_id uuid NOT NULL
);
CREATE TABLE public.context_renewals (
    context_id uuid NOT NULL,
    version_id uuid NOT NULL,
    renewed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.context_sources (
    context_id uuid NOT NULL,
    source_id uuid NOT NULL,
    CONSTRAINT context_sources_not_itself CHECK ((context_id <> source_id))
);
CREATE TABLE public.context_tombstones (
    context_id uuid NOT NULL,
    project_id uuid,
    cause_id uuid NOT NULL,
    deleted_by text NOT NULL,
    deleted_at timestamp with time zone DEFAULT now() NOT NULL,
    changed_tx xid8 DEFAULT pg_current_xact_id() NOT NULL
);
CREATE TABLE public.context_uses (
    context_id uuid NOT NULL,
    recalled bigint DEFAULT 0 NOT NULL,
    recalled_at timestamp with time zone DEFAULT now() NOT NULL,
    renewed_at timestamp with time zone
);
CREATE TABLE public.context_vectors (
    context_id uuid NOT NULL,
    model text NOT NULL,
    chunk smallint NOT NULL,
    dims integer NOT NULL,
    vector public.vector NOT NULL,
    changed_tx xid8 DEFAULT pg_current_xact_id() NOT NULL,
    CONSTRAINT context_vectors_chunk CHECK ((chunk >= 0)),
    CONSTRAINT context_vectors_length CHECK ((public.vector_dims(vector) = dims))
);
CREATE TABLE public.context_vectors_due (
    model text NOT NULL,
    context_id uuid NOT NULL,
    taken_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    refusals integer DEFAULT 0 NOT NULL,
    reason text
);
CREATE TABLE public.contexts (
    id uuid NOT NULL,
    lineage uuid NOT NULL,
    scope public.memory_scope NOT NULL,
    project_id uuid,
    session_id uuid,
    agent_id uuid,
    parent_id uuid,
    follows_id uuid,
    kind text NOT NULL,
    trust public.trust_class NOT NULL,
    author text NOT NULL,
    task_id uuid,
    run_epoch bigint,
    step_seq integer,
    valid_from timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    born_version uuid,
    title text DEFAULT ''::text NOT NULL,
    content text NOT NULL,
    redacted_at timestamp with time zone,
    valid_to timestamp with time zone,
    superseded_by uuid,
    died_version uuid,
    importance real DEFAULT 0.5 NOT NULL,
    pinned boolean DEFAULT false NOT NULL,
    locked boolean DEFAULT false NOT NULL,
    source_gone boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    changed_tx xid8 DEFAULT pg_current_xact_id() NOT NULL,
    words tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, ((title || ' '::text) || content))) STORED NOT NULL,
    CONSTRAINT contexts_content_length CHECK (((octet_length(content) >= 1) AND (octet_length(content) <= 32768))),
    CONSTRAINT contexts_importance CHECK (((importance >= (0)::double precision) AND (importance <= (1)::double precision))),
    CONSTRAINT contexts_kind_length CHECK (((char_length(kind) >= 1) AND (char_length(kind) <= 100))),
    CONSTRAINT contexts_locked_survives CHECK (((NOT locked) OR ((superseded_by IS NULL) AND (died_version IS NULL)))),
    CONSTRAINT contexts_origin_whole CHECK ((((run_epoch IS NULL) OR (task_id IS NOT NULL)) AND ((step_seq IS NULL) OR (task_id IS NOT NULL)))),
    CONSTRAINT contexts_owner CHECK (
CASE scope
    WHEN 'org'::public.memory_scope THEN ((project_id IS NULL) AND (session_id IS NULL) AND (agent_id IS NULL))
    WHEN 'project'::public.memory_scope THEN ((project_id IS NOT NULL) AND (session_id IS NULL) AND (agent_id IS NULL))
    WHEN 'session'::public.memory_scope THEN ((project_id IS NOT NULL) AND (session_id IS NOT NULL) AND (agent_id IS NULL))
    WHEN 'agent'::public.memory_scope THEN ((project_id IS NOT NULL) AND (session_id IS NULL) AND (agent_id IS NOT NULL))
    ELSE NULL::boolean
END),
    CONSTRAINT contexts_title_length CHECK ((char_length(title) <= 255)),
    CONSTRAINT contexts_validity CHECK ((valid_to >= valid_from))
);
CREATE TABLE public.conversations (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    thread_id uuid NOT NULL,
    number bigint NOT NULL,
    session_id uuid,
    from_agent_id uuid,
    from_task_id uuid,
    from_name text NOT NULL,
    to_agent_id uuid,
    audience public.message_audience NOT NULL,
    message_type public.message_kind NOT NULL,
    content text NOT NULL,
    context_refs uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    trust text NOT NULL,
    reply_to uuid,
    answer_by timestamp with time zone,
    wakes boolean NOT NULL,
    priority smallint DEFAULT 5 NOT NULL,
    hops smallint DEFAULT 0 NOT NULL,
    send_key text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    words tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, content)) STORED NOT NULL,
    CONSTRAINT conversations_content_length CHECK (((octet_length(content) >= 1) AND (octet_length(content) <= 8000))),
    CONSTRAINT conversations_direct_names_one CHECK (((audience = 'direct'::public.message_audience) OR (to_agent_id IS NULL))),
    CONSTRAINT conversations_number_positive CHECK ((number >= 1)),
    CONSTRAINT conversations_person_is_trusted CHECK (((from_agent_id IS NULL) = (trust = 'user'::text))),
    CONSTRAINT conversations_priority_range CHECK (((priority >= 1) AND (priority <= 9))),
    CONSTRAINT conversations_question_has_time CHECK (((message_type = 'question'::public.message_kind) = (answer_by IS NOT NULL))),
    CONSTRAINT conversations_trust_known CHECK ((trust = ANY (ARRAY['user'::text, 'agent'::text])))
);
CREATE TABLE public.cron_slots (
    schedule_id uuid NOT NULL,
    slot timestamp with time zone NOT NULL,
    manual boolean DEFAULT false NOT NULL,
    outcome public.slot_outcome NOT NULL,
    task_id uuid,
    order_id uuid,
    detail text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    fired_at timestamp with time zone,
    CONSTRAINT cron_slots_fired CHECK (((outcome = 'fired'::public.slot_outcome) = (fired_at IS NOT NULL)))
);
CREATE TABLE public.embedding_models (
    model text NOT NULL,
    dims integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state public.embedding_state DEFAULT 'building'::public.embedding_state NOT NULL,
    state_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT embedding_models_dims CHECK (((dims >= 1) AND (dims <= 4000))),
    CONSTRAINT embedding_models_name CHECK ((model ~ '^[A-Za-z0-9._/:-]{1,100}$'::text))
);
CREATE TABLE public.events (
    task_id uuid NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE (task_id);
CREATE TABLE public.events_2025w45 (
    task_id uuid CONSTRAINT events_task_id_not_null NOT NULL,
    seq bigint CONSTRAINT events_seq_not_null NOT NULL,
    kind text CONSTRAINT events_kind_not_null NOT NULL,
    data jsonb DEFAULT '{}'::jsonb CONSTRAINT events_data_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT events_created_at_not_null NOT NULL
);
CREATE TABLE public.events_2025w48 (
    task_id uuid CONSTRAINT events_task_id_not_null NOT NULL,
    seq bigint CONSTRAINT events_seq_not_null NOT NULL,
    kind text CONSTRAINT events_kind_not_null NOT NULL,
    data jsonb DEFAULT '{}'::jsonb CONSTRAINT events_data_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT events_created_at_not_null NOT NULL
);
CREATE TABLE public.events_2025w51 (
    task_id uuid CONSTRAINT events_task_id_not_null NOT NULL,
    seq bigint CONSTRAINT events_seq_not_null NOT NULL,
    kind text CONSTRAINT events_kind_not_null NOT NULL,
    data jsonb DEFAULT '{}'::jsonb CONSTRAINT events_data_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT events_created_at_not_null NOT NULL
);
CREATE TABLE public.events_2026w02 (
    task_id uuid CONSTRAINT events_task_id_not_null NOT NULL,
    seq bigint CONSTRAINT events_seq_not_null NOT NULL,
    kind text CONSTRAINT events_kind_not_null NOT NULL,
    data jsonb DEFAULT '{}'::jsonb CONSTRAINT events_data_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT events_created_at_not_null NOT NULL
);
CREATE TABLE public.events_default (
    task_id uuid CONSTRAINT events_task_id_not_null NOT NULL,
    seq bigint CONSTRAINT events_seq_not_null NOT NULL,
    kind text CONSTRAINT events_kind_not_null NOT NULL,
    data jsonb DEFAULT '{}'::jsonb CONSTRAINT events_data_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT events_created_at_not_null NOT NULL
);
CREATE TABLE public.fleet_health (
    component text NOT NULL,
    state text NOT NULL,
    reason text,
    since timestamp with time zone DEFAULT now() NOT NULL,
    checked_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT fleet_health_component CHECK ((component = ANY (ARRAY['provider'::text, 'queue'::text, 'workers'::text]))),
    CONSTRAINT fleet_health_reason CHECK (((reason IS NULL) = (state = 'up'::text))),
    CONSTRAINT fleet_health_state CHECK ((state = ANY (ARRAY['up'::text, 'degraded'::text, 'down'::text])))
);
CREATE TABLE public.pauses (
    scope text NOT NULL,
    name text NOT NULL,
    mode public.pause_mode NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    until timestamp with time zone,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT pauses_scope CHECK ((scope = ANY (ARRAY['fleet'::text, 'lane'::text, 'agent'::text, 'session'::text])))
);
CREATE TABLE public.sleeps (
    id uuid NOT NULL,
    agent_id uuid NOT NULL,
    trigger public.sleep_trigger NOT NULL,
    requested_by text NOT NULL,
    began_at timestamp with time zone DEFAULT now() NOT NULL,
    falls_by timestamp with time zone NOT NULL,
    wake_by timestamp with time zone NOT NULL,
    state public.sleep_state DEFAULT 'falling_asleep'::public.sleep_state NOT NULL,
    event_seq integer DEFAULT 1 NOT NULL,
    asleep_at timestamp with time zone,
    cycle_id uuid,
    waking_at timestamp with time zone,
    wake_reason public.wake_reason,
    woken_at timestamp with time zone,
    briefing jsonb,
    briefing_due boolean DEFAULT false NOT NULL,
    briefed_task uuid,
    briefed_step integer,
    briefed_at timestamp with time zone,
    CONSTRAINT sleeps_asleep CHECK (((state <> 'asleep'::public.sleep_state) OR (asleep_at IS NOT NULL))),
    CONSTRAINT sleeps_awake CHECK ((((state = 'awake'::public.sleep_state) = (woken_at IS NOT NULL)) AND ((woken_at IS NULL) = (briefing IS NULL)))),
    CONSTRAINT sleeps_bounded CHECK (((falls_by >= began_at) AND (wake_by > falls_by))),
    CONSTRAINT sleeps_briefed CHECK (((num_nonnulls(briefed_task, briefed_step, briefed_at) = ANY (ARRAY[0, 3])) AND ((briefed_at IS NULL) OR (state = 'awake'::public.sleep_state)))),
    CONSTRAINT sleeps_cycle_in_sleep CHECK (((cycle_id IS NULL) OR (asleep_at IS NOT NULL))),
    CONSTRAINT sleeps_due_when_awake CHECK (((NOT briefing_due) OR ((state = 'awake'::public.sleep_state) AND (briefed_at IS NULL)))),
    CONSTRAINT sleeps_waking CHECK ((((state = ANY (ARRAY['waking'::public.sleep_state, 'awake'::public.sleep_state])) = (waking_at IS NOT NULL)) AND ((waking_at IS NULL) = (wake_reason IS NULL))))
);
CREATE VIEW public.halting_pauses AS
 SELECT COALESCE(bool_or((scope = 'fleet'::text)), false) AS fleet,
    COALESCE(array_agg(name) FILTER (WHERE (scope = 'lane'::text)), '{}'::text[]) AS lanes,
    (COALESCE(array_agg((name)::uuid) FILTER (WHERE (scope = 'agent'::text)), '{}'::uuid[]) || ARRAY( SELECT sleeps.agent_id
           FROM public.sleeps
          WHERE (sleeps.state <> 'awake'::public.sleep_state))) AS agents,
    COALESCE(array_agg((name)::uuid) FILTER (WHERE (scope = 'session'::text)), '{}'::uuid[]) AS sessions
   FROM public.pauses
  WHERE ((mode = 'pause'::public.pause_mode) AND ((until IS NULL) OR (until > now())));
CREATE TABLE public.housekeeping_orders (
    id uuid NOT NULL,
    duty text NOT NULL,
    dry_run boolean NOT NULL,
    keep_days integer,
    ordered_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT housekeeping_orders_keep_days CHECK (((keep_days >= 1) AND (keep_days <= 3650)))
);
CREATE TABLE public.housekeeping_runs (
    order_id uuid NOT NULL,
    host text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    state public.housekeeping_state DEFAULT 'running'::public.housekeeping_state NOT NULL,
    finished_at timestamp with time zone,
    removed_rows bigint DEFAULT 0 NOT NULL,
    removed_bytes bigint DEFAULT 0 NOT NULL,
    report jsonb DEFAULT '{}'::jsonb NOT NULL,
    error text,
    CONSTRAINT housekeeping_runs_finished CHECK (((state = 'running'::public.housekeeping_state) = (finished_at IS NULL)))
);
CREATE TABLE public.housekeeping_successes (
    duty text NOT NULL,
    host text NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.idempotency_keys (
    owner text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    status smallint,
    location text,
    body text,
    CONSTRAINT idempotency_keys_answer_whole CHECK (((status IS NULL) = (body IS NULL))),
    CONSTRAINT idempotency_keys_fingerprint_length CHECK ((octet_length(fingerprint) = 32)),
    CONSTRAINT idempotency_keys_key_length CHECK (((char_length(key) >= 1) AND (char_length(key) <= 255)))
);
CREATE TABLE public.inboxes (
    agent_id uuid NOT NULL,
    last_place bigint DEFAULT 0 NOT NULL,
    pulled boolean DEFAULT false NOT NULL,
    visibility_seconds integer DEFAULT 30 NOT NULL,
    max_tries integer DEFAULT 5 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failed_at timestamp with time zone,
    open_until timestamp with time zone,
    CONSTRAINT inboxes_tries_range CHECK (((max_tries >= 1) AND (max_tries <= 100))),
    CONSTRAINT inboxes_visibility_range CHECK (((visibility_seconds >= 1) AND (visibility_seconds <= 43200)))
);
CREATE TABLE public.journal_weeks (
    monday timestamp with time zone NOT NULL,
    name text NOT NULL,
    first_id uuid NOT NULL,
    past_id uuid NOT NULL,
    dropped_at timestamp with time zone,
    bytes bigint
);
CREATE TABLE public.llm_calls (
    id uuid NOT NULL,
    task_id uuid NOT NULL,
    seq integer NOT NULL,
    epoch bigint NOT NULL,
    model text NOT NULL,
    request_sha256 bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state public.call_state DEFAULT 'intent'::public.call_state NOT NULL,
    request_id text,
    error text,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cache_read_tokens bigint DEFAULT 0 NOT NULL,
    cache_write_tokens bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    finished_at timestamp with time zone,
    reserved_nano_usd bigint DEFAULT 0 NOT NULL,
    budgets uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    cache_write_1h_tokens bigint DEFAULT 0 NOT NULL,
    route public.route_reason,
    routing_version integer,
    CONSTRAINT llm_calls_finished CHECK (((state = 'intent'::public.call_state) = (finished_at IS NULL)))
)
PARTITION BY RANGE (task_id);
CREATE TABLE public.llm_calls_2025w45 (
    id uuid CONSTRAINT llm_calls_id_not_null NOT NULL,
    task_id uuid CONSTRAINT llm_calls_task_id_not_null NOT NULL,
    seq integer CONSTRAINT llm_calls_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT llm_calls_epoch_not_null NOT NULL,
    model text CONSTRAINT llm_calls_model_not_null NOT NULL,
    request_sha256 bytea CONSTRAINT llm_calls_request_sha256_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT llm_calls_created_at_not_null NOT NULL,
    state public.call_state DEFAULT 'intent'::public.call_state CONSTRAINT llm_calls_state_not_null NOT NULL,
    request_id text,
    error text,
    input_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_input_tokens_not_null NOT NULL,
    output_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_output_tokens_not_null NOT NULL,
    cache_read_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_read_tokens_not_null NOT NULL,
    cache_write_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_tokens_not_null NOT NULL,
    cost_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_cost_nano_usd_not_null NOT NULL,
    finished_at timestamp with time zone,
    reserved_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_reserved_nano_usd_not_null NOT NULL,
    budgets uuid[] DEFAULT '{}'::uuid[] CONSTRAINT llm_calls_budgets_not_null NOT NULL,
    cache_write_1h_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_1h_tokens_not_null NOT NULL,
    route public.route_reason,
    routing_version integer,
    CONSTRAINT llm_calls_finished CHECK (((state = 'intent'::public.call_state) = (finished_at IS NULL)))
);
CREATE TABLE public.llm_calls_2025w48 (
    id uuid CONSTRAINT llm_calls_id_not_null NOT NULL,
    task_id uuid CONSTRAINT llm_calls_task_id_not_null NOT NULL,
    seq integer CONSTRAINT llm_calls_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT llm_calls_epoch_not_null NOT NULL,
    model text CONSTRAINT llm_calls_model_not_null NOT NULL,
    request_sha256 bytea CONSTRAINT llm_calls_request_sha256_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT llm_calls_created_at_not_null NOT NULL,
    state public.call_state DEFAULT 'intent'::public.call_state CONSTRAINT llm_calls_state_not_null NOT NULL,
    request_id text,
    error text,
    input_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_input_tokens_not_null NOT NULL,
    output_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_output_tokens_not_null NOT NULL,
    cache_read_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_read_tokens_not_null NOT NULL,
    cache_write_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_tokens_not_null NOT NULL,
    cost_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_cost_nano_usd_not_null NOT NULL,
    finished_at timestamp with time zone,
    reserved_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_reserved_nano_usd_not_null NOT NULL,
    budgets uuid[] DEFAULT '{}'::uuid[] CONSTRAINT llm_calls_budgets_not_null NOT NULL,
    cache_write_1h_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_1h_tokens_not_null NOT NULL,
    route public.route_reason,
    routing_version integer,
    CONSTRAINT llm_calls_finished CHECK (((state = 'intent'::public.call_state) = (finished_at IS NULL)))
);
CREATE TABLE public.llm_calls_2025w51 (
    id uuid CONSTRAINT llm_calls_id_not_null NOT NULL,
    task_id uuid CONSTRAINT llm_calls_task_id_not_null NOT NULL,
    seq integer CONSTRAINT llm_calls_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT llm_calls_epoch_not_null NOT NULL,
    model text CONSTRAINT llm_calls_model_not_null NOT NULL,
    request_sha256 bytea CONSTRAINT llm_calls_request_sha256_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT llm_calls_created_at_not_null NOT NULL,
    state public.call_state DEFAULT 'intent'::public.call_state CONSTRAINT llm_calls_state_not_null NOT NULL,
    request_id text,
    error text,
    input_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_input_tokens_not_null NOT NULL,
    output_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_output_tokens_not_null NOT NULL,
    cache_read_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_read_tokens_not_null NOT NULL,
    cache_write_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_tokens_not_null NOT NULL,
    cost_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_cost_nano_usd_not_null NOT NULL,
    finished_at timestamp with time zone,
    reserved_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_reserved_nano_usd_not_null NOT NULL,
    budgets uuid[] DEFAULT '{}'::uuid[] CONSTRAINT llm_calls_budgets_not_null NOT NULL,
    cache_write_1h_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_1h_tokens_not_null NOT NULL,
    route public.route_reason,
    routing_version integer,
    CONSTRAINT llm_calls_finished CHECK (((state = 'intent'::public.call_state) = (finished_at IS NULL)))
);
CREATE TABLE public.llm_calls_2026w02 (
    id uuid CONSTRAINT llm_calls_id_not_null NOT NULL,
    task_id uuid CONSTRAINT llm_calls_task_id_not_null NOT NULL,
    seq integer CONSTRAINT llm_calls_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT llm_calls_epoch_not_null NOT NULL,
    model text CONSTRAINT llm_calls_model_not_null NOT NULL,
    request_sha256 bytea CONSTRAINT llm_calls_request_sha256_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT llm_calls_created_at_not_null NOT NULL,
    state public.call_state DEFAULT 'intent'::public.call_state CONSTRAINT llm_calls_state_not_null NOT NULL,
    request_id text,
    error text,
    input_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_input_tokens_not_null NOT NULL,
    output_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_output_tokens_not_null NOT NULL,
    cache_read_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_read_tokens_not_null NOT NULL,
    cache_write_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_tokens_not_null NOT NULL,
    cost_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_cost_nano_usd_not_null NOT NULL,
    finished_at timestamp with time zone,
    reserved_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_reserved_nano_usd_not_null NOT NULL,
    budgets uuid[] DEFAULT '{}'::uuid[] CONSTRAINT llm_calls_budgets_not_null NOT NULL,
    cache_write_1h_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_1h_tokens_not_null NOT NULL,
    route public.route_reason,
    routing_version integer,
    CONSTRAINT llm_calls_finished CHECK (((state = 'intent'::public.call_state) = (finished_at IS NULL)))
);
CREATE TABLE public.llm_calls_default (
    id uuid CONSTRAINT llm_calls_id_not_null NOT NULL,
    task_id uuid CONSTRAINT llm_calls_task_id_not_null NOT NULL,
    seq integer CONSTRAINT llm_calls_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT llm_calls_epoch_not_null NOT NULL,
    model text CONSTRAINT llm_calls_model_not_null NOT NULL,
    request_sha256 bytea CONSTRAINT llm_calls_request_sha256_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT llm_calls_created_at_not_null NOT NULL,
    state public.call_state DEFAULT 'intent'::public.call_state CONSTRAINT llm_calls_state_not_null NOT NULL,
    request_id text,
    error text,
    input_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_input_tokens_not_null NOT NULL,
    output_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_output_tokens_not_null NOT NULL,
    cache_read_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_read_tokens_not_null NOT NULL,
    cache_write_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_tokens_not_null NOT NULL,
    cost_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_cost_nano_usd_not_null NOT NULL,
    finished_at timestamp with time zone,
    reserved_nano_usd bigint DEFAULT 0 CONSTRAINT llm_calls_reserved_nano_usd_not_null NOT NULL,
    budgets uuid[] DEFAULT '{}'::uuid[] CONSTRAINT llm_calls_budgets_not_null NOT NULL,
    cache_write_1h_tokens bigint DEFAULT 0 CONSTRAINT llm_calls_cache_write_1h_tokens_not_null NOT NULL,
    route public.route_reason,
    routing_version integer,
    CONSTRAINT llm_calls_finished CHECK (((state = 'intent'::public.call_state) = (finished_at IS NULL)))
);
CREATE TABLE public.memory_versions (
    id uuid NOT NULL,
    scope public.memory_scope NOT NULL,
    project_id uuid,
    session_id uuid,
    agent_id uuid,
    number integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state public.memory_version_state DEFAULT 'building'::public.memory_version_state NOT NULL,
    state_at timestamp with time zone DEFAULT now() NOT NULL,
    changed_tx xid8 DEFAULT pg_current_xact_id() NOT NULL,
    CONSTRAINT memory_versions_owner CHECK (
CASE scope
    WHEN 'org'::public.memory_scope THEN ((project_id IS NULL) AND (session_id IS NULL) AND (agent_id IS NULL))
    WHEN 'project'::public.memory_scope THEN ((project_id IS NOT NULL) AND (session_id IS NULL) AND (agent_id IS NULL))
    WHEN 'session'::public.memory_scope THEN ((project_id IS NOT NULL) AND (session_id IS NOT NULL) AND (agent_id IS NULL))
    WHEN 'agent'::public.memory_scope THEN ((project_id IS NOT NULL) AND (session_id IS NULL) AND (agent_id IS NOT NULL))
    ELSE NULL::boolean
END),
    CONSTRAINT memory_versions_positive CHECK ((number >= 1))
);
CREATE TABLE public.message_deliveries (
    agent_id uuid NOT NULL,
    place bigint NOT NULL,
    message_id uuid NOT NULL,
    wants_task uuid,
    state public.delivery_state DEFAULT 'pending'::public.delivery_state NOT NULL,
    task_id uuid,
    tries integer DEFAULT 0 NOT NULL,
    visible_at timestamp with time zone DEFAULT now() NOT NULL,
    last_error text,
    step integer,
    acknowledged_by text,
    acknowledged_at timestamp with time zone,
    died_at timestamp with time zone,
    CONSTRAINT message_deliveries_acknowledged CHECK ((((state = 'acknowledged'::public.delivery_state) = (acknowledged_at IS NOT NULL)) AND ((state = 'acknowledged'::public.delivery_state) = (acknowledged_by IS NOT NULL)))),
    CONSTRAINT message_deliveries_bound CHECK (((state <> 'bound'::public.delivery_state) OR (task_id IS NOT NULL))),
    CONSTRAINT message_deliveries_died CHECK (((state = 'dead'::public.delivery_state) = (died_at IS NOT NULL))),
    CONSTRAINT message_deliveries_free CHECK (((state <> ALL (ARRAY['pending'::public.delivery_state, 'taken'::public.delivery_state])) OR (task_id IS NULL))),
    CONSTRAINT message_deliveries_read CHECK (((step IS NULL) OR ((state = 'acknowledged'::public.delivery_state) AND (task_id IS NOT NULL))))
);
CREATE TABLE public.message_vectors (
    message_id uuid NOT NULL,
    model text NOT NULL,
    chunk smallint NOT NULL,
    vector public.vector NOT NULL,
    CONSTRAINT message_vectors_chunk CHECK ((chunk >= 0))
);
CREATE TABLE public.message_vectors_due (
    model text NOT NULL,
    message_id uuid NOT NULL,
    taken_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    refusals integer DEFAULT 0 NOT NULL,
    reason text
);
CREATE TABLE public.model_classes (
    name text NOT NULL,
    model text NOT NULL,
    reported_by text NOT NULL,
    reported_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT model_classes_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)))
);
CREATE TABLE public.model_refresh (
    only_row boolean DEFAULT true NOT NULL,
    requested_at timestamp with time zone,
    holder text,
    free_at timestamp with time zone,
    refreshed_at timestamp with time zone,
    refreshed_by text,
    error text,
    CONSTRAINT model_refresh_held CHECK (((holder IS NULL) OR (free_at IS NOT NULL))),
    CONSTRAINT model_refresh_only_row CHECK (only_row)
);
CREATE TABLE public.models (
    id text NOT NULL,
    first_listed_at timestamp with time zone DEFAULT now() NOT NULL,
    display_name text,
    line text,
    lifecycle public.model_lifecycle,
    deprecated_at timestamp with time zone,
    retires_at timestamp with time zone,
    max_input_tokens bigint,
    max_output_tokens bigint,
    capabilities jsonb,
    refreshed_at timestamp with time zone NOT NULL,
    vanished_at timestamp with time zone,
    CONSTRAINT models_id_length CHECK (((char_length(id) >= 1) AND (char_length(id) <= 200))),
    CONSTRAINT models_input_positive CHECK ((max_input_tokens > 0)),
    CONSTRAINT models_output_positive CHECK ((max_output_tokens > 0))
);
CREATE VIEW public.open_pauses AS
 SELECT COALESCE(bool_or((scope = 'fleet'::text)), false) AS fleet,
    COALESCE(array_agg(name) FILTER (WHERE (scope = 'lane'::text)), '{}'::text[]) AS lanes,
    (COALESCE(array_agg((name)::uuid) FILTER (WHERE (scope = 'agent'::text)), '{}'::uuid[]) || ARRAY( SELECT sleeps.agent_id
           FROM public.sleeps
          WHERE (sleeps.state <> 'awake'::public.sleep_state))) AS agents,
    COALESCE(array_agg((name)::uuid) FILTER (WHERE (scope = 'session'::text)), '{}'::uuid[]) AS sessions
   FROM public.pauses
  WHERE ((until IS NULL) OR (until > now()));
CREATE TABLE public.projects (
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    name text NOT NULL,
    CONSTRAINT projects_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255)))
);
CREATE TABLE public.provider_events (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    key_id text NOT NULL,
    model text DEFAULT ''::text NOT NULL,
    kind text NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    CONSTRAINT provider_events_kind CHECK ((kind = ANY (ARRAY['breaker_opened'::text, 'breaker_closed'::text, 'key_stopped'::text, 'key_resumed'::text, 'hold_lifted'::text])))
);
ALTER TABLE public.provider_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.provider_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.provider_keys (
    key_id text NOT NULL,
    stopped_at timestamp with time zone,
    reason text,
    detail text,
    probe_at timestamp with time zone,
    resumed_at timestamp with time zone,
    resumed_by text,
    CONSTRAINT provider_keys_stop_whole CHECK ((((stopped_at IS NULL) = (reason IS NULL)) AND ((stopped_at IS NULL) = (probe_at IS NULL))))
);
CREATE TABLE public.provider_models (
    key_id text NOT NULL,
    model text NOT NULL,
    hold_until timestamp with time zone,
    opened_at timestamp with time zone,
    detail text,
    failed_probes integer DEFAULT 0 NOT NULL,
    probe_at timestamp with time zone,
    probe uuid,
    probe_until timestamp with time zone,
    requests bigint,
    input_tokens bigint,
    output_tokens bigint,
    unnamed_limits integer DEFAULT 0 NOT NULL,
    CONSTRAINT provider_models_breaker_whole CHECK (((opened_at IS NULL) = (probe_at IS NULL))),
    CONSTRAINT provider_models_probe_whole CHECK (((probe IS NULL) = (probe_until IS NULL)))
);
CREATE TABLE public.routing_rules (
    version integer NOT NULL,
    rules jsonb NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT routing_rules_list CHECK ((jsonb_typeof(rules) = 'array'::text)),
    CONSTRAINT routing_rules_positive CHECK ((version >= 1))
);
CREATE TABLE public.schedules (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    system boolean DEFAULT false NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    name text NOT NULL,
    cron text NOT NULL,
    time_zone text NOT NULL,
    overlap public.overlap_policy NOT NULL,
    catch_up public.catch_up_policy NOT NULL,
    catch_up_limit integer NOT NULL,
    enabled boolean NOT NULL,
    task jsonb,
    duty text,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    last_slot timestamp with time zone,
    next_slot timestamp with time zone,
    last_task_id uuid,
    last_order_id uuid,
    last_error text,
    slots_since timestamp with time zone DEFAULT now() NOT NULL,
    sleep jsonb,
    CONSTRAINT schedules_catch_up_limit CHECK (((catch_up_limit >= 1) AND (catch_up_limit <= 1000))),
    CONSTRAINT schedules_make_one_thing CHECK ((num_nonnulls(task, duty, sleep) = 1)),
    CONSTRAINT schedules_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255)))
);
CREATE TABLE public.sessions (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    name text NOT NULL,
    CONSTRAINT sessions_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255)))
);
CREATE TABLE public.sleep_changes (
    id uuid NOT NULL,
    cycle_id uuid NOT NULL,
    phase public.sleep_phase NOT NULL,
    born uuid,
    retired uuid[] NOT NULL,
    sources uuid[] NOT NULL,
    versions integer[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    kind public.sleep_change_kind NOT NULL,
    reason text NOT NULL,
    source_versions integer[],
    CONSTRAINT sleep_changes_source_versions CHECK ((cardinality(source_versions) = cardinality(sources))),
    CONSTRAINT sleep_changes_versions CHECK ((cardinality(versions) = cardinality(retired)))
);
CREATE TABLE public.sleep_cycles (
    id uuid NOT NULL,
    scope public.memory_scope NOT NULL,
    project_id uuid,
    session_id uuid,
    agent_id uuid,
    trigger public.sleep_trigger NOT NULL,
    asked_by text NOT NULL,
    budget_nano_usd bigint,
    budget_tokens bigint,
    budget_minutes integer NOT NULL,
    version_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state public.sleep_cycle_state DEFAULT 'pending'::public.sleep_cycle_state NOT NULL,
    phase public.sleep_phase DEFAULT 'extract'::public.sleep_phase NOT NULL,
    worker text,
    epoch bigint DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone,
    look_at timestamp with time zone DEFAULT now() NOT NULL,
    deaths integer DEFAULT 0 NOT NULL,
    started_at timestamp with time zone,
    extracted integer DEFAULT 0 NOT NULL,
    merged integer DEFAULT 0 NOT NULL,
    superseded integer DEFAULT 0 NOT NULL,
    promoted integer DEFAULT 0 NOT NULL,
    decayed integer DEFAULT 0 NOT NULL,
    refused integer DEFAULT 0 NOT NULL,
    kept integer DEFAULT 0 NOT NULL,
    skipped jsonb DEFAULT '[]'::jsonb NOT NULL,
    stopped_by text,
    probes integer DEFAULT 0 NOT NULL,
    quality_before real,
    quality_after real,
    failure text,
    finished_at timestamp with time zone,
    rolled_back_at timestamp with time zone,
    rolled_back_by text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    requests bigint DEFAULT 0 NOT NULL,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    pruned_at timestamp with time zone,
    CONSTRAINT sleep_cycles_asked_by_length CHECK (((char_length(asked_by) >= 1) AND (char_length(asked_by) <= 255))),
    CONSTRAINT sleep_cycles_budget_minutes CHECK (((budget_minutes >= 1) AND (budget_minutes <= 1440))),
    CONSTRAINT sleep_cycles_budget_nano_usd CHECK ((budget_nano_usd >= 0)),
    CONSTRAINT sleep_cycles_budget_tokens CHECK ((budget_tokens >= 0)),
    CONSTRAINT sleep_cycles_failure CHECK (((state = 'failed'::public.sleep_cycle_state) <= (failure IS NOT NULL))),
    CONSTRAINT sleep_cycles_finished CHECK (((state = ANY (ARRAY['pending'::public.sleep_cycle_state, 'running'::public.sleep_cycle_state])) = (finished_at IS NULL))),
    CONSTRAINT sleep_cycles_held CHECK (((worker IS NULL) = (lease_until IS NULL))),
    CONSTRAINT sleep_cycles_lease CHECK (((state = 'running'::public.sleep_cycle_state) OR (worker IS NULL))),
    CONSTRAINT sleep_cycles_owner CHECK (
CASE scope
    WHEN 'org'::public.memory_scope THEN ((project_id IS NULL) AND (session_id IS NULL) AND (agent_id IS NULL))
    WHEN 'project'::public.memory_scope THEN ((project_id IS NOT NULL) AND (session_id IS NULL) AND (agent_id IS NULL))
    WHEN 'session'::public.memory_scope THEN ((project_id IS NOT NULL) AND (session_id IS NOT NULL) AND (agent_id IS NULL))
    WHEN 'agent'::public.memory_scope THEN ((project_id IS NOT NULL) AND (session_id IS NULL) AND (agent_id IS NOT NULL))
    ELSE NULL::boolean
END),
    CONSTRAINT sleep_cycles_rolled_back CHECK (((state = 'rolled_back'::public.sleep_cycle_state) = (rolled_back_at IS NOT NULL))),
    CONSTRAINT sleep_cycles_stopped_by CHECK ((stopped_by = ANY (ARRAY['money'::text, 'tokens'::text, 'time'::text])))
);
CREATE TABLE public.sleep_events (
    sleep_id uuid NOT NULL,
    seq integer NOT NULL,
    kind public.sleep_state NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.sleep_probes (
    cycle_id uuid NOT NULL,
    number integer NOT NULL,
    question text NOT NULL,
    evidence uuid NOT NULL,
    before boolean,
    after boolean
);
CREATE TABLE public.sleep_readings (
    cycle_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    failed boolean DEFAULT false NOT NULL
);
CREATE TABLE public.sleep_requests (
    cycle_id uuid NOT NULL,
    phase public.sleep_phase NOT NULL,
    number integer NOT NULL,
    request_id uuid NOT NULL,
    given jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sleep_requests_number CHECK ((number >= 0))
);
CREATE TABLE public.sleep_settings (
    agent_id uuid NOT NULL,
    idle_seconds integer,
    pressure_entries integer,
    pressure_steps integer,
    fall_seconds integer NOT NULL,
    sleep_seconds integer NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    night_nano_usd bigint DEFAULT 1000000000 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT sleep_settings_entries CHECK (((pressure_entries >= 1) AND (pressure_entries <= 100000))),
    CONSTRAINT sleep_settings_fall CHECK (((fall_seconds >= 0) AND (fall_seconds <= 86400))),
    CONSTRAINT sleep_settings_idle CHECK (((idle_seconds >= 1) AND (idle_seconds <= 2592000))),
    CONSTRAINT sleep_settings_night CHECK ((night_nano_usd >= 0)),
    CONSTRAINT sleep_settings_sleep CHECK (((sleep_seconds >= 1) AND (sleep_seconds <= 86400))),
    CONSTRAINT sleep_settings_steps CHECK (((pressure_steps >= 1) AND (pressure_steps <= 100000))),
    CONSTRAINT sleep_settings_version CHECK ((version >= 1))
);
CREATE TABLE public.steps (
    task_id uuid NOT NULL,
    seq integer NOT NULL,
    epoch bigint NOT NULL,
    kind public.step_kind NOT NULL,
    body json NOT NULL,
    commit_hash text,
    sandbox text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT steps_seq_positive CHECK ((seq >= 1))
)
PARTITION BY RANGE (task_id);
COMMENT ON COLUMN public.steps.epoch IS 'The run that wrote it; 0 for a step that a fork shares with the task it came from.';
CREATE TABLE public.steps_2025w45 (
    task_id uuid CONSTRAINT steps_task_id_not_null NOT NULL,
    seq integer CONSTRAINT steps_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT steps_epoch_not_null NOT NULL,
    kind public.step_kind CONSTRAINT steps_kind_not_null NOT NULL,
    body json CONSTRAINT steps_body_not_null NOT NULL,
    commit_hash text,
    sandbox text,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT steps_created_at_not_null NOT NULL,
    CONSTRAINT steps_seq_positive CHECK ((seq >= 1))
);
COMMENT ON COLUMN public.steps_2025w45.epoch IS 'The run that wrote it; 0 for a step that a fork shares with the task it came from.';
CREATE TABLE public.steps_2025w48 (
    task_id uuid CONSTRAINT steps_task_id_not_null NOT NULL,
    seq integer CONSTRAINT steps_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT steps_epoch_not_null NOT NULL,
    kind public.step_kind CONSTRAINT steps_kind_not_null NOT NULL,
    body json CONSTRAINT steps_body_not_null NOT NULL,
    commit_hash text,
    sandbox text,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT steps_created_at_not_null NOT NULL,
    CONSTRAINT steps_seq_positive CHECK ((seq >= 1))
);
COMMENT ON COLUMN public.steps_2025w48.epoch IS 'The run that wrote it; 0 for a step that a fork shares with the task it came from.';
CREATE TABLE public.steps_2025w51 (
    task_id uuid CONSTRAINT steps_task_id_not_null NOT NULL,
    seq integer CONSTRAINT steps_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT steps_epoch_not_null NOT NULL,
    kind public.step_kind CONSTRAINT steps_kind_not_null NOT NULL,
    body json CONSTRAINT steps_body_not_null NOT NULL,
    commit_hash text,
    sandbox text,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT steps_created_at_not_null NOT NULL,
    CONSTRAINT steps_seq_positive CHECK ((seq >= 1))
);
COMMENT ON COLUMN public.steps_2025w51.epoch IS 'The run that wrote it; 0 for a step that a fork shares with the task it came from.';
CREATE TABLE public.steps_2026w02 (
    task_id uuid CONSTRAINT steps_task_id_not_null NOT NULL,
    seq integer CONSTRAINT steps_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT steps_epoch_not_null NOT NULL,
    kind public.step_kind CONSTRAINT steps_kind_not_null NOT NULL,
    body json CONSTRAINT steps_body_not_null NOT NULL,
    commit_hash text,
    sandbox text,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT steps_created_at_not_null NOT NULL,
    CONSTRAINT steps_seq_positive CHECK ((seq >= 1))
);
COMMENT ON COLUMN public.steps_2026w02.epoch IS 'The run that wrote it; 0 for a step that a fork shares with the task it came from.';
CREATE TABLE public.steps_default (
    task_id uuid CONSTRAINT steps_task_id_not_null NOT NULL,
    seq integer CONSTRAINT steps_seq_not_null NOT NULL,
    epoch bigint CONSTRAINT steps_epoch_not_null NOT NULL,
    kind public.step_kind CONSTRAINT steps_kind_not_null NOT NULL,
    body json CONSTRAINT steps_body_not_null NOT NULL,
    commit_hash text,
    sandbox text,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT steps_created_at_not_null NOT NULL,
    CONSTRAINT steps_seq_positive CHECK ((seq >= 1))
);
CREATE TABLE public.system_checkpoints (
    id uuid NOT NULL,
    requested_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    status public.checkpoint_status DEFAULT 'waiting'::public.checkpoint_status NOT NULL,
    worker text,
    lease_until timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    error text,
    directory text,
    manifest_sha256 text,
    bytes bigint,
    state jsonb,
    removed_at timestamp with time zone,
    CONSTRAINT system_checkpoints_digest CHECK ((manifest_sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT system_checkpoints_ended CHECK (((status = ANY (ARRAY['done'::public.checkpoint_status, 'failed'::public.checkpoint_status])) = (finished_at IS NOT NULL))),
    CONSTRAINT system_checkpoints_failed CHECK (((status = 'failed'::public.checkpoint_status) = (error IS NOT NULL))),
    CONSTRAINT system_checkpoints_removed CHECK (((removed_at IS NULL) OR (status = 'done'::public.checkpoint_status))),
    CONSTRAINT system_checkpoints_taken CHECK ((((status = 'running'::public.checkpoint_status) = (lease_until IS NOT NULL)) AND ((status = 'waiting'::public.checkpoint_status) <= (worker IS NULL)))),
    CONSTRAINT system_checkpoints_whole CHECK ((num_nulls(directory, manifest_sha256, bytes, state) =
CASE
    WHEN (status = 'done'::public.checkpoint_status) THEN 0
    ELSE 4
END))
);
CREATE TABLE public.system_event_numbers (
    the_one boolean DEFAULT true NOT NULL,
    last bigint DEFAULT 0 NOT NULL,
    told bigint DEFAULT 0 NOT NULL,
    CONSTRAINT system_event_numbers_one CHECK (the_one)
)
WITH (fillfactor='10', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='200');
CREATE TABLE public.system_events (
    id bigint NOT NULL,
    seq bigint,
    channel text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT system_events_channel CHECK ((channel = ANY (ARRAY['system_events'::text, 'health_checks'::text]))),
    CONSTRAINT system_events_kind CHECK ((kind ~ '^[a-z_]{1,60}[.][a-z_]{1,60}$'::text))
);
ALTER TABLE public.system_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.system_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.task_action_items (
    action_id uuid NOT NULL,
    task_id uuid NOT NULL
);
CREATE TABLE public.task_actions (
    id uuid NOT NULL,
    kind public.task_action_kind NOT NULL,
    filter jsonb NOT NULL,
    priority smallint,
    matched bigint NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    status public.task_action_status NOT NULL,
    done bigint DEFAULT 0 NOT NULL,
    skipped bigint DEFAULT 0 NOT NULL,
    cascaded bigint DEFAULT 0 NOT NULL,
    finished_at timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    retry_at timestamp with time zone DEFAULT now() NOT NULL,
    error text,
    CONSTRAINT task_actions_counts CHECK (((done + skipped) <= matched)),
    CONSTRAINT task_actions_failed CHECK (((status <> 'failed'::public.task_action_status) OR ((failures > 0) AND (error IS NOT NULL)))),
    CONSTRAINT task_actions_finished CHECK (((status = 'working'::public.task_action_status) = (finished_at IS NULL))),
    CONSTRAINT task_actions_priority_of_kind CHECK (((kind = 'reprioritise'::public.task_action_kind) = (priority IS NOT NULL))),
    CONSTRAINT task_actions_priority_range CHECK (((priority >= 1) AND (priority <= 9)))
);
CREATE TABLE public.task_artifacts (
    task_id uuid NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    media_type text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.task_dependencies (
    task_id uuid NOT NULL,
    depends_on uuid NOT NULL,
    resolved boolean DEFAULT false NOT NULL,
    CONSTRAINT task_dependencies_not_itself CHECK ((task_id <> depends_on))
);
CREATE TABLE public.task_limits (
    kind text NOT NULL,
    name text NOT NULL,
    max_running integer,
    max_starts integer,
    per_seconds integer,
    starts timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT task_limits_kind CHECK ((kind = ANY (ARRAY['key'::text, 'agent'::text]))),
    CONSTRAINT task_limits_rate_whole CHECK (((max_starts IS NULL) = (per_seconds IS NULL))),
    CONSTRAINT task_limits_running CHECK (((max_running >= 1) AND (max_running <= 100000))),
    CONSTRAINT task_limits_running_of_keys CHECK (((max_running IS NULL) OR (kind = 'key'::text))),
    CONSTRAINT task_limits_seconds CHECK (((per_seconds >= 1) AND (per_seconds <= 86400))),
    CONSTRAINT task_limits_starts CHECK (((max_starts >= 1) AND (max_starts <= 1000)))
);
CREATE TABLE public.task_messages (
    task_id uuid NOT NULL,
    number integer NOT NULL,
    text text NOT NULL,
    policy public.message_policy NOT NULL,
    author text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    step integer,
    read_at timestamp with time zone,
    CONSTRAINT task_messages_number_positive CHECK ((number >= 1)),
    CONSTRAINT task_messages_read_whole CHECK (((step IS NULL) = (read_at IS NULL)))
);
CREATE TABLE public.tasks (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    title text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    duty text,
    repository_url text,
    base_ref text,
    base_commit text,
    acceptance jsonb DEFAULT '[]'::jsonb NOT NULL,
    context jsonb DEFAULT '{}'::jsonb NOT NULL,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    limits jsonb DEFAULT '{}'::jsonb NOT NULL,
    model text,
    on_dependency_failure public.dependency_policy DEFAULT 'fail'::public.dependency_policy NOT NULL,
    max_attempts integer DEFAULT 3 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    assigned_agent_id uuid,
    agent_version integer,
    priority smallint DEFAULT 5 NOT NULL,
    status public.task_status NOT NULL,
    status_reason public.status_reason,
    status_detail text,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    verify_only boolean DEFAULT false NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    worker text,
    lease_until timestamp with time zone,
    announced_at timestamp with time zone,
    next_seq integer DEFAULT 1 NOT NULL,
    event_seq bigint DEFAULT 0 NOT NULL,
    result jsonb,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cache_read_tokens bigint DEFAULT 0 NOT NULL,
    cache_write_tokens bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone,
    claimed_at timestamp with time zone,
    run_seconds double precision DEFAULT 0 NOT NULL,
    completed_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    session_id uuid,
    parent_id uuid,
    deadline timestamp with time zone,
    concurrency_key text,
    redriven_from uuid,
    forked_from uuid,
    forked_at integer,
    deaths integer DEFAULT 0 NOT NULL,
    isolated boolean DEFAULT false NOT NULL,
    journal_format smallint,
    error_class text,
    depth smallint DEFAULT 0 NOT NULL,
    messages_sent integer DEFAULT 0 NOT NULL,
    messages_read integer DEFAULT 0 NOT NULL,
    budget_id uuid,
    budget_need bigint,
    routing_version integer,
    mail integer DEFAULT 0 NOT NULL,
    message_id uuid,
    CONSTRAINT tasks_agent_or_duty CHECK (((duty IS NULL) = (assigned_agent_id IS NOT NULL))),
    CONSTRAINT tasks_completed_only_at_end CHECK (((status = ANY (ARRAY['succeeded'::public.task_status, 'failed'::public.task_status, 'cancelled'::public.task_status, 'dead'::public.task_status])) = (completed_at IS NOT NULL))),
    CONSTRAINT tasks_concurrency_key_length CHECK (((char_length(concurrency_key) >= 1) AND (char_length(concurrency_key) <= 255))),
    CONSTRAINT tasks_depth_range CHECK (((depth >= 0) AND (depth <= 5))),
    CONSTRAINT tasks_duty_known CHECK ((duty = 'noop'::text)),
    CONSTRAINT tasks_fork_whole CHECK (((forked_from IS NULL) = (forked_at IS NULL))),
    CONSTRAINT tasks_forked_at_positive CHECK ((forked_at >= 1)),
    CONSTRAINT tasks_lease_only_while_running CHECK ((((status = 'running'::public.task_status) = (lease_until IS NOT NULL)) AND ((status = 'running'::public.task_status) = (worker IS NOT NULL)))),
    CONSTRAINT tasks_mail_positive CHECK ((mail >= 0)),
    CONSTRAINT tasks_max_attempts_range CHECK (((max_attempts >= 1) AND (max_attempts <= 100))),
    CONSTRAINT tasks_messages_order CHECK (((messages_read >= 0) AND (messages_read <= messages_sent))),
    CONSTRAINT tasks_not_its_parent CHECK ((parent_id <> id)),
    CONSTRAINT tasks_priority_range CHECK (((priority >= 1) AND (priority <= 9))),
    CONSTRAINT tasks_reason_where_needed CHECK (((status_reason IS NOT NULL) OR (status <> ALL (ARRAY['pending'::public.task_status, 'waiting'::public.task_status, 'failed'::public.task_status, 'cancelled'::public.task_status, 'dead'::public.task_status])))),
    CONSTRAINT tasks_repository_whole CHECK ((num_nulls(repository_url, base_ref, base_commit) = ANY (ARRAY[0, 3]))),
    CONSTRAINT tasks_title_length CHECK (((char_length(title) >= 1) AND (char_length(title) <= 255)))
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE public.threads (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_number bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.usage_days (
    day date NOT NULL,
    project_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    session_id uuid NOT NULL,
    model text NOT NULL,
    shard smallint NOT NULL,
    calls bigint NOT NULL,
    failed bigint NOT NULL,
    unknown bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    cache_write_1h_tokens bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    unknown_nano_usd bigint NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE public.workers (
    name text NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    slots integer NOT NULL,
    isolated boolean NOT NULL,
    draining boolean DEFAULT false NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    lost_at timestamp with time zone
);
ALTER TABLE ONLY public.events ATTACH PARTITION public.events_2025w45 FOR VALUES FROM ('019a4703-7400-0000-0000-000000000000') TO ('019a6b0f-f800-0000-0000-000000000000');
ALTER TABLE ONLY public.events ATTACH PARTITION public.events_2025w48 FOR VALUES FROM ('019ab329-0000-0000-0000-000000000000') TO ('019ad735-8400-0000-0000-000000000000');
ALTER TABLE ONLY public.events ATTACH PARTITION public.events_2025w51 FOR VALUES FROM ('019b1f4e-8c00-0000-0000-000000000000') TO ('019b435b-1000-0000-0000-000000000000');
ALTER TABLE ONLY public.events ATTACH PARTITION public.events_2026w02 FOR VALUES FROM ('019b8b74-1800-0000-0000-000000000000') TO ('019baf80-9c00-0000-0000-000000000000');
ALTER TABLE ONLY public.events ATTACH PARTITION public.events_default DEFAULT;
ALTER TABLE ONLY public.llm_calls ATTACH PARTITION public.llm_calls_2025w45 FOR VALUES FROM ('019a4703-7400-0000-0000-000000000000') TO ('019a6b0f-f800-0000-0000-000000000000');
ALTER TABLE ONLY public.llm_calls ATTACH PARTITION public.llm_calls_2025w48 FOR VALUES FROM ('019ab329-0000-0000-0000-000000000000') TO ('019ad735-8400-0000-0000-000000000000');
ALTER TABLE ONLY public.llm_calls ATTACH PARTITION public.llm_calls_2025w51 FOR VALUES FROM ('019b1f4e-8c00-0000-0000-000000000000') TO ('019b435b-1000-0000-0000-000000000000');
ALTER TABLE ONLY public.llm_calls ATTACH PARTITION public.llm_calls_2026w02 FOR VALUES FROM ('019b8b74-1800-0000-0000-000000000000') TO ('019baf80-9c00-0000-0000-000000000000');
ALTER TABLE ONLY public.llm_calls ATTACH PARTITION public.llm_calls_default DEFAULT;
ALTER TABLE ONLY public.steps ATTACH PARTITION public.steps_2025w45 FOR VALUES FROM ('019a4703-7400-0000-0000-000000000000') TO ('019a6b0f-f800-0000-0000-000000000000');
ALTER TABLE ONLY public.steps ATTACH PARTITION public.steps_2025w48 FOR VALUES FROM ('019ab329-0000-0000-0000-000000000000') TO ('019ad735-8400-0000-0000-000000000000');
ALTER TABLE ONLY public.steps ATTACH PARTITION public.steps_2025w51 FOR VALUES FROM ('019b1f4e-8c00-0000-0000-000000000000') TO ('019b435b-1000-0000-0000-000000000000');
ALTER TABLE ONLY public.steps ATTACH PARTITION public.steps_2026w02 FOR VALUES FROM ('019b8b74-1800-0000-0000-000000000000') TO ('019baf80-9c00-0000-0000-000000000000');
ALTER TABLE ONLY public.steps ATTACH PARTITION public.steps_default DEFAULT;
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (1, 'projects agents', '2026-01-05 12:00:00+00', true, '\xd05eb8626664905f89f43b64ee5eac30ca9e677ede88511538b4974b69e2e2dde6563110b14b494eef6f151079c896cc', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (10, 'submission', '2026-01-05 12:00:00+00', true, '\x64851695cde3b93200063104332d2eb27f88e60ce3de6e86f5fa3e166eb9ead50079a8bec701625f89f5f687a7813244', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (12, 'journal kinds', '2026-01-05 12:00:00+00', true, '\x003c539e193c1872685d1f5dccf994a2767483f9d5ca669ae408ccc90d7955318d12e894636da2e993c29fcffeef0c1a', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (13, 'messages', '2026-01-05 12:00:00+00', true, '\x531adadf3fe2bbd054c9385aebe9c8288a92b6feae3e4cee78cb245ae81c6d17ba6d22bacb079b7abf39cf78b2e6b963', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (14, 'schedules', '2026-01-05 12:00:00+00', true, '\xbed8754e5d88923cbf43771b30b0f981382551d61e716326dd3c48f5104aa54f0da5cd93e6d4ae8c768e8b620bbca2c9', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (15, 'journal weeks', '2026-01-05 12:00:00+00', true, '\xf517971c81157f26c4506f5c51ce2bc2aec310e21bc74d1e05b820987fe214447621843e378b2333e916939e68a85d0d', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (17, 'missed slots', '2026-01-05 12:00:00+00', true, '\x1b76c9e52c6abc49bf77ef2f624d105b40925485e0569d03cb9871dd61b2efc77141adf793d324dec08c691f16d91aae', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (18, 'whole slots', '2026-01-05 12:00:00+00', true, '\xdf0107b1f80eeb5df128cbcabebfe91e935d90a32b109298b0e24cd89bac08d3676219a86c06c009393e20b13408251b', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (2, 'tasks', '2026-01-05 12:00:00+00', true, '\x9176126dfc753e72fd5809466de0c526d33949b9e639c88ac9b279c52f3b72bbc148b36fc23aba8d0388102a10de52ec', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (20, 'rollback', '2026-01-05 12:00:00+00', true, '\x87d6486ef3754536f93a055715085039d9f882c81b124453a18ea933c5116914412f51ec10292ec2f0e097d8eaf7ebdc', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (21, 'action failures', '2026-01-05 12:00:00+00', true, '\xa4f84da0798ff2e7a37d8e737d0a20c5191674adc8fd5c8fbe5e41a3481105a76dd37e5e1be0ce143600149b1bfddd68', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (3, 'journal', '2026-01-05 12:00:00+00', true, '\xeef07a7acd86aa7897189d6924ff8ce8062124e852060c4db359212290c323cfe9f10632bfe4bb33d380839abd50436d', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (30, 'budget reason', '2026-01-05 12:00:00+00', true, '\xa3431a2c78a50b602eb152b6e92ff0f29fed89b395ca6788a12b41c45d5323d64fb1d43be953b0cd31a5bdcf57003c14', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (31, 'budgets', '2026-01-05 12:00:00+00', true, '\xf11d242e29788804727de5d3ac1465c3d8ea0849ffd51e5e1e60341b4147f9ba03578a86aa9f9025d85b81f5697da3b8', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (32, 'usage', '2026-01-05 12:00:00+00', true, '\xfb8679fde1069c156da1735d9138571fb61133bbdf0fc9df3c0dc4804bfc57dab4a7e5e612f3e5ada89041423c8f3160', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (33, 'provider', '2026-01-05 12:00:00+00', true, '\xa2dd4a0684a9459cf8404116146a3c3da110d73565371e0b1724aa123d7415feb62270cf3a91fdae57a36de97552117e', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (34, 'fallback', '2026-01-05 12:00:00+00', true, '\x38efab4938f48dba113efffd4f2b891fadd20e370f0057bafe739bc41081049bb99e38ad325a58b133173b7218cd4035', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (36, 'models', '2026-01-05 12:00:00+00', true, '\x57bf69636c017f025c4af0bf0e5cfa53c3fec656627a3867f4f91a6c2dac4bb1b1d69981cb01914aba0cee7507089d7e', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (37, 'routing', '2026-01-05 12:00:00+00', true, '\x139045f35a4b2c63bf74539490fcd67c5ff17992a4cd6d805f061f1204f4f7c0eeb26f8f1de46325f2d08011c50676ab', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (39, 'segments', '2026-01-05 12:00:00+00', true, '\xfce6ef43a112f2f9244297a5cb4e07fd5c1bcff3b97556cf99043749787f284cf8f29ceaa996db2ee4cda99433a456af', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (4, 'events', '2026-01-05 12:00:00+00', true, '\x93f12a873093f536c8d4c18d66c1073fa81b74f6e5fb5e21728e8cf6f79ed73cfc621a056c506cb642e64c1ece20ff3f', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (41, 'batches', '2026-01-05 12:00:00+00', true, '\x64d1aacc1160ff4fe20f7af91fc0682b2181d249a4bee6f9fb592f30c60ba5aafd4ea601f5ca91b04b0a225a7cf8f71f', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (43, 'budget lines', '2026-01-05 12:00:00+00', true, '\xde747211129388aeab616feb2fdc7520885b13694e92a8ec5c94c1f2288e9fb69be6da51d1a265590f22447abc9f5900', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (44, 'lifted holds', '2026-01-05 12:00:00+00', true, '\x916429cbb67e19e577f17c2d28c40de30ef757da28d9e8468195ffa1e058b092223e9c6489e34f43690792092c8e61fd', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (45, 'batch retention', '2026-01-05 12:00:00+00', true, '\xbfb26b833be4174928500b930c3b3c7e45455d5034e22d251f85dcf20130557c838c4a3725b951c0a0503d8a48fd92e4', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (46, 'days ahead', '2026-01-05 12:00:00+00', true, '\x5ecc61c818e7eaf5ad1dc99a77a0044c9afc0ef5f97632015606576e63e018323e5b81088dbb16a4ee568e0ca7b34254', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (5, 'operation reasons', '2026-01-05 12:00:00+00', true, '\x3c57d924fe6f0298fef2e1b0e5b9511bd6c58957f6bff7af65180d401dc790094b5f8b5433f018708a8dc7560d4d7aff', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (50, 'conversation values', '2026-01-05 12:00:00+00', true, '\x356cce888f4232eacf62aa0ccd0e1683d5f37b73b72e57c9ff2929db67e437cf450c99342b1e0946c4a5754b0463c42f', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (51, 'conversations', '2026-01-05 12:00:00+00', true, '\x2dbf23883921d5e8003270369d06f878075f96a95492830f80b31a8e03abc363e57e55b4dd184f0d9ad2bf31e5ec89fd', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (52, 'message vectors', '2026-01-05 12:00:00+00', true, '\x94bdf78a31c3c42d601c3367d7c213281a2837783c273d3ad451690e58ca5c4f0544cbc8eaccbbce704a50658c7d7c0e', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (55, 'contexts', '2026-01-05 12:00:00+00', true, '\x53c7cb05ae76bc5d4fbeb61b3ff7e7166ca0cd19fa2128815842375919c412f0d7c6bc17fd4890cfbcf110576f1c0cb9', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (56, 'vectors', '2026-01-05 12:00:00+00', true, '\x10c63bd05ecd0996b3324070f765c09c9f9f0c5c95340914699dde5b70b56d91b23d9d7f81383fd9aa57e04dcf6eb942', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (57, 'recalled', '2026-01-05 12:00:00+00', true, '\x2db9505d36ffbe5c290f1f8b08051912dd0544cd086f60da49602ce0585beecceb27f09f8b793f926e2378158ceda976', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (6, 'operations', '2026-01-05 12:00:00+00', true, '\x49d584c7722827b5f634057c74e47750018ba7bbb806352467526a31911433fd5d88bc75f676d877ef127d0b3ecf3ee1', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (60, 'sleep cycles', '2026-01-05 12:00:00+00', true, '\x78db5d544fed2b2901f79500e16821b226eb9c247cbec3fcfcdd92f8df73c85c971c6d52e508212f9eaeeb3d60898189', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (61, 'sleep work', '2026-01-05 12:00:00+00', true, '\xb318583dab5c4d575e13db9ff7a379ce7743288fb4352e15a92f25dd25d312b713ea9bd6a7f9c028ab8bdb1e4f7f9640', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (65, 'sleep values', '2026-01-05 12:00:00+00', true, '\x5d42a1f8673f2a71d709b8a634df5ffdcfe2278a6c837632fc4f6e2be5be259b07491650b4aae4cf9acdcf2b07b7da29', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (66, 'sleeps', '2026-01-05 12:00:00+00', true, '\x5f401bac10bf2ea0eba33697dab5cc14139222920d99c74e6293ef42d59a646508f057694480c92697c04ed5c38cf034', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (7, 'gates', '2026-01-05 12:00:00+00', true, '\xc8d76bcdb05246bf34e11f0a83c90ffe4be67bd464cb5277f390d27aac29571164453a347a0538e21f6843c834228e3f', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (70, 'system checkpoints', '2026-01-05 12:00:00+00', true, '\xb0d93878842a744a1684862d5be3599c367703474bf02119df9b951d34c9c9600dd51668cd64ef01142da8b1b02909dd', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (80, 'night versions', '2026-01-05 12:00:00+00', true, '\x89247136801f29b63d98119b812cd68bfe7f6af1814ae4edd8071f7d8b88b03b5c5cbbe35b83acd6e01c13d557a28d54', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (85, 'entries by time', '2026-01-05 12:00:00+00', true, '\xe808723754dbb5b25fe09e2b3c6826db4a59f5ff35cf79c1e9827cd7c1a75c60e3b73bac8e18a0fb7b4655296e4eeb88', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (86, 'refused vectors', '2026-01-05 12:00:00+00', true, '\x10f4a1eebe4fded439fd437497719044d009d93d40a7962a6c1150849741b7cda65e2a3c4d365a7e1f97aed16f37af1a', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (87, 'night money', '2026-01-05 12:00:00+00', true, '\xbc752b858309160da6c2ba440e2862fb55946cbb269b747b8c41919ab412a67a7648b223fb899e0bd60100ff2fa6b45b', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (88, 'forgotten', '2026-01-05 12:00:00+00', true, '\x2a54c27f0e63a6f1a00ea7fceac286f52a9bcfbbb0f30a467720664b1986001ab43c70de07bb124c63b9c180011b293b', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (90, 'system events', '2026-01-05 12:00:00+00', true, '\x70f00a786ed0d39abf1be1f7ad8759aac3a428d6b7f51964eaf26fe1b93f877f2e4464a96a6d5a1a066f5853dad77c54', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (91, 'context receipts', '2026-01-05 12:00:00+00', true, '\xc8758f935651234e10514c54f739fe5c77a1a26bf04370f50462bd9df03f359d3124d83466004774044619ee322563ac', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (92, 'ready in order', '2026-01-05 12:00:00+00', true, '\xec1fb96d0d944417134ed9cd039e09cdeccca1d4256545e8ea510f3e30da8562ed2df6c6d0bb6bf3b60e4961bdb12abe', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (93, 'one index of calls', '2026-01-05 12:00:00+00', true, '\xa7b83fce7f4b044d7def19968fe737921bb08e8f0cd865f6cadbdda1db15dd30a8d126e82d362d27bf93eb90cfe1df35', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (94, 'renewals of nights', '2026-01-05 12:00:00+00', true, '\x7d19a4b90a0f4f223c271fb1efa162e89288cf823e46412958d1bd1ca79ce2a449ef0b5244e4c713a30789d16e9326d1', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (95, 'sleep settings version', '2026-01-05 12:00:00+00', true, '\x97a0a6678fe263599627ed2ed5aa513613a7a99d90a558ee913c501e1b8e244ae598cdf4346a4400dd6833f1da09e394', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (96, 'agents by name', '2026-01-05 12:00:00+00', true, '\x5ebf5a3db815d84586e733754d5b126c6c926b7c5e354ee5d79bc604844334f7292e9f8e78ffde29a0470a1b1f2376ab', 0);
INSERT INTO public.active_routing (only_row, version, activated_by, activated_at) VALUES (true, 2, 'ada', '2026-01-05 12:00:00+00');
INSERT INTO public.agent_versions (agent_id, version, role, system_prompt, model, tools, capabilities, limits, created_at, fallback_models) VALUES ('019b8c00-0000-7000-8000-0000000000a1', 1, 'engineer', 'You write "code".', 'work', '{shell,finish}', '{rust}', '{"max_turns": 50}', '2026-01-05 12:00:00+00', '{}');
INSERT INTO public.agent_versions (agent_id, version, role, system_prompt, model, tools, capabilities, limits, created_at, fallback_models) VALUES ('019b8c00-0000-7000-8000-0000000000a2', 1, 'engineer', 'You write "code".', 'work', '{shell,finish}', '{rust}', '{"max_turns": 50}', '2026-01-05 12:00:00+00', '{}');
INSERT INTO public.agents (id, project_id, type, created_at, name, status, version, updated_at) VALUES ('019b8c00-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000001', 'backend', '2026-01-05 12:00:00+00', 'Ada', 'active', 1, '2026-01-05 12:00:00+00');
INSERT INTO public.agents (id, project_id, type, created_at, name, status, version, updated_at) VALUES ('019b8c00-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-000000000001', 'frontend', '2026-01-05 12:00:00+00', 'Grace', 'active', 1, '2026-01-05 12:00:00+00');
INSERT INTO public.artifacts (sha256, bytes, body, created_at) VALUES ('\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 5, '\x77686f6c65', '2026-01-05 12:00:00+00');
INSERT INTO public.batch_calls (batch_id, request_id, model, project_id, task_id, agent_id, session_id, created_at, reserved_nano_usd, budgets, state, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, cost_nano_usd, finished_at) VALUES ('019b8e00-0000-7000-8000-000000000041', '019b8e00-0000-7000-8000-000000000042', 'claude-haiku-5-5', '00000000-0000-7000-8000-000000000001', NULL, NULL, NULL, '2026-01-05 12:00:00+00', 100, '{}', 'intent', NULL, 0, 0, 0, 0, 0, 0, NULL);
INSERT INTO public.batch_lease (only_row, holder, held_until) VALUES (true, 'worker-1', '2026-01-05 12:00:00+00');
INSERT INTO public.batch_requests (id, purpose, model, body, project_id, task_id, agent_id, session_id, created_at, state, not_before, tries, batch_id, budget_id, result, error, completed_at, updated_at) VALUES ('019b8e00-0000-7000-8000-000000000042', 'consolidation', 'claude-haiku-5-5', '{"max_tokens": 1}', '00000000-0000-7000-8000-000000000001', NULL, NULL, NULL, '2026-01-05 12:00:00+00', 'sent', '2026-01-05 12:00:00+00', 1, '019b8e00-0000-7000-8000-000000000041', NULL, NULL, NULL, NULL, '2026-01-05 12:00:00+00');
INSERT INTO public.batch_requests (id, purpose, model, body, project_id, task_id, agent_id, session_id, created_at, state, not_before, tries, batch_id, budget_id, result, error, completed_at, updated_at) VALUES ('019b8e00-0000-7000-8000-000000000062', 'sleep', 'claude-haiku-5-5', '{"max_tokens":1000}', '00000000-0000-7000-8000-000000000001', NULL, NULL, NULL, '2026-01-06 02:00:00+00', 'canceled', '2026-01-06 02:00:00+00', 0, NULL, NULL, NULL, 'the sleep cycle is over', '2026-01-06 02:00:00+00', '2026-01-06 02:00:00+00');
INSERT INTO public.batches (id, model, key_id, requests, created_at, state, provider_id, not_ours, expires_at, succeeded, errored, canceled, expired, polls, next_poll_at, detail, ended_at) VALUES ('019b8e00-0000-7000-8000-000000000041', 'claude-haiku-5-5', '0123456789ab', 1, '2026-01-05 12:00:00+00', 'created', 'msgbatch_1', '{}', '2026-01-06 12:00:00+00', 0, 0, 0, 0, 0, '2026-01-05 12:00:00+00', NULL, NULL);
INSERT INTO public.budgets (id, scope, target, period, created_by, created_at, cap_nano_usd, spent_nano_usd, reserved_nano_usd, day, raised_at, set_day, set_used_nano_usd, updated_at, exhausted_at) VALUES ('019b8c00-0000-7000-8000-0000000000b1', 'org', '00000000-0000-0000-0000-000000000000', 'day', 'ada', '2026-01-05 12:00:00+00', 1000000000, 5, 0, '2026-01-05', '2026-01-05 12:00:00+00', '2026-01-05', 0, '2026-01-05 12:00:00+00', NULL);
INSERT INTO public.context_receipts (context_id, task_id) VALUES ('019b9300-0000-7000-8000-000000000091', '019a5909-b600-7000-8000-000000000003');
INSERT INTO public.context_renewals (context_id, version_id, renewed_at) VALUES ('019b8e00-0000-7000-8000-000000000056', '019b8e00-0000-7000-8000-000000000055', '2026-01-08 03:00:00+00');
INSERT INTO public.context_sources (context_id, source_id) VALUES ('019b8e00-0000-7000-8000-000000000057', '019b8e00-0000-7000-8000-000000000056');
INSERT INTO public.context_tombstones (context_id, project_id, cause_id, deleted_by, deleted_at, changed_tx) VALUES ('019b8e00-0000-7000-8000-000000000058', '00000000-0000-7000-8000-000000000001', '019b8e00-0000-7000-8000-000000000058', 'operator', '2026-01-05 12:00:00+00', '831');
INSERT INTO public.context_uses (context_id, recalled, recalled_at, renewed_at) VALUES ('019b8e00-0000-7000-8000-000000000056', 3, '2026-01-06 12:00:00+00', NULL);
INSERT INTO public.context_vectors (context_id, model, chunk, dims, vector, changed_tx) VALUES ('019b8e00-0000-7000-8000-000000000056', 'minilm-l6-v2-int8', 0, 384, '[0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104]', '831');
INSERT INTO public.context_vectors_due (model, context_id, taken_until, tries, refusals, reason) VALUES ('minilm-l6-v2-int8', '019b8e00-0000-7000-8000-000000000057', '-infinity', 0, 0, NULL);
INSERT INTO public.contexts (id, lineage, scope, project_id, session_id, agent_id, parent_id, follows_id, kind, trust, author, task_id, run_epoch, step_seq, valid_from, recorded_at, born_version, title, content, redacted_at, valid_to, superseded_by, died_version, importance, pinned, locked, source_gone, version, changed_tx) VALUES ('019b8e00-0000-7000-8000-000000000056', '019b8e00-0000-7000-8000-000000000056', 'project', '00000000-0000-7000-8000-000000000001', NULL, NULL, NULL, NULL, 'fact', 'user', 'operator', NULL, NULL, NULL, '2026-01-05 12:00:00+00', '2026-01-05 12:00:00+00', NULL, 'Port', 'The port of the shop is 8080', NULL, NULL, NULL, NULL, 0.5, true, false, false, 1, '831');
INSERT INTO public.contexts (id, lineage, scope, project_id, session_id, agent_id, parent_id, follows_id, kind, trust, author, task_id, run_epoch, step_seq, valid_from, recorded_at, born_version, title, content, redacted_at, valid_to, superseded_by, died_version, importance, pinned, locked, source_gone, version, changed_tx) VALUES ('019b8e00-0000-7000-8000-000000000057', '019b8e00-0000-7000-8000-000000000057', 'project', '00000000-0000-7000-8000-000000000001', NULL, NULL, NULL, NULL, 'insight', 'user', 'night', NULL, NULL, NULL, '2026-01-05 12:00:00+00', '2026-01-06 02:00:00+00', '019b8e00-0000-7000-8000-000000000055', '', 'The shop listens on 8080', NULL, NULL, NULL, NULL, 0.7, false, false, false, 1, '831');
INSERT INTO public.conversations (id, project_id, thread_id, number, session_id, from_agent_id, from_task_id, from_name, to_agent_id, audience, message_type, content, context_refs, trust, reply_to, answer_by, wakes, priority, hops, send_key, created_at) VALUES ('019b8e00-0000-7000-8000-000000000052', '00000000-0000-7000-8000-000000000001', '019b8e00-0000-7000-8000-000000000051', 1, NULL, NULL, NULL, 'ada', '019b8c00-0000-7000-8000-0000000000a1', 'direct', 'question', 'Which port, "ä"?', '{}', 'user', NULL, '2026-01-05 13:00:00+00', true, 5, 0, NULL, '2026-01-05 12:00:00+00');
INSERT INTO public.conversations (id, project_id, thread_id, number, session_id, from_agent_id, from_task_id, from_name, to_agent_id, audience, message_type, content, context_refs, trust, reply_to, answer_by, wakes, priority, hops, send_key, created_at) VALUES ('019b8e00-0000-7000-8000-000000000053', '00000000-0000-7000-8000-000000000001', '019b8e00-0000-7000-8000-000000000051', 2, NULL, '019b8c00-0000-7000-8000-0000000000a1', '019b8c00-0000-7000-8000-0000000000c1', 'Ada', NULL, 'broadcast', 'message', 'It is 7700.', '{}', 'agent', '019b8e00-0000-7000-8000-000000000052', NULL, false, 5, 0, 'a call', '2026-01-05 12:01:00+00');
INSERT INTO public.cron_slots (schedule_id, slot, manual, outcome, task_id, order_id, detail, created_at, fired_at) VALUES ('019b8c00-0000-7000-8000-0000000000e1', '2026-01-04 02:00:00+00', false, 'missed', NULL, NULL, NULL, '2026-01-05 12:00:00+00', NULL);
INSERT INTO public.cron_slots (schedule_id, slot, manual, outcome, task_id, order_id, detail, created_at, fired_at) VALUES ('019b8c00-0000-7000-8000-0000000000e1', '2026-01-05 02:00:00+00', false, 'fired', NULL, '019b8c00-0000-7000-8000-0000000000f1', NULL, '2026-01-05 12:00:00+00', '2026-01-05 02:00:00+00');
INSERT INTO public.embedding_models (model, dims, created_at, state, state_at) VALUES ('minilm-l6-v2-int8', 384, '2026-01-05 12:00:00+00', 'active', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2025w45 (task_id, seq, kind, data, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2025w45 (task_id, seq, kind, data, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2025w45 (task_id, seq, kind, data, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2025w48 (task_id, seq, kind, data, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2025w48 (task_id, seq, kind, data, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2025w48 (task_id, seq, kind, data, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2025w51 (task_id, seq, kind, data, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2025w51 (task_id, seq, kind, data, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2025w51 (task_id, seq, kind, data, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2026w02 (task_id, seq, kind, data, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2026w02 (task_id, seq, kind, data, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2026w02 (task_id, seq, kind, data, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2026w02 (task_id, seq, kind, data, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2026w02 (task_id, seq, kind, data, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_2026w02 (task_id, seq, kind, data, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_default (task_id, seq, kind, data, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_default (task_id, seq, kind, data, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events_default (task_id, seq, kind, data, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.fleet_health (component, state, reason, since, checked_at) VALUES ('queue', 'degraded', 'slow', '2026-01-09 01:00:00+00', '2026-01-09 01:01:00+00');
INSERT INTO public.housekeeping_orders (id, duty, dry_run, keep_days, ordered_by, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000f1', 'records', false, NULL, 'schedule nightly', '2026-01-05 12:00:00+00');
INSERT INTO public.housekeeping_runs (order_id, host, started_at, state, finished_at, removed_rows, removed_bytes, report, error) VALUES ('019b8c00-0000-7000-8000-0000000000f1', '', '2026-01-05 12:00:00+00', 'done', '2026-01-05 02:00:00+00', 3, 0, '{}', NULL);
INSERT INTO public.housekeeping_successes (duty, host, at) VALUES ('records', '', '2026-01-05 02:00:00+00');
INSERT INTO public.idempotency_keys (owner, key, fingerprint, created_at, status, location, body) VALUES ('ada', 'once', '\x9aee6b1bcdf617d8e39bb1f2b624c68ea33deb9d48e0364aeaded836d3d00293', '2026-01-05 12:00:00+00', 201, '/api/v1/tasks/1', '{"id": 1}');
INSERT INTO public.inboxes (agent_id, last_place, pulled, visibility_seconds, max_tries, failures, failed_at, open_until) VALUES ('019b8c00-0000-7000-8000-0000000000a1', 2, false, 30, 5, 1, '2026-01-05 12:00:00+00', NULL);
INSERT INTO public.journal_weeks (monday, name, first_id, past_id, dropped_at, bytes) VALUES ('2025-11-03 00:00:00+00', '2025w45', '019a4703-7400-0000-0000-000000000000', '019a6b0f-f800-0000-0000-000000000000', NULL, NULL);
INSERT INTO public.journal_weeks (monday, name, first_id, past_id, dropped_at, bytes) VALUES ('2025-11-24 00:00:00+00', '2025w48', '019ab329-0000-0000-0000-000000000000', '019ad735-8400-0000-0000-000000000000', NULL, NULL);
INSERT INTO public.journal_weeks (monday, name, first_id, past_id, dropped_at, bytes) VALUES ('2025-12-15 00:00:00+00', '2025w51', '019b1f4e-8c00-0000-0000-000000000000', '019b435b-1000-0000-0000-000000000000', NULL, NULL);
INSERT INTO public.journal_weeks (monday, name, first_id, past_id, dropped_at, bytes) VALUES ('2026-01-05 00:00:00+00', '2026w02', '019b8b74-1800-0000-0000-000000000000', '019baf80-9c00-0000-0000-000000000000', NULL, NULL);
INSERT INTO public.llm_calls_2025w45 (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at, reserved_nano_usd, budgets, cache_write_1h_tokens, route, routing_version) VALUES ('019a5909-b600-7000-8000-000000000003', '019a5909-b600-7000-8000-000000000003', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00', 0, '{}', 0, NULL, NULL);
INSERT INTO public.llm_calls_2025w48 (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at, reserved_nano_usd, budgets, cache_write_1h_tokens, route, routing_version) VALUES ('019ac008-e600-7000-8000-000000000002', '019ac008-e600-7000-8000-000000000002', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00', 0, '{}', 0, NULL, NULL);
INSERT INTO public.llm_calls_2025w51 (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at, reserved_nano_usd, budgets, cache_write_1h_tokens, route, routing_version) VALUES ('019b2708-1600-7000-8000-000000000001', '019b2708-1600-7000-8000-000000000001', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00', 0, '{}', 0, NULL, NULL);
INSERT INTO public.llm_calls_2026w02 (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at, reserved_nano_usd, budgets, cache_write_1h_tokens, route, routing_version) VALUES ('019b8c00-0000-7000-8000-0000000000c1', '019b8c00-0000-7000-8000-0000000000c1', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00', 0, '{}', 0, NULL, NULL);
INSERT INTO public.llm_calls_2026w02 (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at, reserved_nano_usd, budgets, cache_write_1h_tokens, route, routing_version) VALUES ('019b8e07-4600-7000-8000-000000000000', '019b8e07-4600-7000-8000-000000000000', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00', 0, '{}', 0, NULL, NULL);
INSERT INTO public.llm_calls_default (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at, reserved_nano_usd, budgets, cache_write_1h_tokens, route, routing_version) VALUES ('ffffffff-0000-4000-8000-000000000000', 'ffffffff-0000-4000-8000-000000000000', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'intent', NULL, NULL, 0, 0, 0, 0, 0, NULL, 0, '{}', 0, NULL, NULL);
INSERT INTO public.memory_versions (id, scope, project_id, session_id, agent_id, number, created_at, state, state_at, changed_tx) VALUES ('019b8e00-0000-7000-8000-000000000055', 'project', '00000000-0000-7000-8000-000000000001', NULL, NULL, 1, '2026-01-05 12:00:00+00', 'active', '2026-01-05 12:00:00+00', '831');
INSERT INTO public.memory_versions (id, scope, project_id, session_id, agent_id, number, created_at, state, state_at, changed_tx) VALUES ('019b8e00-0000-7000-8000-000000000060', 'project', '00000000-0000-7000-8000-000000000001', NULL, NULL, 2, '2026-01-05 12:00:00+00', 'active', '2026-01-05 12:00:00+00', '838');
INSERT INTO public.message_deliveries (agent_id, place, message_id, wants_task, state, task_id, tries, visible_at, last_error, step, acknowledged_by, acknowledged_at, died_at) VALUES ('019b8c00-0000-7000-8000-0000000000a1', 1, '019b8e00-0000-7000-8000-000000000052', NULL, 'acknowledged', '019b8c00-0000-7000-8000-0000000000c1', 1, '2026-01-05 12:00:00+00', NULL, 2, 'task', '2026-01-05 12:00:00+00', NULL);
INSERT INTO public.message_deliveries (agent_id, place, message_id, wants_task, state, task_id, tries, visible_at, last_error, step, acknowledged_by, acknowledged_at, died_at) VALUES ('019b8c00-0000-7000-8000-0000000000a1', 2, '019b8e00-0000-7000-8000-000000000053', NULL, 'dead', NULL, 5, '2026-01-05 12:00:00+00', 'its receiver did not acknowledge it in time', NULL, NULL, NULL, '2026-01-05 12:05:00+00');
INSERT INTO public.message_vectors (message_id, model, chunk, vector) VALUES ('019b8e00-0000-7000-8000-000000000052', 'minilm-l6-v2-int8', 0, '[0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104,0.05103104]');
INSERT INTO public.message_vectors_due (model, message_id, taken_until, refusals, reason) VALUES ('minilm-l6-v2-int8', '019b8e00-0000-7000-8000-000000000053', '-infinity', 0, NULL);
INSERT INTO public.model_classes (name, model, reported_by, reported_at) VALUES ('work', 'claude-sonnet-5-5', 'worker-1', '2026-01-05 12:00:00+00');
INSERT INTO public.model_refresh (only_row, requested_at, holder, free_at, refreshed_at, refreshed_by, error) VALUES (true, NULL, NULL, NULL, '2026-01-05 12:00:00+00', 'worker-1', NULL);
INSERT INTO public.models (id, first_listed_at, display_name, line, lifecycle, deprecated_at, retires_at, max_input_tokens, max_output_tokens, capabilities, refreshed_at, vanished_at) VALUES ('claude-sonnet-5-5', '2026-01-05 12:00:00+00', 'Claude Sonnet 5.5', 'sonnet', 'active', NULL, NULL, 1000000, 128000, '{"batch": {"supported": true}}', '2026-01-05 12:00:00+00', NULL);
INSERT INTO public.pauses (scope, name, mode, reason, until, created_by, created_at) VALUES ('lane', 'low', 'drain', 'a quiet night', '2026-01-06 00:00:00+00', 'ada', '2026-01-05 12:00:00+00');
INSERT INTO public.projects (id, created_at, name) VALUES ('00000000-0000-7000-8000-000000000001', '2026-01-05 12:00:00+00', 'default');
INSERT INTO public.provider_events (id, created_at, key_id, model, kind, detail) OVERRIDING SYSTEM VALUE VALUES (1, '2026-01-05 12:00:00+00', '0123456789ab', '', 'key_stopped', 'permission: no');
INSERT INTO public.provider_keys (key_id, stopped_at, reason, detail, probe_at, resumed_at, resumed_by) VALUES ('0123456789ab', '2026-01-05 12:00:00+00', 'permission', 'no', '2026-01-05 12:05:00+00', NULL, NULL);
INSERT INTO public.provider_models (key_id, model, hold_until, opened_at, detail, failed_probes, probe_at, probe, probe_until, requests, input_tokens, output_tokens, unnamed_limits) VALUES ('0123456789ab', 'claude', '2026-01-05 12:01:00+00', '2026-01-05 12:00:00+00', 'overloaded', 1, '2026-01-05 12:02:00+00', NULL, NULL, 50, NULL, NULL, 0);
INSERT INTO public.routing_rules (version, rules, note, created_by, created_at) VALUES (1, '[]', 'Each agent is answered by the class that it names.', 'migration', '2026-01-05 12:00:00+00');
INSERT INTO public.routing_rules (version, rules, note, created_by, created_at) VALUES (2, '[{"role": "qa", "step": "*", "model": "hard"}]', 'Better eyes', 'ada', '2026-01-05 12:00:00+00');
INSERT INTO public.schedules (id, project_id, system, created_by, created_at, name, cron, time_zone, overlap, catch_up, catch_up_limit, enabled, task, duty, options, version, updated_at, last_slot, next_slot, last_task_id, last_order_id, last_error, slots_since, sleep) VALUES ('019b8c00-0000-7000-8000-0000000000e1', '00000000-0000-7000-8000-000000000001', false, 'ada', '2026-01-05 12:00:00+00', 'nightly', '0 3 * * *', 'Europe/Berlin', 'queue', 'one', 1, false, NULL, 'records', '{}', 1, '2026-01-05 12:00:00+00', '2026-01-05 02:00:00+00', '2026-01-06 02:00:00+00', NULL, NULL, NULL, '2026-01-05 12:00:00+00', NULL);
INSERT INTO public.sessions (id, project_id, created_at, created_by, name) VALUES ('019b8c00-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-000000000001', '2026-01-05 12:00:00+00', 'ada', 'a session');
INSERT INTO public.sleep_changes (id, cycle_id, phase, born, retired, sources, versions, created_at, kind, reason, source_versions) VALUES ('019b8e00-0000-7000-8000-000000000063', '019b8e00-0000-7000-8000-000000000061', 'merge', '019b8e00-0000-7000-8000-000000000057', '{019b8e00-0000-7000-8000-000000000056}', '{019b8e00-0000-7000-8000-000000000056}', '{1}', '2026-01-06 02:05:00+00', 'merged', 'they say the same: "ports", ä', NULL);
INSERT INTO public.sleep_cycles (id, scope, project_id, session_id, agent_id, trigger, asked_by, budget_nano_usd, budget_tokens, budget_minutes, version_id, created_at, state, phase, worker, epoch, lease_until, look_at, deaths, started_at, extracted, merged, superseded, promoted, decayed, refused, kept, skipped, stopped_by, probes, quality_before, quality_after, failure, finished_at, rolled_back_at, rolled_back_by, updated_at, requests, input_tokens, output_tokens, cost_nano_usd, pruned_at) VALUES ('019b8e00-0000-7000-8000-000000000061', 'project', '00000000-0000-7000-8000-000000000001', NULL, NULL, 'cron', 'nightly', 1000000000, 50000, 60, '019b8e00-0000-7000-8000-000000000060', '2026-01-06 02:00:00+00', 'completed', 'publish', NULL, 3, NULL, '2026-01-06 02:00:00+00', 0, '2026-01-06 02:00:00+00', 0, 1, 0, 0, 0, 0, 1, '[{"why": "money", "what": "requests", "count": 1, "phase": "merge"}]', 'money', 1, 1, 1, NULL, '2026-01-06 02:10:00+00', NULL, NULL, '2026-01-06 02:10:00+00', 1, 900, 100, 70000, NULL);
INSERT INTO public.sleep_events (sleep_id, seq, kind, data, created_at) VALUES ('019b8e00-0000-7000-8000-000000000066', 1, 'falling_asleep', '{"trigger": "manual"}', '2026-01-07 01:00:00+00');
INSERT INTO public.sleep_events (sleep_id, seq, kind, data, created_at) VALUES ('019b8e00-0000-7000-8000-000000000066', 2, 'asleep', '{}', '2026-01-07 01:01:00+00');
INSERT INTO public.sleep_probes (cycle_id, number, question, evidence, before, after) VALUES ('019b8e00-0000-7000-8000-000000000061', 0, 'port shop', '019b8e00-0000-7000-8000-000000000056', true, true);
INSERT INTO public.sleep_readings (cycle_id, subject_id, failed) VALUES ('019b8e00-0000-7000-8000-000000000061', '019b8c00-0000-7000-8000-0000000000c1', false);
INSERT INTO public.sleep_requests (cycle_id, phase, number, request_id, given, created_at) VALUES ('019b8e00-0000-7000-8000-000000000061', 'merge', 0, '019b8e00-0000-7000-8000-000000000062', '{"near": [], "facts": []}', '2026-01-06 02:00:00+00');
INSERT INTO public.sleep_settings (agent_id, idle_seconds, pressure_entries, pressure_steps, fall_seconds, sleep_seconds, updated_by, updated_at, night_nano_usd, version) VALUES ('019b8c00-0000-7000-8000-0000000000a1', 600, NULL, NULL, 300, 7200, 'operator', '2026-01-06 12:00:00+00', 1000000000, 1);
INSERT INTO public.sleeps (id, agent_id, trigger, requested_by, began_at, falls_by, wake_by, state, event_seq, asleep_at, cycle_id, waking_at, wake_reason, woken_at, briefing, briefing_due, briefed_task, briefed_step, briefed_at) VALUES ('019b8e00-0000-7000-8000-000000000066', '019b8c00-0000-7000-8000-0000000000a1', 'manual', 'operator', '2026-01-07 01:00:00+00', '2026-01-07 01:05:00+00', '2026-01-07 03:05:00+00', 'asleep', 2, '2026-01-07 01:01:00+00', NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL);
INSERT INTO public.steps_2025w45 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_2025w45 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_2025w48 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_2025w48 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_2025w51 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_2025w51 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_2026w02 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_2026w02 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_2026w02 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_2026w02 (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_default (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps_default (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.system_checkpoints (id, requested_by, created_at, status, worker, lease_until, started_at, finished_at, error, directory, manifest_sha256, bytes, state, removed_at) VALUES ('019b9300-0000-7000-8000-000000000070', 'operator', '2026-01-08 01:00:00+00', 'failed', 'worker-1', NULL, '2026-01-08 01:00:00+00', '2026-01-08 01:01:00+00', 'the worker that made it fell silent', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.system_checkpoints (id, requested_by, created_at, status, worker, lease_until, started_at, finished_at, error, directory, manifest_sha256, bytes, state, removed_at) VALUES ('019b9300-0000-7000-8000-000000000071', 'operator', '2026-01-08 02:00:00+00', 'done', 'worker-1', NULL, '2026-01-08 02:00:00+00', '2026-01-08 02:01:00+00', NULL, '20260108T020001Z-019b9300-0000-7000-8000-000000000071', '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', 4096, '{"rows": 7, "format": 1, "tables": 60}', NULL);
INSERT INTO public.system_event_numbers (the_one, last, told) VALUES (true, 2, 0);
INSERT INTO public.system_events (id, seq, channel, kind, subject, data, at) OVERRIDING SYSTEM VALUE VALUES (1, 1, 'health_checks', 'health.degraded', 'queue', '{"reason": "slow", "process": "fleet", "component": "queue"}', '2026-01-05 12:00:00+00');
INSERT INTO public.system_events (id, seq, channel, kind, subject, data, at) OVERRIDING SYSTEM VALUE VALUES (2, 2, 'system_events', 'queue.drained', 'lane:low', '{"mode": "drain", "name": "low", "scope": "lane", "until": "2026-01-06T00:00:00+00:00", "reason": "a quiet night", "paused_by": "ada"}', '2026-11-28 11:55:44.556824+00');
INSERT INTO public.task_action_items (action_id, task_id) VALUES ('019b8c00-0000-7000-8000-0000000000d1', '019b8c00-0000-7000-8000-0000000000c1');
INSERT INTO public.task_actions (id, kind, filter, priority, matched, created_by, created_at, status, done, skipped, cascaded, finished_at, failures, retry_at, error) VALUES ('019b8c00-0000-7000-8000-0000000000d1', 'reprioritise', '{"status": ["ready"]}', 2, 1, 'ada', '2026-01-05 12:00:00+00', 'working', 0, 0, 0, NULL, 0, '2026-01-05 12:00:00+00', NULL);
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_dependencies (task_id, depends_on, resolved) VALUES ('019b8c00-0000-7000-8000-0000000000c1', '019b8e07-4600-7000-8000-000000000000', true);
INSERT INTO public.task_dependencies (task_id, depends_on, resolved) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 'ffffffff-0000-4000-8000-000000000000', true);
INSERT INTO public.task_limits (kind, name, max_running, max_starts, per_seconds, starts, updated_at) VALUES ('key', 'one at a time', 1, 2, 60, '{"2026-01-05 12:00:00+00"}', '2026-01-05 12:00:00+00');
INSERT INTO public.task_messages (task_id, number, text, policy, author, created_at, step, read_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 1, 'Use tabs.', 'interrupt', 'ada', '2026-01-05 12:00:00+00', 2, '2026-01-05 12:00:00+00');
INSERT INTO public.task_messages (task_id, number, text, policy, author, created_at, step, read_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 2, 'And then stop.', 'enqueue', 'ada', '2026-01-05 12:00:00+00', NULL, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class, depth, messages_sent, messages_read, budget_id, budget_need, routing_version, mail, message_id) VALUES ('019a5909-b600-7000-8000-000000000003', '00000000-0000-7000-8000-000000000001', 'task 3', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{"team": "blue"}', '{}', NULL, 'fail', 3, 'ada', '2025-11-06 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 1, NULL, NULL, NULL, 3, 3, '{"tree": null, "branch": null, "checks": [], "commit": null, "summary": "Done: \"ä\".", "diff_stat": null}', 0, 0, 0, 0, 0, '2025-11-06 12:00:00+00', NULL, 0, '2025-11-06 12:00:00+00', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000b1', NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, 0, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class, depth, messages_sent, messages_read, budget_id, budget_need, routing_version, mail, message_id) VALUES ('019ac008-e600-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 'task 2', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{"team": "blue"}', '{}', NULL, 'fail', 3, 'ada', '2025-11-26 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 1, NULL, NULL, NULL, 3, 3, '{"tree": null, "branch": null, "checks": [], "commit": null, "summary": "Done: \"ä\".", "diff_stat": null}', 0, 0, 0, 0, 0, '2025-11-26 12:00:00+00', NULL, 0, '2025-11-26 12:00:00+00', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000b1', NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, 0, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class, depth, messages_sent, messages_read, budget_id, budget_need, routing_version, mail, message_id) VALUES ('019b2708-1600-7000-8000-000000000001', '00000000-0000-7000-8000-000000000001', 'task 1', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{"team": "blue"}', '{}', NULL, 'fail', 3, 'ada', '2025-12-16 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 1, NULL, NULL, NULL, 3, 3, '{"tree": null, "branch": null, "checks": [], "commit": null, "summary": "Done: \"ä\".", "diff_stat": null}', 0, 0, 0, 0, 0, '2025-12-16 12:00:00+00', NULL, 0, '2025-12-16 12:00:00+00', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000b1', NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, 0, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class, depth, messages_sent, messages_read, budget_id, budget_need, routing_version, mail, message_id) VALUES ('019b8c00-0000-7000-8000-0000000000c1', '00000000-0000-7000-8000-000000000001', 'waits', 'at length', NULL, 'file:///srv/git/shop.git', 'main', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '[{"name": "tests", "command": "true", "timeout_seconds": 60}]', '{"ticket": 7}', '{}', '{"max_turns": 5}', 'work', 'fail', 3, 'ada', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000a1', 1, 2, 'waiting', 'retry', 'the provider was away', '2026-01-05 13:00:00+00', 1, false, 4, NULL, NULL, NULL, 3, 3, NULL, 5, 0, 0, 0, 70, NULL, NULL, 0, NULL, '2026-01-05 12:00:00+00', NULL, '019b8e07-4600-7000-8000-000000000000', '2026-02-01 00:00:00+00', 'one at a time', '019b8e07-4600-7000-8000-000000000000', '019b8e07-4600-7000-8000-000000000000', 1, 1, false, 1, 'overloaded', 0, 2, 1, NULL, NULL, NULL, 0, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class, depth, messages_sent, messages_read, budget_id, budget_need, routing_version, mail, message_id) VALUES ('019b8e07-4600-7000-8000-000000000000', '00000000-0000-7000-8000-000000000001', 'task 0', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{"team": "blue"}', '{}', NULL, 'fail', 3, 'ada', '2026-01-05 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 1, NULL, NULL, NULL, 3, 3, '{"tree": null, "branch": null, "checks": [], "commit": null, "summary": "Done: \"ä\".", "diff_stat": null}', 0, 0, 0, 0, 0, '2026-01-05 12:00:00+00', NULL, 0, '2026-01-05 12:00:00+00', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000b1', NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, 0, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class, depth, messages_sent, messages_read, budget_id, budget_need, routing_version, mail, message_id) VALUES ('ffffffff-0000-4000-8000-000000000000', '00000000-0000-7000-8000-000000000001', 'odd', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{}', '{}', NULL, 'fail', 3, 'ada', '2026-01-05 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 0, NULL, NULL, NULL, 3, 3, NULL, 0, 0, 0, 0, 0, NULL, NULL, 0, '2026-01-05 12:00:00+00', '2026-01-05 12:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, 0, NULL);
INSERT INTO public.threads (id, project_id, created_at, last_number) VALUES ('019b8e00-0000-7000-8000-000000000051', '00000000-0000-7000-8000-000000000001', '2026-01-05 12:00:00+00', 2);
INSERT INTO public.usage_days (day, project_id, agent_id, session_id, model, shard, calls, failed, unknown, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, cost_nano_usd, unknown_nano_usd) VALUES ('2026-01-05', '00000000-0000-7000-8000-000000000001', '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', 'claude', 31, 2, 1, 0, 5, 1, 0, 0, 0, 5, 0);
INSERT INTO public.usage_days (day, project_id, agent_id, session_id, model, shard, calls, failed, unknown, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, cost_nano_usd, unknown_nano_usd) VALUES ('2026-01-05', '00000000-0000-7000-8000-000000000001', '00000000-0000-0000-0000-000000000000', '019b8c00-0000-7000-8000-0000000000b1', 'claude', 0, 4, 0, 0, 20, 0, 0, 0, 0, 0, 0);
INSERT INTO public.usage_days (day, project_id, agent_id, session_id, model, shard, calls, failed, unknown, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, cost_nano_usd, unknown_nano_usd) VALUES ('2026-01-05', '00000000-0000-7000-8000-000000000001', '00000000-0000-0000-0000-000000000000', '019b8c00-0000-7000-8000-0000000000b1', 'claude', 29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
INSERT INTO public.usage_days (day, project_id, agent_id, session_id, model, shard, calls, failed, unknown, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, cost_nano_usd, unknown_nano_usd) VALUES ('2026-01-05', '00000000-0000-7000-8000-000000000001', '019b8c00-0000-7000-8000-0000000000a1', '00000000-0000-0000-0000-000000000000', 'claude', 0, 1, 0, 0, 5, 0, 0, 0, 0, 0, 0);
INSERT INTO public.usage_days (day, project_id, agent_id, session_id, model, shard, calls, failed, unknown, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, cost_nano_usd, unknown_nano_usd) VALUES ('2026-01-05', '00000000-0000-7000-8000-000000000001', '019b8c00-0000-7000-8000-0000000000a1', '00000000-0000-0000-0000-000000000000', 'claude', 29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
INSERT INTO public.workers (name, host, version, slots, isolated, draining, started_at, seen_at, lost_at) VALUES ('worker-1', 'host', '0.1.0', 4, false, false, '2026-01-05 12:00:00+00', '2026-01-05 12:00:00+00', NULL);
SELECT pg_catalog.setval('public.provider_events_id_seq', 1, true);
SELECT pg_catalog.setval('public.system_events_id_seq', 2, true);
ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.active_routing
    ADD CONSTRAINT active_routing_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.agent_versions
    ADD CONSTRAINT agent_versions_pkey PRIMARY KEY (agent_id, version);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_name_key UNIQUE (project_id, name);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_pkey PRIMARY KEY (sha256);
ALTER TABLE ONLY public.batch_calls
    ADD CONSTRAINT batch_calls_pkey PRIMARY KEY (batch_id, request_id);
ALTER TABLE ONLY public.batch_lease
    ADD CONSTRAINT batch_lease_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.batch_requests
    ADD CONSTRAINT batch_requests_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_provider_key UNIQUE (provider_id);
ALTER TABLE ONLY public.budgets
    ADD CONSTRAINT budgets_key UNIQUE (target, scope, period);
ALTER TABLE ONLY public.budgets
    ADD CONSTRAINT budgets_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.context_receipts
    ADD CONSTRAINT context_receipts_pkey PRIMARY KEY (context_id, task_id);
ALTER TABLE ONLY public.context_renewals
    ADD CONSTRAINT context_renewals_pkey PRIMARY KEY (context_id, version_id);
ALTER TABLE ONLY public.context_sources
    ADD CONSTRAINT context_sources_pkey PRIMARY KEY (context_id, source_id);
ALTER TABLE ONLY public.context_tombstones
    ADD CONSTRAINT context_tombstones_pkey PRIMARY KEY (context_id);
ALTER TABLE ONLY public.context_uses
    ADD CONSTRAINT context_uses_pkey PRIMARY KEY (context_id);
ALTER TABLE ONLY public.context_vectors_due
    ADD CONSTRAINT context_vectors_due_pkey PRIMARY KEY (model, context_id);
ALTER TABLE ONLY public.context_vectors
    ADD CONSTRAINT context_vectors_pkey PRIMARY KEY (context_id, model, chunk);
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_in_order UNIQUE (thread_id, number);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_sent_once UNIQUE (send_key);
ALTER TABLE ONLY public.cron_slots
    ADD CONSTRAINT cron_slots_pkey PRIMARY KEY (schedule_id, slot);
ALTER TABLE ONLY public.embedding_models
    ADD CONSTRAINT embedding_models_dims_key UNIQUE (model, dims);
ALTER TABLE ONLY public.embedding_models
    ADD CONSTRAINT embedding_models_pkey PRIMARY KEY (model);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.events_2025w45
    ADD CONSTRAINT events_2025w45_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.events_2025w48
    ADD CONSTRAINT events_2025w48_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.events_2025w51
    ADD CONSTRAINT events_2025w51_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.events_2026w02
    ADD CONSTRAINT events_2026w02_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.events_default
    ADD CONSTRAINT events_default_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.fleet_health
    ADD CONSTRAINT fleet_health_pkey PRIMARY KEY (component);
ALTER TABLE ONLY public.housekeeping_orders
    ADD CONSTRAINT housekeeping_orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.housekeeping_runs
    ADD CONSTRAINT housekeeping_runs_pkey PRIMARY KEY (order_id, host);
ALTER TABLE ONLY public.housekeeping_successes
    ADD CONSTRAINT housekeeping_successes_pkey PRIMARY KEY (duty, host);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (owner, key);
ALTER TABLE ONLY public.inboxes
    ADD CONSTRAINT inboxes_pkey PRIMARY KEY (agent_id);
ALTER TABLE ONLY public.journal_weeks
    ADD CONSTRAINT journal_weeks_pkey PRIMARY KEY (monday);
ALTER TABLE ONLY public.llm_calls
    ADD CONSTRAINT llm_calls_pkey PRIMARY KEY (task_id, id);
ALTER TABLE ONLY public.llm_calls_2025w45
    ADD CONSTRAINT llm_calls_2025w45_pkey PRIMARY KEY (task_id, id);
ALTER TABLE ONLY public.llm_calls_2025w48
    ADD CONSTRAINT llm_calls_2025w48_pkey PRIMARY KEY (task_id, id);
ALTER TABLE ONLY public.llm_calls_2025w51
    ADD CONSTRAINT llm_calls_2025w51_pkey PRIMARY KEY (task_id, id);
ALTER TABLE ONLY public.llm_calls_2026w02
    ADD CONSTRAINT llm_calls_2026w02_pkey PRIMARY KEY (task_id, id);
ALTER TABLE ONLY public.llm_calls_default
    ADD CONSTRAINT llm_calls_default_pkey PRIMARY KEY (task_id, id);
ALTER TABLE ONLY public.memory_versions
    ADD CONSTRAINT memory_versions_number_key UNIQUE NULLS NOT DISTINCT (scope, project_id, session_id, agent_id, number);
ALTER TABLE ONLY public.memory_versions
    ADD CONSTRAINT memory_versions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.message_deliveries
    ADD CONSTRAINT message_deliveries_once UNIQUE (message_id, agent_id);
ALTER TABLE ONLY public.message_deliveries
    ADD CONSTRAINT message_deliveries_pkey PRIMARY KEY (agent_id, place);
ALTER TABLE ONLY public.message_vectors_due
    ADD CONSTRAINT message_vectors_due_pkey PRIMARY KEY (model, message_id);
ALTER TABLE ONLY public.message_vectors
    ADD CONSTRAINT message_vectors_pkey PRIMARY KEY (message_id, model, chunk);
ALTER TABLE ONLY public.model_classes
    ADD CONSTRAINT model_classes_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.model_refresh
    ADD CONSTRAINT model_refresh_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.pauses
    ADD CONSTRAINT pauses_pkey PRIMARY KEY (scope, name);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_name_key UNIQUE (name);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.provider_events
    ADD CONSTRAINT provider_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.provider_keys
    ADD CONSTRAINT provider_keys_pkey PRIMARY KEY (key_id);
ALTER TABLE ONLY public.provider_models
    ADD CONSTRAINT provider_models_pkey PRIMARY KEY (key_id, model);
ALTER TABLE ONLY public.routing_rules
    ADD CONSTRAINT routing_rules_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_name_key UNIQUE (project_id, name);
ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sleep_changes
    ADD CONSTRAINT sleep_changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sleep_cycles
    ADD CONSTRAINT sleep_cycles_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sleep_cycles
    ADD CONSTRAINT sleep_cycles_version_id_key UNIQUE (version_id);
ALTER TABLE ONLY public.sleep_events
    ADD CONSTRAINT sleep_events_pkey PRIMARY KEY (sleep_id, seq);
ALTER TABLE ONLY public.sleep_probes
    ADD CONSTRAINT sleep_probes_pkey PRIMARY KEY (cycle_id, number);
ALTER TABLE ONLY public.sleep_readings
    ADD CONSTRAINT sleep_readings_pkey PRIMARY KEY (cycle_id, subject_id);
ALTER TABLE ONLY public.sleep_requests
    ADD CONSTRAINT sleep_requests_pkey PRIMARY KEY (cycle_id, phase, number);
ALTER TABLE ONLY public.sleep_requests
    ADD CONSTRAINT sleep_requests_request_id_key UNIQUE (request_id);
ALTER TABLE ONLY public.sleep_settings
    ADD CONSTRAINT sleep_settings_pkey PRIMARY KEY (agent_id);
ALTER TABLE ONLY public.sleeps
    ADD CONSTRAINT sleeps_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.steps_2025w45
    ADD CONSTRAINT steps_2025w45_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.steps_2025w48
    ADD CONSTRAINT steps_2025w48_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.steps_2025w51
    ADD CONSTRAINT steps_2025w51_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.steps_2026w02
    ADD CONSTRAINT steps_2026w02_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.steps_default
    ADD CONSTRAINT steps_default_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.system_checkpoints
    ADD CONSTRAINT system_checkpoints_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.system_event_numbers
    ADD CONSTRAINT system_event_numbers_pkey PRIMARY KEY (the_one);
ALTER TABLE ONLY public.system_events
    ADD CONSTRAINT system_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.system_events
    ADD CONSTRAINT system_events_seq UNIQUE (seq);
ALTER TABLE ONLY public.task_action_items
    ADD CONSTRAINT task_action_items_pkey PRIMARY KEY (action_id, task_id);
ALTER TABLE ONLY public.task_actions
    ADD CONSTRAINT task_actions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.task_artifacts
    ADD CONSTRAINT task_artifacts_pkey PRIMARY KEY (task_id, name);
ALTER TABLE ONLY public.task_dependencies
    ADD CONSTRAINT task_dependencies_pkey PRIMARY KEY (task_id, depends_on);
ALTER TABLE ONLY public.task_limits
    ADD CONSTRAINT task_limits_pkey PRIMARY KEY (kind, name);
ALTER TABLE ONLY public.task_messages
    ADD CONSTRAINT task_messages_pkey PRIMARY KEY (task_id, number);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.threads
    ADD CONSTRAINT threads_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.usage_days
    ADD CONSTRAINT usage_days_pkey PRIMARY KEY (day, agent_id, session_id, model, project_id, shard);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (name);
CREATE INDEX agents_by_name ON public.agents USING btree (lower(name), project_id);
CREATE INDEX agents_by_type ON public.agents USING btree (project_id, type, created_at) WHERE (status = 'active'::public.agent_status);
CREATE INDEX batch_calls_by_request ON public.batch_calls USING btree (request_id);
CREATE INDEX batch_calls_by_task ON public.batch_calls USING btree (task_id) WHERE (task_id IS NOT NULL);
CREATE INDEX batch_calls_open ON public.batch_calls USING btree (created_at) WHERE (state = 'intent'::public.call_state);
CREATE INDEX batch_requests_by_batch ON public.batch_requests USING btree (batch_id) WHERE (batch_id IS NOT NULL);
CREATE INDEX batch_requests_queued ON public.batch_requests USING btree (model, id) WHERE (state = 'queued'::public.batch_request_state);
CREATE INDEX batch_requests_sent ON public.batch_requests USING btree (batch_id) WHERE (state = 'sent'::public.batch_request_state);
CREATE INDEX batches_open ON public.batches USING btree (next_poll_at) WHERE (state = ANY (ARRAY['intent'::public.batch_state, 'created'::public.batch_state]));
CREATE INDEX context_renewals_by_version ON public.context_renewals USING btree (version_id);
CREATE INDEX context_sources_by_source ON public.context_sources USING btree (source_id);
CREATE INDEX context_tombstones_by_age ON public.context_tombstones USING btree (deleted_at);
CREATE INDEX context_tombstones_by_change ON public.context_tombstones USING btree (changed_tx);
CREATE INDEX context_vectors_by_change ON public.context_vectors USING btree (changed_tx);
CREATE INDEX context_vectors_due_by_context ON public.context_vectors_due USING btree (context_id);
CREATE INDEX context_vectors_due_by_time ON public.context_vectors_due USING btree (model, taken_until, context_id);
CREATE INDEX context_vectors_due_refused ON public.context_vectors_due USING btree (model) WHERE (refusals > 0);
CREATE INDEX context_vectors_minilm ON public.context_vectors USING hnsw (((vector)::public.vector(384)) public.vector_cosine_ops) WHERE (model = 'minilm-l6-v2-int8'::text);
CREATE INDEX contexts_by_agent ON public.contexts USING btree (agent_id, id) WHERE (agent_id IS NOT NULL);
CREATE INDEX contexts_by_born ON public.contexts USING btree (born_version) WHERE (born_version IS NOT NULL);
CREATE INDEX contexts_by_change ON public.contexts USING btree (changed_tx);
CREATE INDEX contexts_by_died ON public.contexts USING btree (died_version) WHERE (died_version IS NOT NULL);
CREATE INDEX contexts_by_follows ON public.contexts USING btree (follows_id) WHERE (follows_id IS NOT NULL);
CREATE INDEX contexts_by_lineage ON public.contexts USING btree (lineage, id);
CREATE INDEX contexts_by_parent ON public.contexts USING btree (parent_id, id) WHERE (parent_id IS NOT NULL);
CREATE INDEX contexts_by_project ON public.contexts USING btree (project_id, id);
CREATE INDEX contexts_by_session ON public.contexts USING btree (session_id, id) WHERE (session_id IS NOT NULL);
CREATE INDEX contexts_by_superseded ON public.contexts USING btree (superseded_by) WHERE (superseded_by IS NOT NULL);
CREATE INDEX contexts_by_task ON public.contexts USING btree (task_id, id) WHERE (task_id IS NOT NULL);
CREATE INDEX contexts_by_words ON public.contexts USING gin (words);
CREATE INDEX contexts_of_agent_by_time ON public.contexts USING btree (agent_id, recorded_at DESC) WHERE (born_version IS NULL);
CREATE INDEX contexts_of_all ON public.contexts USING btree (id) WHERE (scope = 'org'::public.memory_scope);
CREATE INDEX conversations_by_time ON public.conversations USING btree (created_at);
CREATE INDEX conversations_of_task ON public.conversations USING btree (from_task_id) WHERE (from_task_id IS NOT NULL);
CREATE INDEX conversations_replies ON public.conversations USING btree (reply_to) WHERE (reply_to IS NOT NULL);
CREATE INDEX conversations_sent_by ON public.conversations USING btree (from_agent_id, id) WHERE (from_agent_id IS NOT NULL);
CREATE INDEX conversations_words ON public.conversations USING gin (words);
CREATE INDEX cron_slots_by_age ON public.cron_slots USING btree (created_at);
CREATE UNIQUE INDEX cron_slots_waiting ON public.cron_slots USING btree (schedule_id) WHERE (outcome = 'waiting'::public.slot_outcome);
CREATE UNIQUE INDEX embedding_models_one_active ON public.embedding_models USING btree ((true)) WHERE (state = 'active'::public.embedding_state);
CREATE UNIQUE INDEX embedding_models_one_building ON public.embedding_models USING btree ((true)) WHERE (state = 'building'::public.embedding_state);
CREATE INDEX housekeeping_orders_recent ON public.housekeeping_orders USING btree (created_at);
CREATE INDEX idempotency_keys_by_age ON public.idempotency_keys USING btree (created_at);
CREATE INDEX idempotency_keys_of_contexts ON public.idempotency_keys USING btree (location) WHERE (location ~~ '/api/v1/context/%'::text);
CREATE INDEX llm_calls_open ON ONLY public.llm_calls USING btree (created_at) WHERE (state = 'intent'::public.call_state);
CREATE INDEX llm_calls_2025w45_created_at_idx ON public.llm_calls_2025w45 USING btree (created_at) WHERE (state = 'intent'::public.call_state);
CREATE INDEX llm_calls_2025w48_created_at_idx ON public.llm_calls_2025w48 USING btree (created_at) WHERE (state = 'intent'::public.call_state);
CREATE INDEX llm_calls_2025w51_created_at_idx ON public.llm_calls_2025w51 USING btree (created_at) WHERE (state = 'intent'::public.call_state);
CREATE INDEX llm_calls_2026w02_created_at_idx ON public.llm_calls_2026w02 USING btree (created_at) WHERE (state = 'intent'::public.call_state);
CREATE INDEX llm_calls_default_created_at_idx ON public.llm_calls_default USING btree (created_at) WHERE (state = 'intent'::public.call_state);
CREATE INDEX memory_versions_by_change ON public.memory_versions USING btree (changed_tx);
CREATE INDEX message_deliveries_bound ON public.message_deliveries USING btree (task_id, place) WHERE (state = 'bound'::public.delivery_state);
CREATE INDEX message_deliveries_dead ON public.message_deliveries USING btree (died_at) WHERE (state = 'dead'::public.delivery_state);
CREATE INDEX message_deliveries_known ON public.message_deliveries USING btree (agent_id, acknowledged_at) WHERE (state = 'acknowledged'::public.delivery_state);
CREATE INDEX message_deliveries_open ON public.message_deliveries USING btree (agent_id, place) WHERE (state = ANY (ARRAY['pending'::public.delivery_state, 'bound'::public.delivery_state, 'taken'::public.delivery_state]));
CREATE INDEX message_deliveries_pending ON public.message_deliveries USING btree (visible_at) WHERE (state = 'pending'::public.delivery_state);
CREATE INDEX message_deliveries_taken ON public.message_deliveries USING btree (visible_at) WHERE (state = 'taken'::public.delivery_state);
CREATE INDEX message_vectors_due_by_message ON public.message_vectors_due USING btree (message_id);
CREATE INDEX message_vectors_due_by_time ON public.message_vectors_due USING btree (model, taken_until, message_id);
CREATE INDEX message_vectors_due_refused ON public.message_vectors_due USING btree (model) WHERE (refusals > 0);
CREATE INDEX message_vectors_minilm ON public.message_vectors USING hnsw (((vector)::public.vector(384)) public.vector_cosine_ops) WHERE (model = 'minilm-l6-v2-int8'::text);
CREATE INDEX schedules_due ON public.schedules USING btree (next_slot) WHERE enabled;
CREATE INDEX sessions_by_project ON public.sessions USING btree (project_id, id DESC);
CREATE INDEX sleep_changes_by_born ON public.sleep_changes USING btree (born) WHERE (born IS NOT NULL);
CREATE INDEX sleep_changes_by_cycle ON public.sleep_changes USING btree (cycle_id, id);
CREATE INDEX sleep_changes_by_retired ON public.sleep_changes USING gin (retired) WITH (fastupdate=off);
CREATE INDEX sleep_changes_by_source ON public.sleep_changes USING gin (sources) WITH (fastupdate=off);
CREATE INDEX sleep_cycles_by_end ON public.sleep_cycles USING btree (finished_at) WHERE (pruned_at IS NULL);
CREATE INDEX sleep_cycles_by_owner ON public.sleep_cycles USING btree (scope, project_id, session_id, agent_id, id);
CREATE INDEX sleep_cycles_due ON public.sleep_cycles USING btree (look_at) WHERE (state = ANY (ARRAY['pending'::public.sleep_cycle_state, 'running'::public.sleep_cycle_state]));
CREATE UNIQUE INDEX sleep_cycles_one_open ON public.sleep_cycles USING btree (scope, project_id, session_id, agent_id) NULLS NOT DISTINCT WHERE (state = ANY (ARRAY['pending'::public.sleep_cycle_state, 'running'::public.sleep_cycle_state]));
CREATE INDEX sleep_probes_by_evidence ON public.sleep_probes USING btree (evidence);
CREATE INDEX sleep_readings_by_subject ON public.sleep_readings USING btree (subject_id);
CREATE INDEX sleep_requests_by_given ON public.sleep_requests USING gin (given jsonb_path_ops) WITH (fastupdate=off);
CREATE INDEX sleeps_by_agent ON public.sleeps USING btree (agent_id, began_at);
CREATE INDEX sleeps_by_cycle ON public.sleeps USING btree (cycle_id) WHERE (cycle_id IS NOT NULL);
CREATE UNIQUE INDEX sleeps_open ON public.sleeps USING btree (agent_id) WHERE (state <> 'awake'::public.sleep_state);
CREATE UNIQUE INDEX sleeps_to_tell ON public.sleeps USING btree (agent_id) WHERE briefing_due;
CREATE UNIQUE INDEX system_checkpoints_one_at_a_time ON public.system_checkpoints USING btree ((true)) WHERE (status = ANY (ARRAY['waiting'::public.checkpoint_status, 'running'::public.checkpoint_status]));
CREATE INDEX system_events_by_age ON public.system_events USING btree (at);
CREATE INDEX system_events_by_channel ON public.system_events USING btree (channel, seq);
CREATE INDEX system_events_by_kind ON public.system_events USING btree (kind, seq);
CREATE INDEX system_events_by_subject ON public.system_events USING btree (subject, seq);
CREATE INDEX task_actions_open ON public.task_actions USING btree (id) WHERE (status = 'working'::public.task_action_status);
CREATE INDEX task_artifacts_by_content ON public.task_artifacts USING btree (sha256);
CREATE INDEX task_dependencies_open ON public.task_dependencies USING btree (depends_on, task_id) WHERE (NOT resolved);
CREATE INDEX tasks_at_budget ON public.tasks USING btree (budget_id, priority, id) WHERE ((status = 'waiting'::public.task_status) AND (status_reason = 'budget'::public.status_reason));
CREATE INDEX tasks_at_key ON public.tasks USING btree (concurrency_key) WHERE ((status = 'pending'::public.task_status) AND (status_reason = 'concurrency'::public.status_reason));
CREATE INDEX tasks_at_work ON public.tasks USING btree (assigned_agent_id, id) WHERE ((assigned_agent_id IS NOT NULL) AND (status = ANY (ARRAY['ready'::public.task_status, 'running'::public.task_status, 'waiting'::public.task_status])));
CREATE INDEX tasks_by_agent ON public.tasks USING btree (assigned_agent_id, id DESC) WHERE (assigned_agent_id IS NOT NULL);
CREATE INDEX tasks_by_deadline ON public.tasks USING btree (deadline) WHERE ((deadline IS NOT NULL) AND (status <> ALL (ARRAY['succeeded'::public.task_status, 'failed'::public.task_status, 'cancelled'::public.task_status, 'dead'::public.task_status])));
CREATE INDEX tasks_by_fork ON public.tasks USING btree (forked_from) WHERE (forked_from IS NOT NULL);
CREATE INDEX tasks_by_key ON public.tasks USING btree (concurrency_key, priority, id) WHERE ((concurrency_key IS NOT NULL) AND (status = ANY (ARRAY['pending'::public.task_status, 'ready'::public.task_status, 'running'::public.task_status])));
CREATE INDEX tasks_by_label ON public.tasks USING gin (labels jsonb_path_ops) WHERE (labels <> '{}'::jsonb);
CREATE INDEX tasks_by_origin ON public.tasks USING btree (redriven_from) WHERE (redriven_from IS NOT NULL);
CREATE INDEX tasks_by_parent ON public.tasks USING btree (parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX tasks_by_project ON public.tasks USING btree (project_id, id DESC);
CREATE INDEX tasks_by_session ON public.tasks USING btree (session_id, id DESC) WHERE (session_id IS NOT NULL);
CREATE INDEX tasks_by_status ON public.tasks USING btree (status, id DESC);
CREATE INDEX tasks_ended_by_agent ON public.tasks USING btree (assigned_agent_id, completed_at) WHERE ((assigned_agent_id IS NOT NULL) AND (completed_at IS NOT NULL));
CREATE INDEX tasks_isolated ON public.tasks USING btree (id) WHERE ((status = 'ready'::public.task_status) AND isolated);
CREATE INDEX tasks_parked ON public.tasks USING btree (run_at) WHERE ((status = ANY (ARRAY['pending'::public.task_status, 'waiting'::public.task_status])) AND (status_reason <> ALL (ARRAY['dependencies'::public.status_reason, 'concurrency'::public.status_reason, 'outcome_unknown'::public.status_reason, 'journal_format'::public.status_reason])));
CREATE INDEX tasks_ready_by_age ON public.tasks USING btree (run_at) WHERE ((status = 'ready'::public.task_status) IS NOT FALSE);
CREATE INDEX tasks_ready_by_urgency ON public.tasks USING btree (priority, run_at, id) WHERE ((status = 'ready'::public.task_status) IS TRUE);
CREATE INDEX usage_days_by_agent ON public.usage_days USING btree (agent_id);
CREATE INDEX usage_days_by_session ON public.usage_days USING btree (session_id);
ALTER INDEX public.events_pkey ATTACH PARTITION public.events_2025w45_pkey;
ALTER INDEX public.events_pkey ATTACH PARTITION public.events_2025w48_pkey;
ALTER INDEX public.events_pkey ATTACH PARTITION public.events_2025w51_pkey;
ALTER INDEX public.events_pkey ATTACH PARTITION public.events_2026w02_pkey;
ALTER INDEX public.events_pkey ATTACH PARTITION public.events_default_pkey;
ALTER INDEX public.llm_calls_open ATTACH PARTITION public.llm_calls_2025w45_created_at_idx;
ALTER INDEX public.llm_calls_pkey ATTACH PARTITION public.llm_calls_2025w45_pkey;
ALTER INDEX public.llm_calls_open ATTACH PARTITION public.llm_calls_2025w48_created_at_idx;
ALTER INDEX public.llm_calls_pkey ATTACH PARTITION public.llm_calls_2025w48_pkey;
ALTER INDEX public.llm_calls_open ATTACH PARTITION public.llm_calls_2025w51_created_at_idx;
ALTER INDEX public.llm_calls_pkey ATTACH PARTITION public.llm_calls_2025w51_pkey;
ALTER INDEX public.llm_calls_open ATTACH PARTITION public.llm_calls_2026w02_created_at_idx;
ALTER INDEX public.llm_calls_pkey ATTACH PARTITION public.llm_calls_2026w02_pkey;
ALTER INDEX public.llm_calls_open ATTACH PARTITION public.llm_calls_default_created_at_idx;
ALTER INDEX public.llm_calls_pkey ATTACH PARTITION public.llm_calls_default_pkey;
ALTER INDEX public.steps_pkey ATTACH PARTITION public.steps_2025w45_pkey;
ALTER INDEX public.steps_pkey ATTACH PARTITION public.steps_2025w48_pkey;
ALTER INDEX public.steps_pkey ATTACH PARTITION public.steps_2025w51_pkey;
ALTER INDEX public.steps_pkey ATTACH PARTITION public.steps_2026w02_pkey;
ALTER INDEX public.steps_pkey ATTACH PARTITION public.steps_default_pkey;
CREATE TRIGGER batch_calls_are_settled AFTER UPDATE ON public.batch_calls REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION public.settle_batch_calls();
CREATE TRIGGER budgets_are_told AFTER UPDATE OF cap_nano_usd, exhausted_at ON public.budgets FOR EACH ROW WHEN (((new.created_by <> 'limits'::text) AND ((old.cap_nano_usd <> new.cap_nano_usd) OR (old.exhausted_at IS DISTINCT FROM new.exhausted_at)))) EXECUTE FUNCTION public.tell_budget();
CREATE TRIGGER budgets_begin_told AFTER INSERT ON public.budgets FOR EACH ROW WHEN ((new.created_by <> 'limits'::text)) EXECUTE FUNCTION public.tell_budget();
CREATE TRIGGER budgets_end_told AFTER DELETE ON public.budgets FOR EACH ROW WHEN ((old.created_by <> 'limits'::text)) EXECUTE FUNCTION public.tell_budget();
CREATE TRIGGER fleet_health_begins_told AFTER INSERT ON public.fleet_health FOR EACH ROW EXECUTE FUNCTION public.tell_fleet_health();
CREATE TRIGGER fleet_health_is_told AFTER UPDATE OF state ON public.fleet_health FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION public.tell_fleet_health();
CREATE TRIGGER llm_calls_are_settled AFTER UPDATE ON public.llm_calls REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION public.settle_calls();
CREATE TRIGGER pauses_are_told AFTER INSERT OR DELETE OR UPDATE ON public.pauses FOR EACH ROW EXECUTE FUNCTION public.tell_pause();
CREATE TRIGGER provider_events_are_told AFTER INSERT ON public.provider_events FOR EACH ROW EXECUTE FUNCTION public.tell_provider();
CREATE TRIGGER provider_models_are_told AFTER UPDATE OF hold_until ON public.provider_models FOR EACH ROW WHEN (((new.hold_until IS NOT NULL) AND (old.hold_until IS DISTINCT FROM new.hold_until))) EXECUTE FUNCTION public.tell_hold();
CREATE TRIGGER provider_models_begin_told AFTER INSERT ON public.provider_models FOR EACH ROW WHEN ((new.hold_until IS NOT NULL)) EXECUTE FUNCTION public.tell_hold();
CREATE TRIGGER schedules_are_told AFTER UPDATE OF enabled, last_error ON public.schedules FOR EACH ROW WHEN (((old.enabled <> new.enabled) OR ((old.last_error IS NULL) AND (new.last_error IS NOT NULL)))) EXECUTE FUNCTION public.tell_schedule();
CREATE TRIGGER schedules_begin_told AFTER INSERT ON public.schedules FOR EACH ROW WHEN ((NOT new.system)) EXECUTE FUNCTION public.tell_schedule();
CREATE TRIGGER schedules_end_told AFTER DELETE ON public.schedules FOR EACH ROW EXECUTE FUNCTION public.tell_schedule();
CREATE TRIGGER sleep_cycles_are_told AFTER UPDATE OF state ON public.sleep_cycles FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION public.tell_sleep_cycle();
CREATE TRIGGER sleep_cycles_begin_told AFTER INSERT ON public.sleep_cycles FOR EACH ROW EXECUTE FUNCTION public.tell_sleep_cycle();
CREATE TRIGGER sleep_events_are_told AFTER INSERT ON public.sleep_events FOR EACH ROW EXECUTE FUNCTION public.tell_sleep();
CREATE TRIGGER steps_note_receipts AFTER INSERT ON public.steps FOR EACH ROW WHEN (((new.kind = 'recalled'::public.step_kind) OR ((new.kind = 'tool_results'::public.step_kind) AND (strpos((new.body)::text, '"recalled"'::text) > 0)))) EXECUTE FUNCTION public.note_receipts();
CREATE TRIGGER system_checkpoints_are_told AFTER UPDATE OF status, removed_at ON public.system_checkpoints FOR EACH ROW WHEN (((old.status <> new.status) OR ((old.removed_at IS NULL) AND (new.removed_at IS NOT NULL)))) EXECUTE FUNCTION public.tell_checkpoint();
CREATE TRIGGER system_checkpoints_begin_told AFTER INSERT ON public.system_checkpoints FOR EACH ROW EXECUTE FUNCTION public.tell_checkpoint();
CREATE CONSTRAINT TRIGGER system_events_are_numbered AFTER INSERT ON public.system_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.number_system_event();
CREATE TRIGGER tasks_are_kept BEFORE DELETE ON public.tasks FOR EACH ROW EXECUTE FUNCTION public.refuse_to_delete_tasks();
CREATE TRIGGER workers_are_told AFTER UPDATE OF draining, lost_at ON public.workers FOR EACH ROW WHEN ((((NOT old.draining) AND new.draining) OR ((old.lost_at IS NULL) <> (new.lost_at IS NULL)))) EXECUTE FUNCTION public.tell_worker();
CREATE TRIGGER workers_begin_told AFTER INSERT ON public.workers FOR EACH ROW EXECUTE FUNCTION public.tell_worker();
CREATE TRIGGER workers_end_told AFTER DELETE ON public.workers FOR EACH ROW WHEN ((old.lost_at IS NULL)) EXECUTE FUNCTION public.tell_worker();
ALTER TABLE ONLY public.active_routing
    ADD CONSTRAINT active_routing_version_fkey FOREIGN KEY (version) REFERENCES public.routing_rules(version);
ALTER TABLE ONLY public.agent_versions
    ADD CONSTRAINT agent_versions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_version_exists FOREIGN KEY (id, version) REFERENCES public.agent_versions(agent_id, version) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.batch_calls
    ADD CONSTRAINT batch_calls_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.batches(id);
ALTER TABLE ONLY public.batch_calls
    ADD CONSTRAINT batch_calls_request_id_fkey FOREIGN KEY (request_id) REFERENCES public.batch_requests(id);
ALTER TABLE ONLY public.batch_requests
    ADD CONSTRAINT batch_requests_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.batch_requests
    ADD CONSTRAINT batch_requests_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.batches(id);
ALTER TABLE ONLY public.batch_requests
    ADD CONSTRAINT batch_requests_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.batch_requests
    ADD CONSTRAINT batch_requests_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id);
ALTER TABLE ONLY public.batch_requests
    ADD CONSTRAINT batch_requests_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.context_receipts
    ADD CONSTRAINT context_receipts_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.context_renewals
    ADD CONSTRAINT context_renewals_context_id_fkey FOREIGN KEY (context_id) REFERENCES public.contexts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.context_renewals
    ADD CONSTRAINT context_renewals_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.memory_versions(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.context_sources
    ADD CONSTRAINT context_sources_context_id_fkey FOREIGN KEY (context_id) REFERENCES public.contexts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.context_sources
    ADD CONSTRAINT context_sources_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.contexts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.context_tombstones
    ADD CONSTRAINT context_tombstones_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.context_uses
    ADD CONSTRAINT context_uses_context_id_fkey FOREIGN KEY (context_id) REFERENCES public.contexts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.context_vectors
    ADD CONSTRAINT context_vectors_context_id_fkey FOREIGN KEY (context_id) REFERENCES public.contexts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.context_vectors_due
    ADD CONSTRAINT context_vectors_due_context_id_fkey FOREIGN KEY (context_id) REFERENCES public.contexts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.context_vectors_due
    ADD CONSTRAINT context_vectors_due_model_fkey FOREIGN KEY (model) REFERENCES public.embedding_models(model);
ALTER TABLE ONLY public.context_vectors
    ADD CONSTRAINT context_vectors_model_dims_fkey FOREIGN KEY (model, dims) REFERENCES public.embedding_models(model, dims);
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_born_version_fkey FOREIGN KEY (born_version) REFERENCES public.memory_versions(id);
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_died_version_fkey FOREIGN KEY (died_version) REFERENCES public.memory_versions(id);
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_follows_id_fkey FOREIGN KEY (follows_id) REFERENCES public.contexts(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.contexts(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id);
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_superseded_by_fkey FOREIGN KEY (superseded_by) REFERENCES public.contexts(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.contexts
    ADD CONSTRAINT contexts_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_from_agent_id_fkey FOREIGN KEY (from_agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_from_task_id_fkey FOREIGN KEY (from_task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_reply_to_fkey FOREIGN KEY (reply_to) REFERENCES public.conversations(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES public.threads(id);
ALTER TABLE ONLY public.conversations
    ADD CONSTRAINT conversations_to_agent_id_fkey FOREIGN KEY (to_agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.cron_slots
    ADD CONSTRAINT cron_slots_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.housekeeping_orders(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.cron_slots
    ADD CONSTRAINT cron_slots_schedule_id_fkey FOREIGN KEY (schedule_id) REFERENCES public.schedules(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.cron_slots
    ADD CONSTRAINT cron_slots_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.housekeeping_runs
    ADD CONSTRAINT housekeeping_runs_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.housekeeping_orders(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.inboxes
    ADD CONSTRAINT inboxes_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.memory_versions
    ADD CONSTRAINT memory_versions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.memory_versions
    ADD CONSTRAINT memory_versions_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.memory_versions
    ADD CONSTRAINT memory_versions_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id);
ALTER TABLE ONLY public.message_deliveries
    ADD CONSTRAINT message_deliveries_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.inboxes(agent_id);
ALTER TABLE ONLY public.message_deliveries
    ADD CONSTRAINT message_deliveries_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.conversations(id);
ALTER TABLE ONLY public.message_deliveries
    ADD CONSTRAINT message_deliveries_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.message_deliveries
    ADD CONSTRAINT message_deliveries_wants_task_fkey FOREIGN KEY (wants_task) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.message_vectors_due
    ADD CONSTRAINT message_vectors_due_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.conversations(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.message_vectors
    ADD CONSTRAINT message_vectors_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.conversations(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_last_task_id_fkey FOREIGN KEY (last_task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.sleep_changes
    ADD CONSTRAINT sleep_changes_cycle_id_fkey FOREIGN KEY (cycle_id) REFERENCES public.sleep_cycles(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sleep_cycles
    ADD CONSTRAINT sleep_cycles_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.sleep_cycles
    ADD CONSTRAINT sleep_cycles_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.sleep_cycles
    ADD CONSTRAINT sleep_cycles_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id);
ALTER TABLE ONLY public.sleep_cycles
    ADD CONSTRAINT sleep_cycles_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.memory_versions(id);
ALTER TABLE ONLY public.sleep_events
    ADD CONSTRAINT sleep_events_sleep_id_fkey FOREIGN KEY (sleep_id) REFERENCES public.sleeps(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sleep_probes
    ADD CONSTRAINT sleep_probes_cycle_id_fkey FOREIGN KEY (cycle_id) REFERENCES public.sleep_cycles(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sleep_readings
    ADD CONSTRAINT sleep_readings_cycle_id_fkey FOREIGN KEY (cycle_id) REFERENCES public.sleep_cycles(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sleep_requests
    ADD CONSTRAINT sleep_requests_cycle_id_fkey FOREIGN KEY (cycle_id) REFERENCES public.sleep_cycles(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sleep_requests
    ADD CONSTRAINT sleep_requests_request_id_fkey FOREIGN KEY (request_id) REFERENCES public.batch_requests(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sleep_settings
    ADD CONSTRAINT sleep_settings_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.sleeps
    ADD CONSTRAINT sleeps_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.sleeps
    ADD CONSTRAINT sleeps_briefed_task_fkey FOREIGN KEY (briefed_task) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.sleeps
    ADD CONSTRAINT sleeps_cycle_id_fkey FOREIGN KEY (cycle_id) REFERENCES public.sleep_cycles(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.task_action_items
    ADD CONSTRAINT task_action_items_action_id_fkey FOREIGN KEY (action_id) REFERENCES public.task_actions(id);
ALTER TABLE ONLY public.task_artifacts
    ADD CONSTRAINT task_artifacts_sha256_fkey FOREIGN KEY (sha256) REFERENCES public.artifacts(sha256);
ALTER TABLE ONLY public.task_artifacts
    ADD CONSTRAINT task_artifacts_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.task_dependencies
    ADD CONSTRAINT task_dependencies_depends_on_fkey FOREIGN KEY (depends_on) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.task_dependencies
    ADD CONSTRAINT task_dependencies_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.task_messages
    ADD CONSTRAINT task_messages_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_assigned_agent_id_fkey FOREIGN KEY (assigned_agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_forked_from_fkey FOREIGN KEY (forked_from) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pinned_version FOREIGN KEY (assigned_agent_id, agent_version) REFERENCES public.agent_versions(agent_id, version);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_redriven_from_fkey FOREIGN KEY (redriven_from) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id);
ALTER TABLE ONLY public.threads
    ADD CONSTRAINT threads_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
