-- What a watcher sees. Numbered per task without gaps, in the transaction of the change it reports,
-- so that a reader who was away continues exactly where it stopped.
CREATE TABLE events (
    task_id    uuid        NOT NULL REFERENCES tasks (id),
    seq        bigint      NOT NULL,
    kind       text        NOT NULL,
    data       jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task_id, seq)
);
