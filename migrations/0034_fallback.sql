-- Models that stand in for an agent's own, in this order, when that one is overloaded or gone. Empty: the task waits.
ALTER TABLE agent_versions ADD COLUMN fallback_models text[] NOT NULL DEFAULT '{}';
