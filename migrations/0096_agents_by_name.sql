-- Who is called by a name is found by it, however it is written.
CREATE INDEX agents_by_name ON agents (lower(name), project_id);
