-- What agents write to each other. A message is one row for all who receive it; each of them has a delivery, which says
-- how far it has come. Locks are taken in this order: a thread, inboxes by agent, tasks by id, deliveries.

CREATE TYPE message_kind AS ENUM (
    'message',  -- is told
    'question', -- waits for an answer until answer_by
    'answer'    -- the first reply of whoever was asked
);

CREATE TYPE message_audience AS ENUM (
    'direct',   -- to one agent
    'group',    -- to several that were named, of a type, or at work in a session
    'broadcast' -- to all active agents of the project
);

CREATE TYPE delivery_state AS ENUM (
    'pending',      -- waits for its time, or for a task of the agent; left by a task or a receiver
    'bound',        -- to a task, which reads it at its next step edge; left by that, or by the end of the task
    'taken',        -- by a receiver outside, until visible_at; left by its word or by that time
    'acknowledged', -- the journal of a task holds it, or a receiver said so
    'dead'          -- its tries are used up; left by a redrive
);

-- A conversation: who gives its messages their numbers.
CREATE TABLE threads (
    -- These columns never change.
    id          uuid        PRIMARY KEY,
    project_id  uuid        NOT NULL REFERENCES projects (id),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- This one does.
    last_number bigint      NOT NULL DEFAULT 0
);

-- Rows are never updated, but for reply_to when what it names was kept long enough.
CREATE TABLE conversations (
    id            uuid             PRIMARY KEY,
    project_id    uuid             NOT NULL REFERENCES projects (id),
    thread_id     uuid             NOT NULL REFERENCES threads (id),
    number        bigint           NOT NULL CONSTRAINT conversations_number_positive CHECK (number >= 1),
    session_id    uuid             REFERENCES sessions (id),
    from_agent_id uuid             REFERENCES agents (id), -- none: a person
    from_task_id  uuid             REFERENCES tasks (id),  -- the run that wrote it
    from_name     text             NOT NULL,               -- of the agent or the person, as it was then
    to_agent_id   uuid             REFERENCES agents (id), -- of a direct message; none when it replies to a person
    audience      message_audience NOT NULL,
    message_type  message_kind     NOT NULL,
    content       text             NOT NULL CONSTRAINT conversations_content_length
                                            CHECK (octet_length(content) BETWEEN 1 AND 8000),
    context_refs  uuid[]           NOT NULL DEFAULT '{}',
    trust         text             NOT NULL CONSTRAINT conversations_trust_known CHECK (trust IN ('user', 'agent')),
    reply_to      uuid             REFERENCES conversations (id) ON DELETE SET NULL,
    answer_by     timestamptz,
    wakes         boolean          NOT NULL,            -- an agent that is idle gets a task for it
    priority      smallint         NOT NULL DEFAULT 5 CONSTRAINT conversations_priority_range CHECK (priority BETWEEN 1 AND 9),
    hops          smallint         NOT NULL DEFAULT 0,  -- tasks in a row that were made for a message before it
    send_key      text,                                 -- of the call of a tool: made again, it is the same message
    created_at    timestamptz      NOT NULL DEFAULT now(),
    words         tsvector         NOT NULL GENERATED ALWAYS AS (to_tsvector('english', content)) STORED,
    CONSTRAINT conversations_in_order UNIQUE (thread_id, number),
    CONSTRAINT conversations_sent_once UNIQUE (send_key),
    CONSTRAINT conversations_direct_names_one CHECK (audience = 'direct' OR to_agent_id IS NULL),
    CONSTRAINT conversations_question_has_time CHECK ((message_type = 'question') = (answer_by IS NOT NULL)),
    CONSTRAINT conversations_person_is_trusted CHECK ((from_agent_id IS NULL) = (trust = 'user'))
);
CREATE INDEX conversations_words ON conversations USING gin (words);
CREATE INDEX conversations_sent_by ON conversations (from_agent_id, id) WHERE from_agent_id IS NOT NULL;
CREATE INDEX conversations_of_task ON conversations (from_task_id) WHERE from_task_id IS NOT NULL;
CREATE INDEX conversations_replies ON conversations (reply_to) WHERE reply_to IS NOT NULL;
-- The order of arrival, for retention.
CREATE INDEX conversations_by_time ON conversations (created_at);

-- One for each agent that was ever written to.
CREATE TABLE inboxes (
    agent_id           uuid        PRIMARY KEY REFERENCES agents (id),
    last_place         bigint      NOT NULL DEFAULT 0,     -- of the last delivery
    pulled             boolean     NOT NULL DEFAULT false, -- somebody outside receives: no task is made or woken
    visibility_seconds integer     NOT NULL DEFAULT 30 CONSTRAINT inboxes_visibility_range
                                                       CHECK (visibility_seconds BETWEEN 1 AND 43200),
    max_tries          integer     NOT NULL DEFAULT 5 CONSTRAINT inboxes_tries_range CHECK (max_tries BETWEEN 1 AND 100),
    -- The breaker of the receiver.
    failures           integer     NOT NULL DEFAULT 0, -- tries in a row that failed
    failed_at          timestamptz,                    -- the last of them
    open_until         timestamptz                     -- before it nobody may write
);

CREATE TABLE message_deliveries (
    -- These columns never change.
    agent_id        uuid           NOT NULL REFERENCES inboxes (agent_id),
    place           bigint         NOT NULL, -- in the agent's inbox, from 1 without gaps: what a reader goes on from
    message_id      uuid           NOT NULL REFERENCES conversations (id),
    wants_task      uuid           REFERENCES tasks (id), -- the task that it answers
    -- These do.
    state           delivery_state NOT NULL DEFAULT 'pending',
    task_id         uuid           REFERENCES tasks (id), -- bound to it, or read by it
    tries           integer        NOT NULL DEFAULT 0,
    visible_at      timestamptz    NOT NULL DEFAULT now(), -- pending: not before; taken: until then
    last_error      text,
    -- These are set once: step in the transaction of the journal entry that holds the text.
    step            integer,
    acknowledged_by text,
    acknowledged_at timestamptz,
    died_at         timestamptz,
    PRIMARY KEY (agent_id, place),
    CONSTRAINT message_deliveries_once UNIQUE (message_id, agent_id),
    CONSTRAINT message_deliveries_bound CHECK (state <> 'bound' OR task_id IS NOT NULL),
    CONSTRAINT message_deliveries_free CHECK (state NOT IN ('pending', 'taken') OR task_id IS NULL),
    CONSTRAINT message_deliveries_acknowledged
        CHECK ((state = 'acknowledged') = (acknowledged_at IS NOT NULL)
               AND (state = 'acknowledged') = (acknowledged_by IS NOT NULL)),
    CONSTRAINT message_deliveries_read CHECK (step IS NULL OR state = 'acknowledged' AND task_id IS NOT NULL),
    CONSTRAINT message_deliveries_died CHECK ((state = 'dead') = (died_at IS NOT NULL))
);
-- What is on its way, which is little of it all.
CREATE INDEX message_deliveries_open ON message_deliveries (agent_id, place) WHERE state IN ('pending', 'bound', 'taken');
CREATE INDEX message_deliveries_pending ON message_deliveries (visible_at) WHERE state = 'pending';
CREATE INDEX message_deliveries_taken ON message_deliveries (visible_at) WHERE state = 'taken';
CREATE INDEX message_deliveries_bound ON message_deliveries (task_id, place) WHERE state = 'bound';
CREATE INDEX message_deliveries_dead ON message_deliveries (died_at) WHERE state = 'dead';
CREATE INDEX message_deliveries_known ON message_deliveries (agent_id, acknowledged_at) WHERE state = 'acknowledged';

ALTER TABLE tasks
    -- On the task's own row, as messages_sent is: a run that is about to ask the model or to end sees what is bound to it.
    ADD COLUMN mail       integer NOT NULL DEFAULT 0, -- deliveries bound to it
    ADD COLUMN message_id uuid, -- it was made for this message
    ADD CONSTRAINT tasks_mail_positive CHECK (mail >= 0);

-- The tasks that can read what an agent is sent.
CREATE INDEX tasks_at_work ON tasks (assigned_agent_id, id)
    WHERE assigned_agent_id IS NOT NULL AND status IN ('ready', 'running', 'waiting');
