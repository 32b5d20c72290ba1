-- The schema after migration 0006, with rows; made by `make schema-dump`.
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
CREATE TYPE public.agent_status AS ENUM (
    'active',
    'inactive'
);
CREATE TYPE public.call_state AS ENUM (
    'intent',
    'answered',
    'failed'
);
CREATE TYPE public.dependency_policy AS ENUM (
    'fail',
    'skip',
    'continue'
);
CREATE TYPE public.pause_mode AS ENUM (
    'pause',
    'drain'
);
CREATE TYPE public.status_reason AS ENUM (
    'scheduled',
    'dependencies',
    'retry',
    'rate_limited',
    'provider_unavailable',
    'sandbox_unavailable',
    'drained',
    'orphaned',
    'verification_failed',
    'turn_limit',
    'time_limit',
    'token_limit',
    'cost_limit',
    'max_tokens',
    'refused',
    'context_window',
    'empty_reply',
    'bad_tool_input',
    'unexpected_reply',
    'authentication',
    'billing',
    'permission',
    'model_not_found',
    'invalid_request',
    'request_too_large',
    'repository',
    'dependency_failed',
    'dependency_skipped',
    'no_agent',
    'attempts_exhausted',
    'requested',
    'concurrency',
    'paused',
    'isolated',
    'timer',
    'outcome_unknown',
    'journal_format',
    'deadline',
    'loop_detected',
    'parent_cancelled',
    'poison'
);
CREATE TYPE public.step_kind AS ENUM (
    'reply',
    'tool_results',
    'note',
    'checks'
);
CREATE TYPE public.task_status AS ENUM (
    'proposed',
    'pending',
    'ready',
    'running',
    'waiting',
    'succeeded',
    'failed',
    'cancelled',
    'dead'
);
SET default_table_access_method = heap;
CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE public.agent_versions (
    agent_id uuid NOT NULL,
    version integer NOT NULL,
    role text NOT NULL,
    system_prompt text NOT NULL,
    model text NOT NULL,
    tools text[] NOT NULL,
    capabilities text[] DEFAULT '{}'::text[] NOT NULL,
    limits jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT agent_versions_positive CHECK ((version >= 1))
);
CREATE TABLE public.agents (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    type text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    name text NOT NULL,
    status public.agent_status DEFAULT 'active'::public.agent_status NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT agents_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
    CONSTRAINT agents_type_length CHECK (((char_length(type) >= 1) AND (char_length(type) <= 100)))
);
CREATE TABLE public.artifacts (
    sha256 bytea NOT NULL,
    bytes bigint NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT artifacts_sha256_length CHECK ((octet_length(sha256) = 32))
);
CREATE TABLE public.events (
    task_id uuid NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.llm_calls (
    id uuid NOT NULL,
    task_id uuid NOT NULL,
    seq integer NOT NULL,
    epoch bigint NOT NULL,
    model text NOT NULL,
    request_sha256 bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    state public.call_state DEFAULT 'intent'::public.call_state NOT NULL,
    request_id text,
    error text,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cache_read_tokens bigint DEFAULT 0 NOT NULL,
    cache_write_tokens bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT llm_calls_finished CHECK (((state = 'intent'::public.call_state) = (finished_at IS NULL)))
);
CREATE TABLE public.pauses (
    scope text NOT NULL,
    name text NOT NULL,
    mode public.pause_mode NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    until timestamp with time zone,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT pauses_scope CHECK ((scope = ANY (ARRAY['fleet'::text, 'lane'::text, 'agent'::text, 'session'::text])))
);
CREATE TABLE public.projects (
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    name text NOT NULL,
    CONSTRAINT projects_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255)))
);
CREATE TABLE public.sessions (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    name text NOT NULL,
    CONSTRAINT sessions_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255)))
);
CREATE TABLE public.steps (
    task_id uuid NOT NULL,
    seq integer NOT NULL,
    epoch bigint NOT NULL,
    kind public.step_kind NOT NULL,
    body json NOT NULL,
    commit_hash text,
    sandbox text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT steps_seq_positive CHECK ((seq >= 1))
);
CREATE TABLE public.task_artifacts (
    task_id uuid NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    media_type text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.task_dependencies (
    task_id uuid NOT NULL,
    depends_on uuid NOT NULL,
    resolved boolean DEFAULT false NOT NULL,
    CONSTRAINT task_dependencies_not_itself CHECK ((task_id <> depends_on))
);
CREATE TABLE public.task_limits (
    kind text NOT NULL,
    name text NOT NULL,
    max_running integer,
    max_starts integer,
    per_seconds integer,
    starts timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT task_limits_kind CHECK ((kind = ANY (ARRAY['key'::text, 'agent'::text]))),
    CONSTRAINT task_limits_rate_whole CHECK (((max_starts IS NULL) = (per_seconds IS NULL))),
    CONSTRAINT task_limits_running CHECK (((max_running >= 1) AND (max_running <= 100000))),
    CONSTRAINT task_limits_running_of_keys CHECK (((max_running IS NULL) OR (kind = 'key'::text))),
    CONSTRAINT task_limits_seconds CHECK (((per_seconds >= 1) AND (per_seconds <= 86400))),
    CONSTRAINT task_limits_starts CHECK (((max_starts >= 1) AND (max_starts <= 1000)))
);
CREATE TABLE public.tasks (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    title text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    duty text,
    repository_url text,
    base_ref text,
    base_commit text,
    acceptance jsonb DEFAULT '[]'::jsonb NOT NULL,
    context jsonb DEFAULT '{}'::jsonb NOT NULL,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    limits jsonb DEFAULT '{}'::jsonb NOT NULL,
    model text,
    on_dependency_failure public.dependency_policy DEFAULT 'fail'::public.dependency_policy NOT NULL,
    max_attempts integer DEFAULT 3 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    assigned_agent_id uuid,
    agent_version integer,
    priority smallint DEFAULT 5 NOT NULL,
    status public.task_status NOT NULL,
    status_reason public.status_reason,
    status_detail text,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    verify_only boolean DEFAULT false NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    worker text,
    lease_until timestamp with time zone,
    announced_at timestamp with time zone,
    next_seq integer DEFAULT 1 NOT NULL,
    event_seq bigint DEFAULT 0 NOT NULL,
    result jsonb,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cache_read_tokens bigint DEFAULT 0 NOT NULL,
    cache_write_tokens bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone,
    claimed_at timestamp with time zone,
    run_seconds double precision DEFAULT 0 NOT NULL,
    completed_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    session_id uuid,
    parent_id uuid,
    deadline timestamp with time zone,
    concurrency_key text,
    redriven_from uuid,
    forked_from uuid,
    forked_at integer,
    deaths integer DEFAULT 0 NOT NULL,
    isolated boolean DEFAULT false NOT NULL,
    journal_format smallint,
    error_class text,
    CONSTRAINT tasks_agent_or_duty CHECK (((duty IS NULL) = (assigned_agent_id IS NOT NULL))),
    CONSTRAINT tasks_completed_only_at_end CHECK (((status = ANY (ARRAY['succeeded'::public.task_status, 'failed'::public.task_status, 'cancelled'::public.task_status, 'dead'::public.task_status])) = (completed_at IS NOT NULL))),
    CONSTRAINT tasks_concurrency_key_length CHECK (((char_length(concurrency_key) >= 1) AND (char_length(concurrency_key) <= 255))),
    CONSTRAINT tasks_duty_known CHECK ((duty = 'noop'::text)),
    CONSTRAINT tasks_fork_whole CHECK (((forked_from IS NULL) = (forked_at IS NULL))),
    CONSTRAINT tasks_forked_at_positive CHECK ((forked_at >= 1)),
    CONSTRAINT tasks_lease_only_while_running CHECK ((((status = 'running'::public.task_status) = (lease_until IS NOT NULL)) AND ((status = 'running'::public.task_status) = (worker IS NOT NULL)))),
    CONSTRAINT tasks_max_attempts_range CHECK (((max_attempts >= 1) AND (max_attempts <= 100))),
    CONSTRAINT tasks_not_its_parent CHECK ((parent_id <> id)),
    CONSTRAINT tasks_priority_range CHECK (((priority >= 1) AND (priority <= 9))),
    CONSTRAINT tasks_reason_where_needed CHECK (((status_reason IS NOT NULL) OR (status <> ALL (ARRAY['pending'::public.task_status, 'waiting'::public.task_status, 'failed'::public.task_status, 'cancelled'::public.task_status, 'dead'::public.task_status])))),
    CONSTRAINT tasks_repository_whole CHECK ((num_nulls(repository_url, base_ref, base_commit) = ANY (ARRAY[0, 3]))),
    CONSTRAINT tasks_title_length CHECK (((char_length(title) >= 1) AND (char_length(title) <= 255)))
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.05');
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (1, 'projects agents', '2026-01-05 12:00:00+00', true, '\xd05eb8626664905f89f43b64ee5eac30ca9e677ede88511538b4974b69e2e2dde6563110b14b494eef6f151079c896cc', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (2, 'tasks', '2026-01-05 12:00:00+00', true, '\x9176126dfc753e72fd5809466de0c526d33949b9e639c88ac9b279c52f3b72bbc148b36fc23aba8d0388102a10de52ec', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (3, 'journal', '2026-01-05 12:00:00+00', true, '\xeef07a7acd86aa7897189d6924ff8ce8062124e852060c4db359212290c323cfe9f10632bfe4bb33d380839abd50436d', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (4, 'events', '2026-01-05 12:00:00+00', true, '\x93f12a873093f536c8d4c18d66c1073fa81b74f6e5fb5e21728e8cf6f79ed73cfc621a056c506cb642e64c1ece20ff3f', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (5, 'operation reasons', '2026-01-05 12:00:00+00', true, '\x3c57d924fe6f0298fef2e1b0e5b9511bd6c58957f6bff7af65180d401dc790094b5f8b5433f018708a8dc7560d4d7aff', 0);
INSERT INTO public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) VALUES (6, 'operations', '2026-01-05 12:00:00+00', true, '\x49d584c7722827b5f634057c74e47750018ba7bbb806352467526a31911433fd5d88bc75f676d877ef127d0b3ecf3ee1', 0);
INSERT INTO public.agent_versions (agent_id, version, role, system_prompt, model, tools, capabilities, limits, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000a1', 1, 'engineer', 'You write "code".', 'work', '{shell,finish}', '{rust}', '{"max_turns": 50}', '2026-01-05 12:00:00+00');
INSERT INTO public.agent_versions (agent_id, version, role, system_prompt, model, tools, capabilities, limits, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000a2', 1, 'engineer', 'You write "code".', 'work', '{shell,finish}', '{rust}', '{"max_turns": 50}', '2026-01-05 12:00:00+00');
INSERT INTO public.agents (id, project_id, type, created_at, name, status, version, updated_at) VALUES ('019b8c00-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000001', 'backend', '2026-01-05 12:00:00+00', 'Ada', 'active', 1, '2026-01-05 12:00:00+00');
INSERT INTO public.agents (id, project_id, type, created_at, name, status, version, updated_at) VALUES ('019b8c00-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-000000000001', 'frontend', '2026-01-05 12:00:00+00', 'Grace', 'active', 1, '2026-01-05 12:00:00+00');
INSERT INTO public.artifacts (sha256, bytes, body, created_at) VALUES ('\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 5, '\x77686f6c65', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 1, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 2, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.events (task_id, seq, kind, data, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 3, 'task.step', '{"n": 1}', '2026-01-05 12:00:00+00');
INSERT INTO public.llm_calls (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at) VALUES ('019a5909-b600-7000-8000-000000000003', '019a5909-b600-7000-8000-000000000003', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00');
INSERT INTO public.llm_calls (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at) VALUES ('019ac008-e600-7000-8000-000000000002', '019ac008-e600-7000-8000-000000000002', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00');
INSERT INTO public.llm_calls (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at) VALUES ('019b2708-1600-7000-8000-000000000001', '019b2708-1600-7000-8000-000000000001', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00');
INSERT INTO public.llm_calls (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', '019b8c00-0000-7000-8000-0000000000c1', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00');
INSERT INTO public.llm_calls (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at) VALUES ('019b8e07-4600-7000-8000-000000000000', '019b8e07-4600-7000-8000-000000000000', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'answered', 'req_1', NULL, 5, 0, 0, 0, 0, '2026-01-05 12:00:00+00');
INSERT INTO public.llm_calls (id, task_id, seq, epoch, model, request_sha256, created_at, state, request_id, error, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, finished_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 'ffffffff-0000-4000-8000-000000000000', 1, 1, 'claude', '\x78', '2026-01-05 12:00:00+00', 'intent', NULL, NULL, 0, 0, 0, 0, 0, NULL);
INSERT INTO public.pauses (scope, name, mode, reason, until, created_by, created_at) VALUES ('lane', 'low', 'drain', 'a quiet night', '2026-01-06 00:00:00+00', 'ada', '2026-01-05 12:00:00+00');
INSERT INTO public.projects (id, created_at, name) VALUES ('00000000-0000-7000-8000-000000000001', '2026-01-05 12:00:00+00', 'default');
INSERT INTO public.sessions (id, project_id, created_at, created_by, name) VALUES ('019b8c00-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-000000000001', '2026-01-05 12:00:00+00', 'ada', 'a session');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 1, 1, 'reply', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.steps (task_id, seq, epoch, kind, body, commit_hash, sandbox, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 2, 1, 'tool_results', '{"a" : 1,  "a":2, "é\n": "\u0041"}', 'c', 'floor', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019a5909-b600-7000-8000-000000000003', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019ac008-e600-7000-8000-000000000002', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019b2708-1600-7000-8000-000000000001', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('019b8e07-4600-7000-8000-000000000000', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_artifacts (task_id, name, sha256, media_type, created_at) VALUES ('ffffffff-0000-4000-8000-000000000000', 'step-2-toolu_1', '\x5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099', 'text/plain', '2026-01-05 12:00:00+00');
INSERT INTO public.task_dependencies (task_id, depends_on, resolved) VALUES ('019b8c00-0000-7000-8000-0000000000c1', '019b8e07-4600-7000-8000-000000000000', true);
INSERT INTO public.task_dependencies (task_id, depends_on, resolved) VALUES ('019b8c00-0000-7000-8000-0000000000c1', 'ffffffff-0000-4000-8000-000000000000', true);
INSERT INTO public.task_limits (kind, name, max_running, max_starts, per_seconds, starts, updated_at) VALUES ('key', 'one at a time', 1, 2, 60, '{"2026-01-05 12:00:00+00"}', '2026-01-05 12:00:00+00');
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class) VALUES ('019a5909-b600-7000-8000-000000000003', '00000000-0000-7000-8000-000000000001', 'task 3', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{"team": "blue"}', '{}', NULL, 'fail', 3, 'ada', '2025-11-06 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 1, NULL, NULL, NULL, 3, 3, '{"tree": null, "branch": null, "checks": [], "commit": null, "summary": "Done: \"ä\".", "diff_stat": null}', 0, 0, 0, 0, 0, '2025-11-06 12:00:00+00', NULL, 0, '2025-11-06 12:00:00+00', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000b1', NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class) VALUES ('019ac008-e600-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 'task 2', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{"team": "blue"}', '{}', NULL, 'fail', 3, 'ada', '2025-11-26 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 1, NULL, NULL, NULL, 3, 3, '{"tree": null, "branch": null, "checks": [], "commit": null, "summary": "Done: \"ä\".", "diff_stat": null}', 0, 0, 0, 0, 0, '2025-11-26 12:00:00+00', NULL, 0, '2025-11-26 12:00:00+00', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000b1', NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class) VALUES ('019b2708-1600-7000-8000-000000000001', '00000000-0000-7000-8000-000000000001', 'task 1', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{"team": "blue"}', '{}', NULL, 'fail', 3, 'ada', '2025-12-16 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 1, NULL, NULL, NULL, 3, 3, '{"tree": null, "branch": null, "checks": [], "commit": null, "summary": "Done: \"ä\".", "diff_stat": null}', 0, 0, 0, 0, 0, '2025-12-16 12:00:00+00', NULL, 0, '2025-12-16 12:00:00+00', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000b1', NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class) VALUES ('019b8c00-0000-7000-8000-0000000000c1', '00000000-0000-7000-8000-000000000001', 'waits', 'at length', NULL, 'file:///srv/git/shop.git', 'main', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '[{"name": "tests", "command": "true", "timeout_seconds": 60}]', '{"ticket": 7}', '{}', '{"max_turns": 5}', 'work', 'fail', 3, 'ada', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000a1', 1, 2, 'waiting', 'retry', 'the provider was away', '2026-01-05 13:00:00+00', 1, false, 4, NULL, NULL, NULL, 3, 3, NULL, 5, 0, 0, 0, 70, NULL, NULL, 0, NULL, '2026-01-05 12:00:00+00', NULL, '019b8e07-4600-7000-8000-000000000000', '2026-02-01 00:00:00+00', 'one at a time', '019b8e07-4600-7000-8000-000000000000', '019b8e07-4600-7000-8000-000000000000', 1, 1, false, 1, 'overloaded');
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class) VALUES ('019b8e07-4600-7000-8000-000000000000', '00000000-0000-7000-8000-000000000001', 'task 0', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{"team": "blue"}', '{}', NULL, 'fail', 3, 'ada', '2026-01-05 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 1, NULL, NULL, NULL, 3, 3, '{"tree": null, "branch": null, "checks": [], "commit": null, "summary": "Done: \"ä\".", "diff_stat": null}', 0, 0, 0, 0, 0, '2026-01-05 12:00:00+00', NULL, 0, '2026-01-05 12:00:00+00', '2026-01-05 12:00:00+00', '019b8c00-0000-7000-8000-0000000000b1', NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL);
INSERT INTO public.tasks (id, project_id, title, description, duty, repository_url, base_ref, base_commit, acceptance, context, labels, limits, model, on_dependency_failure, max_attempts, created_by, created_at, assigned_agent_id, agent_version, priority, status, status_reason, status_detail, run_at, attempt, verify_only, epoch, worker, lease_until, announced_at, next_seq, event_seq, result, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, started_at, claimed_at, run_seconds, completed_at, updated_at, session_id, parent_id, deadline, concurrency_key, redriven_from, forked_from, forked_at, deaths, isolated, journal_format, error_class) VALUES ('ffffffff-0000-4000-8000-000000000000', '00000000-0000-7000-8000-000000000001', 'odd', '', 'noop', NULL, NULL, NULL, '[]', '{}', '{}', '{}', NULL, 'fail', 3, 'ada', '2026-01-05 12:00:00+00', NULL, NULL, 5, 'succeeded', NULL, NULL, '2026-01-05 12:00:00+00', 0, false, 0, NULL, NULL, NULL, 3, 3, NULL, 0, 0, 0, 0, 0, NULL, NULL, 0, '2026-01-05 12:00:00+00', '2026-01-05 12:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, false, NULL, NULL);
ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.agent_versions
    ADD CONSTRAINT agent_versions_pkey PRIMARY KEY (agent_id, version);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_name_key UNIQUE (project_id, name);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_pkey PRIMARY KEY (sha256);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.llm_calls
    ADD CONSTRAINT llm_calls_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.pauses
    ADD CONSTRAINT pauses_pkey PRIMARY KEY (scope, name);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_name_key UNIQUE (name);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_pkey PRIMARY KEY (task_id, seq);
ALTER TABLE ONLY public.task_artifacts
    ADD CONSTRAINT task_artifacts_pkey PRIMARY KEY (task_id, name);
ALTER TABLE ONLY public.task_dependencies
    ADD CONSTRAINT task_dependencies_pkey PRIMARY KEY (task_id, depends_on);
ALTER TABLE ONLY public.task_limits
    ADD CONSTRAINT task_limits_pkey PRIMARY KEY (kind, name);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);
CREATE INDEX agents_by_type ON public.agents USING btree (project_id, type, created_at) WHERE (status = 'active'::public.agent_status);
CREATE INDEX llm_calls_by_task ON public.llm_calls USING btree (task_id, seq);
CREATE INDEX sessions_by_project ON public.sessions USING btree (project_id, id DESC);
CREATE INDEX task_dependencies_open ON public.task_dependencies USING btree (depends_on, task_id) WHERE (NOT resolved);
CREATE INDEX tasks_by_agent ON public.tasks USING btree (assigned_agent_id, id DESC) WHERE (assigned_agent_id IS NOT NULL);
CREATE INDEX tasks_by_deadline ON public.tasks USING btree (deadline) WHERE ((deadline IS NOT NULL) AND (status <> ALL (ARRAY['succeeded'::public.task_status, 'failed'::public.task_status, 'cancelled'::public.task_status, 'dead'::public.task_status])));
CREATE INDEX tasks_by_key ON public.tasks USING btree (concurrency_key, priority, id) WHERE ((concurrency_key IS NOT NULL) AND (status = ANY (ARRAY['pending'::public.task_status, 'ready'::public.task_status, 'running'::public.task_status])));
CREATE INDEX tasks_by_label ON public.tasks USING gin (labels jsonb_path_ops) WHERE (labels <> '{}'::jsonb);
CREATE INDEX tasks_by_parent ON public.tasks USING btree (parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX tasks_by_project ON public.tasks USING btree (project_id, id DESC);
CREATE INDEX tasks_by_session ON public.tasks USING btree (session_id, id DESC) WHERE (session_id IS NOT NULL);
CREATE INDEX tasks_by_status ON public.tasks USING btree (status, id DESC);
CREATE INDEX tasks_parked ON public.tasks USING btree (run_at) WHERE ((status = ANY (ARRAY['pending'::public.task_status, 'waiting'::public.task_status])) AND (status_reason <> 'dependencies'::public.status_reason));
CREATE INDEX tasks_ready ON public.tasks USING btree (priority, run_at, id) WHERE (status = 'ready'::public.task_status);
ALTER TABLE ONLY public.agent_versions
    ADD CONSTRAINT agent_versions_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_version_exists FOREIGN KEY (id, version) REFERENCES public.agent_versions(agent_id, version) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.llm_calls
    ADD CONSTRAINT llm_calls_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.task_artifacts
    ADD CONSTRAINT task_artifacts_sha256_fkey FOREIGN KEY (sha256) REFERENCES public.artifacts(sha256);
ALTER TABLE ONLY public.task_artifacts
    ADD CONSTRAINT task_artifacts_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.task_dependencies
    ADD CONSTRAINT task_dependencies_depends_on_fkey FOREIGN KEY (depends_on) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.task_dependencies
    ADD CONSTRAINT task_dependencies_task_id_fkey FOREIGN KEY (task_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_assigned_agent_id_fkey FOREIGN KEY (assigned_agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_forked_from_fkey FOREIGN KEY (forked_from) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pinned_version FOREIGN KEY (assigned_agent_id, agent_version) REFERENCES public.agent_versions(agent_id, version);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_redriven_from_fkey FOREIGN KEY (redriven_from) REFERENCES public.tasks(id);
ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id);
