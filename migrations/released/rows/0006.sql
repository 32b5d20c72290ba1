-- Rows of every table there is after migration 0006. Times are fixed; what is left to now() is fixed by the dump.
-- The first migrations know of no weeks: the tasks lie in four different ones, and one has an id of no time.

INSERT INTO agents (id, project_id, type, name) VALUES
    ('019b8c00-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000001', 'backend', 'Ada'),
    ('019b8c00-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-000000000001', 'frontend', 'Grace');
INSERT INTO agent_versions (agent_id, version, role, system_prompt, model, tools, capabilities, limits)
SELECT id, 1, 'engineer', 'You write "code".', 'work', '{shell,finish}', '{rust}', '{"max_turns": 50}' FROM agents;

INSERT INTO sessions (id, project_id, created_by, name)
VALUES ('019b8c00-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-000000000001', 'ada', 'a session');

INSERT INTO tasks (id, project_id, title, duty, created_by, status, created_at, started_at, completed_at, result, labels,
                   next_seq, event_seq, epoch, session_id)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
       '00000000-0000-7000-8000-000000000001', 'task ' || n, 'noop', 'ada', 'succeeded', at, at, at,
       '{"summary": "Done: \"ä\".", "branch": null, "commit": null, "tree": null, "diff_stat": null, "checks": []}',
       '{"team": "blue"}', 3, 3, 1, '019b8c00-0000-7000-8000-0000000000b1'
FROM (SELECT n, timestamptz '2026-01-05 12:00Z' - n * interval '20 days' AS at FROM generate_series(0, 3) AS n) AS tasks;
INSERT INTO tasks (id, project_id, title, duty, created_by, status, created_at, completed_at, next_seq, event_seq)
VALUES ('ffffffff-0000-4000-8000-000000000000', '00000000-0000-7000-8000-000000000001', 'odd', 'noop', 'ada', 'succeeded',
        '2026-01-05 12:00Z', '2026-01-05 12:00Z', 3, 3);

-- One of an agent that waits, with everything a task may have.
INSERT INTO tasks (id, project_id, title, description, repository_url, base_ref, base_commit, acceptance, context, limits,
                   model, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason,
                   status_detail, run_at, attempt, epoch, next_seq, event_seq, parent_id, deadline, concurrency_key,
                   redriven_from, forked_from, forked_at, deaths, journal_format, error_class, input_tokens, cost_nano_usd)
SELECT '019b8c00-0000-7000-8000-0000000000c1', project_id, 'waits', 'at length', 'file:///srv/git/shop.git', 'main',
       repeat('a', 40), '[{"name": "tests", "command": "true", "timeout_seconds": 60}]', '{"ticket": 7}',
       '{"max_turns": 5}', 'work', 'ada', '2026-01-05 12:00Z', '019b8c00-0000-7000-8000-0000000000a1', 1, 2, 'waiting',
       'retry', 'the provider was away', '2026-01-05 13:00Z', 1, 4, 3, 3, id, '2026-02-01 00:00Z', 'one at a time', id, id,
       1, 1, 1, 'overloaded', 5, 70
FROM tasks WHERE title = 'task 0';

INSERT INTO task_dependencies (task_id, depends_on, resolved)
SELECT a.id, b.id, true FROM tasks a, tasks b WHERE a.title = 'waits' AND b.title IN ('task 0', 'odd');

-- The body of a step is kept byte for byte: no jsonb, which would drop a key that stands twice.
INSERT INTO steps (task_id, seq, epoch, kind, body, commit_hash, sandbox)
SELECT id, n, 1, CASE n WHEN 1 THEN 'reply' ELSE 'tool_results' END::step_kind, '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor'
FROM tasks, generate_series(1, 2) AS n;
INSERT INTO events (task_id, seq, kind, data) SELECT id, n, 'task.step', '{"n": 1}' FROM tasks, generate_series(1, 3) AS n;
INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256, state, request_id, input_tokens, finished_at)
SELECT id, id, 1, 1, 'claude', 'x', 'answered', 'req_1', 5, '2026-01-05 12:00Z' FROM tasks WHERE title <> 'odd';
INSERT INTO llm_calls (id, task_id, seq, epoch, model, request_sha256)
SELECT id, id, 1, 1, 'claude', 'x' FROM tasks WHERE title = 'odd';

INSERT INTO artifacts (sha256, bytes, body) VALUES (sha256('whole'), 5, 'whole');
INSERT INTO task_artifacts (task_id, name, sha256, media_type)
SELECT id, 'step-2-toolu_1', sha256('whole'), 'text/plain' FROM tasks;

INSERT INTO task_limits (kind, name, max_running, max_starts, per_seconds, starts)
VALUES ('key', 'one at a time', 1, 2, 60, '{2026-01-05 12:00Z}');
INSERT INTO pauses (scope, name, mode, reason, until, created_by)
VALUES ('lane', 'low', 'drain', 'a quiet night', '2026-01-06 00:00Z', 'ada');
