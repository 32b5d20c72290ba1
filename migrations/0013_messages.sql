-- What people tell agents at work: accepted here, read by the run at its next step edge.

CREATE TYPE message_policy AS ENUM (
    'enqueue',   -- read when the turn in progress is over
    'interrupt', -- ends the model call or the command in flight, and is read next
    'reject'     -- not taken while the task runs
);

CREATE TABLE task_messages (
    -- These columns never change.
    task_id    uuid           NOT NULL REFERENCES tasks (id),
    number     integer        NOT NULL CONSTRAINT task_messages_number_positive CHECK (number >= 1),
    text       text           NOT NULL,
    policy     message_policy NOT NULL,
    author     text           NOT NULL,
    created_at timestamptz    NOT NULL DEFAULT now(),
    -- These are set once, in the transaction of the journal entry that holds the text.
    step       integer,
    read_at    timestamptz,
    PRIMARY KEY (task_id, number),
    CONSTRAINT task_messages_read_whole CHECK ((step IS NULL) = (read_at IS NULL))
);

ALTER TABLE tasks
    -- On the task's own row, so that a claim to the last word is decided by one row lock: a run that is about to ask the
    -- model or to end as done sees what was sent before.
    ADD COLUMN messages_sent integer NOT NULL DEFAULT 0, -- the number of the last one
    ADD COLUMN messages_read integer NOT NULL DEFAULT 0, -- the number of the last one that is in the journal
    ADD CONSTRAINT tasks_messages_order CHECK (messages_read BETWEEN 0 AND messages_sent);

COMMENT ON COLUMN steps.epoch IS 'The run that wrote it; 0 for a step that a fork shares with the task it came from.';
