-- What happens to the system as a whole, beside its tasks: one row per event, written in the transaction of what it tells.
-- Triggers write most of them, so that no way of changing a table passes them by.

CREATE TABLE system_events (
    -- Rows are never changed, but for their number, which they get in the transaction that writes them.
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- From 1 without gaps, in the order of the commits: who has read up to a number will not see a lower one appear.
    seq     bigint      CONSTRAINT system_events_seq UNIQUE,
    channel text        NOT NULL CONSTRAINT system_events_channel CHECK (channel IN ('system_events', 'health_checks')),
    kind    text        NOT NULL CONSTRAINT system_events_kind CHECK (kind ~ '^[a-z_]{1,60}[.][a-z_]{1,60}$'),
    subject text        NOT NULL, -- what it happened to: an id, a name; 'fleet' for everything
    data    jsonb       NOT NULL DEFAULT '{}',
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX system_events_by_channel ON system_events (channel, seq);
CREATE INDEX system_events_by_kind ON system_events (kind, seq);
CREATE INDEX system_events_by_subject ON system_events (subject, seq);
CREATE INDEX system_events_by_age ON system_events (at);

-- One row: the last number given, and the last that was told to those who listen at Redis.
CREATE TABLE system_event_numbers (
    the_one boolean PRIMARY KEY DEFAULT true CONSTRAINT system_event_numbers_one CHECK (the_one),
    last    bigint  NOT NULL DEFAULT 0,
    told    bigint  NOT NULL DEFAULT 0
);
ALTER TABLE system_event_numbers SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
INSERT INTO system_event_numbers DEFAULT VALUES;

-- Runs when everything else of the transaction is done: the lock on the one row is the last that it takes, and is held for
-- its commit alone.
CREATE FUNCTION number_system_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE next bigint;
BEGIN
    UPDATE system_event_numbers SET last = last + 1 RETURNING last INTO next;
    UPDATE system_events SET seq = next, at = clock_timestamp() WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER system_events_are_numbered AFTER INSERT ON system_events
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION number_system_event();

CREATE FUNCTION tell_system(channel text, kind text, subject text, data jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO system_events (channel, kind, subject, data) VALUES ($1, $2, $3, jsonb_strip_nulls($4))
$$;

-- Pauses.
CREATE FUNCTION tell_pause() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE p pauses := coalesce(NEW, OLD);
BEGIN
    PERFORM tell_system('system_events',
        CASE WHEN TG_OP = 'DELETE' THEN 'queue.resumed' WHEN p.mode = 'drain' THEN 'queue.drained' ELSE 'queue.paused' END,
        CASE WHEN p.scope = 'fleet' THEN 'fleet' ELSE p.scope || ':' || p.name END,
        jsonb_build_object('scope', p.scope, 'name', p.name, 'mode', p.mode, 'reason', p.reason, 'until', p.until,
                           'paused_by', p.created_by));
    RETURN NULL;
END $$;
CREATE TRIGGER pauses_are_told AFTER INSERT OR UPDATE OR DELETE ON pauses FOR EACH ROW EXECUTE FUNCTION tell_pause();

-- Agents that fall asleep and wake.
CREATE FUNCTION tell_sleep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE s sleeps;
BEGIN
    SELECT * INTO s FROM sleeps WHERE id = NEW.sleep_id;
    PERFORM tell_system('system_events', 'agent.' || NEW.kind, s.agent_id::text,
        NEW.data || jsonb_build_object('sleep_id', s.id, 'trigger', s.trigger, 'wake_by', s.wake_by, 'cycle_id', s.cycle_id,
                                       'wake_reason', s.wake_reason));
    RETURN NULL;
END $$;
CREATE TRIGGER sleep_events_are_told AFTER INSERT ON sleep_events FOR EACH ROW EXECUTE FUNCTION tell_sleep();

-- Nights.
CREATE FUNCTION tell_sleep_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_system('system_events', 'sleep_cycle.' || NEW.state, NEW.id::text,
        jsonb_build_object('scope', NEW.scope, 'agent_id', NEW.agent_id, 'project_id', NEW.project_id,
                           'session_id', NEW.session_id, 'trigger', NEW.trigger, 'asked_by', NEW.asked_by,
                           'worker', NEW.worker, 'failure', NEW.failure, 'stopped_by', NEW.stopped_by,
                           'quality_before', NEW.quality_before, 'quality_after', NEW.quality_after));
    RETURN NULL;
END $$;
CREATE TRIGGER sleep_cycles_begin_told AFTER INSERT ON sleep_cycles FOR EACH ROW EXECUTE FUNCTION tell_sleep_cycle();
CREATE TRIGGER sleep_cycles_are_told AFTER UPDATE OF state ON sleep_cycles FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION tell_sleep_cycle();

-- Checkpoints.
CREATE FUNCTION tell_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_system('system_events',
        'checkpoint.' || CASE WHEN NEW.removed_at IS NULL THEN NEW.status::text ELSE 'removed' END, NEW.id::text,
        jsonb_build_object('requested_by', NEW.requested_by, 'worker', NEW.worker, 'directory', NEW.directory,
                           'bytes', NEW.bytes, 'manifest_sha256', NEW.manifest_sha256, 'error', NEW.error));
    RETURN NULL;
END $$;
CREATE TRIGGER system_checkpoints_begin_told AFTER INSERT ON system_checkpoints FOR EACH ROW EXECUTE FUNCTION tell_checkpoint();
CREATE TRIGGER system_checkpoints_are_told AFTER UPDATE OF status, removed_at ON system_checkpoints FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR OLD.removed_at IS NULL AND NEW.removed_at IS NOT NULL) EXECUTE FUNCTION tell_checkpoint();

-- What stands between the workers and the provider.
CREATE FUNCTION tell_provider() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_system('system_events', 'provider.' || NEW.kind,
        CASE NEW.model WHEN '' THEN 'key:' || NEW.key_id ELSE 'model:' || NEW.model END,
        jsonb_build_object('key_id', NEW.key_id, 'model', nullif(NEW.model, ''), 'detail', nullif(NEW.detail, '')));
    RETURN NULL;
END $$;
CREATE TRIGGER provider_events_are_told AFTER INSERT ON provider_events FOR EACH ROW EXECUTE FUNCTION tell_provider();

CREATE FUNCTION tell_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Each refusal may prolong a hold: it is told when it begins.
    IF NEW.hold_until > now() AND (TG_OP = 'INSERT' OR OLD.hold_until IS NULL OR OLD.hold_until <= now()) THEN
        PERFORM tell_system('system_events', 'provider.held', 'model:' || NEW.model,
            jsonb_build_object('key_id', NEW.key_id, 'model', NEW.model, 'until', NEW.hold_until));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER provider_models_begin_told AFTER INSERT ON provider_models FOR EACH ROW
    WHEN (NEW.hold_until IS NOT NULL) EXECUTE FUNCTION tell_hold();
CREATE TRIGGER provider_models_are_told AFTER UPDATE OF hold_until ON provider_models FOR EACH ROW
    WHEN (NEW.hold_until IS NOT NULL AND OLD.hold_until IS DISTINCT FROM NEW.hold_until) EXECUTE FUNCTION tell_hold();

-- Money. Budgets that come of a task's own limits are told with the task.
ALTER TABLE budgets
    ADD COLUMN exhausted_at timestamptz; -- the first call that did not fit since the cap was raised, or of the day
CREATE FUNCTION tell_budget() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER budgets_begin_told AFTER INSERT ON budgets FOR EACH ROW
    WHEN (NEW.created_by <> 'limits') EXECUTE FUNCTION tell_budget();
CREATE TRIGGER budgets_are_told AFTER UPDATE OF cap_nano_usd, exhausted_at ON budgets FOR EACH ROW
    WHEN (NEW.created_by <> 'limits' AND (OLD.cap_nano_usd <> NEW.cap_nano_usd
                                          OR OLD.exhausted_at IS DISTINCT FROM NEW.exhausted_at))
    EXECUTE FUNCTION tell_budget();
CREATE TRIGGER budgets_end_told AFTER DELETE ON budgets FOR EACH ROW
    WHEN (OLD.created_by <> 'limits') EXECUTE FUNCTION tell_budget();

-- Workers that come, fall silent and leave.
ALTER TABLE workers
    ADD COLUMN lost_at timestamptz; -- it was silent for longer than a lease; NULL again when it is heard of
CREATE FUNCTION tell_worker() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER workers_begin_told AFTER INSERT ON workers FOR EACH ROW EXECUTE FUNCTION tell_worker();
CREATE TRIGGER workers_are_told AFTER UPDATE OF draining, lost_at ON workers FOR EACH ROW
    WHEN (NOT OLD.draining AND NEW.draining OR (OLD.lost_at IS NULL) <> (NEW.lost_at IS NULL)) EXECUTE FUNCTION tell_worker();
CREATE TRIGGER workers_end_told AFTER DELETE ON workers FOR EACH ROW
    WHEN (OLD.lost_at IS NULL) EXECUTE FUNCTION tell_worker();

-- Schedules.
CREATE FUNCTION tell_schedule() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER schedules_begin_told AFTER INSERT ON schedules FOR EACH ROW
    WHEN (NOT NEW.system) EXECUTE FUNCTION tell_schedule();
CREATE TRIGGER schedules_are_told AFTER UPDATE OF enabled, last_error ON schedules FOR EACH ROW
    WHEN (OLD.enabled <> NEW.enabled OR OLD.last_error IS NULL AND NEW.last_error IS NOT NULL) EXECUTE FUNCTION tell_schedule();
CREATE TRIGGER schedules_end_told AFTER DELETE ON schedules FOR EACH ROW EXECUTE FUNCTION tell_schedule();

-- How the parts of the fleet are that no single process can tell, as the schedulers last found them.
CREATE TABLE fleet_health (
    component  text        PRIMARY KEY CONSTRAINT fleet_health_component CHECK (component IN ('provider', 'queue', 'workers')),
    state      text        NOT NULL CONSTRAINT fleet_health_state CHECK (state IN ('up', 'degraded', 'down')),
    reason     text        CONSTRAINT fleet_health_reason CHECK ((reason IS NULL) = (state = 'up')),
    since      timestamptz NOT NULL DEFAULT now(), -- of the state
    checked_at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION tell_fleet_health() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_system('health_checks', 'health.' || NEW.state, NEW.component,
        jsonb_build_object('process', 'fleet', 'component', NEW.component, 'reason', NEW.reason));
    RETURN NULL;
END $$;
CREATE TRIGGER fleet_health_begins_told AFTER INSERT ON fleet_health FOR EACH ROW EXECUTE FUNCTION tell_fleet_health();
CREATE TRIGGER fleet_health_is_told AFTER UPDATE OF state ON fleet_health FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION tell_fleet_health();
