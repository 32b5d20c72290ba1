-- Everything on a clock: schedules, the slots they fired, and the housekeeping that system schedules order.

-- A call whose run is over and of which nobody will hear any more; usable from the next migration on.
ALTER TYPE call_state ADD VALUE 'unknown'; -- closed by housekeeping; an answer that comes all the same still counts

CREATE TYPE overlap_policy AS ENUM (
    'allow', -- a slot fires while the task of an earlier one runs
    'skip',  -- … is skipped
    'queue'  -- … waits for its end; one waits, further ones are skipped
);

CREATE TYPE catch_up_policy AS ENUM (
    'none', -- slots that were missed are dropped
    'one',  -- the latest of them fires
    'all'   -- all of them fire, the latest catch_up_limit of them
);

CREATE TYPE slot_outcome AS ENUM (
    'fired',   -- it made what the schedule makes
    'waiting', -- it waits for the task of an earlier slot; left by that one's end
    'skipped', -- the task of an earlier slot had not ended
    'refused'  -- what the schedule makes was refused; detail says why
);

CREATE TABLE schedules (
    -- These columns never change.
    id             uuid            PRIMARY KEY,
    project_id     uuid            NOT NULL REFERENCES projects (id),
    system         boolean         NOT NULL DEFAULT false, -- made by the scheduler's start; can be disabled, not deleted
    created_by     text            NOT NULL,
    created_at     timestamptz     NOT NULL DEFAULT now(),
    -- These may; each change raises version.
    name           text            NOT NULL CONSTRAINT schedules_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    cron           text            NOT NULL,
    time_zone      text            NOT NULL,
    overlap        overlap_policy  NOT NULL,
    catch_up       catch_up_policy NOT NULL,
    catch_up_limit integer         NOT NULL CONSTRAINT schedules_catch_up_limit CHECK (catch_up_limit BETWEEN 1 AND 1000),
    enabled        boolean         NOT NULL,
    task           jsonb,          -- what each slot makes: a task that passed the door …
    duty           text,           -- … or an order for this duty of housekeeping
    options        jsonb           NOT NULL DEFAULT '{}', -- of the duty
    version        integer         NOT NULL DEFAULT 1,
    updated_at     timestamptz     NOT NULL DEFAULT now(),
    -- These change with each slot.
    last_slot      timestamptz,
    next_slot      timestamptz,    -- NULL: it never fires again
    last_task_id   uuid            REFERENCES tasks (id), -- what an overlap is judged by
    last_order_id  uuid,
    last_error     text,           -- why the last try to fire did not come off; cleared by one that does
    CONSTRAINT schedules_name_key UNIQUE (project_id, name),
    CONSTRAINT schedules_make_one_thing CHECK (num_nonnulls(task, duty) = 1)
);
-- The tick: what is due.
CREATE INDEX schedules_due ON schedules (next_slot) WHERE enabled;

-- An order for one run of a duty, by a schedule or by a person. Whoever can do it finds it here.
CREATE TABLE housekeeping_orders (
    -- Rows are never updated.
    id         uuid        PRIMARY KEY,
    duty       text        NOT NULL,
    dry_run    boolean     NOT NULL,
    keep_days  integer     CONSTRAINT housekeeping_orders_keep_days CHECK (keep_days BETWEEN 1 AND 3650), -- instead of the configured retention
    ordered_by text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX housekeeping_orders_recent ON housekeeping_orders (created_at);

CREATE TYPE housekeeping_state AS ENUM (
    'running', -- taken; left by its end, or by nobody when who took it died
    'done',
    'failed'   -- error says why
);

-- Who did an order: one row for the database, or one per host for duties that need the host's files.
CREATE TABLE housekeeping_runs (
    -- These columns never change.
    order_id      uuid               NOT NULL REFERENCES housekeeping_orders (id) ON DELETE CASCADE,
    host          text               NOT NULL, -- '' for duties of the database
    started_at    timestamptz        NOT NULL DEFAULT now(),
    -- These are set once, at the end.
    state         housekeeping_state NOT NULL DEFAULT 'running',
    finished_at   timestamptz,
    removed_rows  bigint             NOT NULL DEFAULT 0, -- or files' directories; what would be removed, in a dry run
    removed_bytes bigint             NOT NULL DEFAULT 0,
    report        jsonb              NOT NULL DEFAULT '{}',
    error         text,
    PRIMARY KEY (order_id, host),
    CONSTRAINT housekeeping_runs_finished CHECK ((state = 'running') = (finished_at IS NULL))
);

-- When each duty last succeeded, dry runs aside. Outlives the orders.
CREATE TABLE housekeeping_successes (
    duty text        NOT NULL,
    host text        NOT NULL,
    at   timestamptz NOT NULL,
    PRIMARY KEY (duty, host)
);

-- One slot, one firing: the key decides it among any number of schedulers.
CREATE TABLE cron_slots (
    schedule_id uuid         NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    slot        timestamptz  NOT NULL,
    manual      boolean      NOT NULL DEFAULT false, -- fired by a person, at the time of slot
    outcome     slot_outcome NOT NULL,
    task_id     uuid         REFERENCES tasks (id),
    order_id    uuid         REFERENCES housekeeping_orders (id) ON DELETE SET NULL,
    detail      text,
    created_at  timestamptz  NOT NULL DEFAULT now(),
    fired_at    timestamptz, -- its distance from slot is the lag
    PRIMARY KEY (schedule_id, slot),
    CONSTRAINT cron_slots_fired CHECK ((outcome = 'fired') = (fired_at IS NOT NULL))
);
-- One waits.
CREATE UNIQUE INDEX cron_slots_waiting ON cron_slots (schedule_id) WHERE outcome = 'waiting';
-- What is old.
CREATE INDEX cron_slots_by_age ON cron_slots (created_at);
