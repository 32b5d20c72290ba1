-- Which model answers which call: versions of rules, one of them active, and what was chosen beside each call.

-- Rows are never updated: a change adds a version.
CREATE TABLE routing_rules (
    version    integer     PRIMARY KEY CONSTRAINT routing_rules_positive CHECK (version >= 1),
    rules      jsonb       NOT NULL CONSTRAINT routing_rules_list CHECK (jsonb_typeof(rules) = 'array'),
    note       text        NOT NULL DEFAULT '',
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- Without a rule the class of each agent decides.
INSERT INTO routing_rules (version, rules, note, created_by)
VALUES (1, '[]', 'Each agent is answered by the class that it names.', 'migration');

-- The version that tasks are pinned to when they begin.
CREATE TABLE active_routing (
    only_row     boolean     PRIMARY KEY DEFAULT true CONSTRAINT active_routing_only_row CHECK (only_row),
    version      integer     NOT NULL REFERENCES routing_rules (version),
    activated_by text        NOT NULL,
    activated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO active_routing (version, activated_by) VALUES (1, 'migration');

-- Without a foreign key: each first claim of the fleet would lock the row of the active version, and no version goes.
ALTER TABLE tasks
    ADD COLUMN routing_version integer; -- pinned by the first claim

CREATE TYPE route_reason AS ENUM (
    'task',    -- the task names the model
    'agent',   -- the agent names it by its id
    'rule',    -- a rule of routing_version names it
    'default', -- no rule fits: the class of the agent
    'fallback' -- the model that was chosen did not answer
);

-- NULL in calls that were made before there were rules.
ALTER TABLE llm_calls
    ADD COLUMN route           route_reason,
    ADD COLUMN routing_version integer;

-- The number of the next version. Volatile, so that it sees what was committed while its caller waited for a lock.
CREATE FUNCTION next_routing_version() RETURNS integer LANGUAGE sql VOLATILE AS
$$ SELECT coalesce(max(version), 0) + 1 FROM routing_rules $$;
