-- The newest entries of an agent, which its sleep is triggered by: ids of what runs remember are no times.
CREATE INDEX contexts_of_agent_by_time ON contexts (agent_id, recorded_at DESC) WHERE born_version IS NULL;
