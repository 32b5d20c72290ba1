-- Agents asleep; what is done to their memory meanwhile is a row of sleep_cycles. An agent sleeps while it has a row that is not awake; of these it has one at most, whoever asks. Locks
-- are taken in this order: tasks by id, nights by agent.

CREATE TYPE sleep_state AS ENUM (
    'falling_asleep', -- none of its tasks starts, and those that run stop at their next step edge; left when none runs, or at falls_by
    'asleep',         -- its cycle is at work; left by the end of that, by work that cannot wait, by a person, or at wake_by
    'waking',         -- left by a briefing
    'awake'           -- over
);

CREATE TYPE wake_reason AS ENUM (
    'cycle_ended', -- its cycle completed, failed or was rejected
    'no_cycle',    -- none could begin
    'urgent',      -- a task of priority 1 or 2 is ready, or a message of that priority wants one
    'requested',   -- a person
    'wake_by'      -- it may not sleep longer
);

-- When an agent sleeps by itself, and how long. None: only when it is told to.
CREATE TABLE sleep_settings (
    agent_id         uuid        PRIMARY KEY REFERENCES agents (id),
    idle_seconds     integer     CONSTRAINT sleep_settings_idle CHECK (idle_seconds BETWEEN 1 AND 2592000),
    pressure_entries integer     CONSTRAINT sleep_settings_entries CHECK (pressure_entries BETWEEN 1 AND 100000),
    pressure_steps   integer     CONSTRAINT sleep_settings_steps CHECK (pressure_steps BETWEEN 1 AND 100000),
    fall_seconds     integer     NOT NULL CONSTRAINT sleep_settings_fall CHECK (fall_seconds BETWEEN 0 AND 86400),
    sleep_seconds    integer     NOT NULL CONSTRAINT sleep_settings_sleep CHECK (sleep_seconds BETWEEN 1 AND 86400),
    updated_by       text        NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sleeps (
    -- These columns never change.
    id            uuid          PRIMARY KEY,
    agent_id      uuid          NOT NULL REFERENCES agents (id),
    trigger       sleep_trigger NOT NULL,
    requested_by  text          NOT NULL, -- a person, a schedule, or the trigger
    began_at      timestamptz   NOT NULL DEFAULT now(),
    falls_by      timestamptz   NOT NULL, -- it is asleep then, whatever still runs to its step edge
    wake_by       timestamptz   NOT NULL, -- it wakes then, whatever its cycle does
    -- These do.
    state         sleep_state   NOT NULL DEFAULT 'falling_asleep',
    event_seq     integer       NOT NULL DEFAULT 1,
    -- These are set once.
    asleep_at     timestamptz,
    cycle_id      uuid          REFERENCES sleep_cycles (id) ON DELETE SET NULL,
    waking_at     timestamptz,
    wake_reason   wake_reason,
    woken_at      timestamptz,
    briefing      jsonb,
    briefing_due  boolean       NOT NULL DEFAULT false, -- a run that is about to ask the model tells it
    briefed_task  uuid          REFERENCES tasks (id),  -- the run that told it …
    briefed_step  integer,                              -- … and the entry that holds it
    briefed_at    timestamptz,
    CONSTRAINT sleeps_bounded CHECK (falls_by >= began_at AND wake_by > falls_by),
    CONSTRAINT sleeps_asleep CHECK (state <> 'asleep' OR asleep_at IS NOT NULL),
    CONSTRAINT sleeps_cycle_in_sleep CHECK (cycle_id IS NULL OR asleep_at IS NOT NULL),
    CONSTRAINT sleeps_waking CHECK ((state IN ('waking', 'awake')) = (waking_at IS NOT NULL)
                                    AND (waking_at IS NULL) = (wake_reason IS NULL)),
    CONSTRAINT sleeps_awake CHECK ((state = 'awake') = (woken_at IS NOT NULL)
                                   AND (woken_at IS NULL) = (briefing IS NULL)),
    CONSTRAINT sleeps_due_when_awake CHECK (NOT briefing_due OR state = 'awake' AND briefed_at IS NULL),
    CONSTRAINT sleeps_briefed CHECK (num_nonnulls(briefed_task, briefed_step, briefed_at) IN (0, 3)
                                     AND (briefed_at IS NULL OR state = 'awake'))
);
-- One at a time: whoever comes second finds the first.
CREATE UNIQUE INDEX sleeps_open ON sleeps (agent_id) WHERE state <> 'awake';
-- One is told: a later night tells what an untold one would have.
CREATE UNIQUE INDEX sleeps_to_tell ON sleeps (agent_id) WHERE briefing_due;
CREATE INDEX sleeps_by_agent ON sleeps (agent_id, began_at);
CREATE INDEX sleeps_by_cycle ON sleeps (cycle_id) WHERE cycle_id IS NOT NULL;

-- One for each transition, in its transaction.
CREATE TABLE sleep_events (
    sleep_id   uuid        NOT NULL REFERENCES sleeps (id) ON DELETE CASCADE,
    seq        integer     NOT NULL,
    kind       sleep_state NOT NULL, -- where the night stands from then on
    data       jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sleep_id, seq)
);

-- What came to an end lately: what an idle agent is judged by.
CREATE INDEX tasks_ended_by_agent ON tasks (assigned_agent_id, completed_at)
    WHERE assigned_agent_id IS NOT NULL AND completed_at IS NOT NULL;

-- A schedule may also put agents to sleep.
ALTER TABLE schedules
    ADD COLUMN sleep jsonb, -- whom
    DROP CONSTRAINT schedules_make_one_thing,
    ADD CONSTRAINT schedules_make_one_thing CHECK (num_nonnulls(task, duty, sleep) = 1);

-- A night is a gate like a pause of its agent.
CREATE OR REPLACE VIEW open_pauses AS
SELECT coalesce(bool_or(scope = 'fleet'), false)                          AS fleet,
       coalesce(array_agg(name) FILTER (WHERE scope = 'lane'), '{}')          AS lanes,
       coalesce(array_agg(name::uuid) FILTER (WHERE scope = 'agent'), '{}')
           || ARRAY(SELECT agent_id FROM sleeps WHERE state <> 'awake')       AS agents,
       coalesce(array_agg(name::uuid) FILTER (WHERE scope = 'session'), '{}') AS sessions
FROM pauses WHERE until IS NULL OR until > now();

CREATE OR REPLACE VIEW halting_pauses AS
SELECT coalesce(bool_or(scope = 'fleet'), false)                          AS fleet,
       coalesce(array_agg(name) FILTER (WHERE scope = 'lane'), '{}')          AS lanes,
       coalesce(array_agg(name::uuid) FILTER (WHERE scope = 'agent'), '{}')
           || ARRAY(SELECT agent_id FROM sleeps WHERE state <> 'awake')       AS agents,
       coalesce(array_agg(name::uuid) FILTER (WHERE scope = 'session'), '{}') AS sessions
FROM pauses WHERE mode = 'pause' AND (until IS NULL OR until > now());
