-- What the fleet knows of its keys and models at the provider. A handful of rows, read by every worker each second; what
-- Redis holds of it is a copy that is faster to ask.

-- A credential, under the first digits of its SHA-256.
CREATE TABLE provider_keys (
    key_id     text        PRIMARY KEY,
    stopped_at timestamptz, -- no worker calls with it; NULL: it is in use
    reason     text,        -- authentication, permission, billing or spend_limit
    detail     text,        -- what the provider said
    probe_at   timestamptz, -- one call may try it again from then on
    resumed_at timestamptz,
    resumed_by text,
    CONSTRAINT provider_keys_stop_whole CHECK ((stopped_at IS NULL) = (reason IS NULL) AND (stopped_at IS NULL) = (probe_at IS NULL))
);

-- A model under a key.
CREATE TABLE provider_models (
    key_id        text        NOT NULL,
    model         text        NOT NULL,
    hold_until    timestamptz, -- retry-after: no worker calls before
    -- The breaker. NULL: closed, calls pass.
    opened_at     timestamptz,
    detail        text,        -- the failure that opened it
    failed_probes integer      NOT NULL DEFAULT 0,
    probe_at      timestamptz, -- one call of the fleet may try from then on
    probe         uuid,        -- the call that tries
    probe_until   timestamptz, -- another may try when it has not ended by then
    -- A minute's limits as the provider's headers name them.
    requests      bigint,
    input_tokens  bigint,
    output_tokens bigint,
    PRIMARY KEY (key_id, model),
    CONSTRAINT provider_models_breaker_whole CHECK ((opened_at IS NULL) = (probe_at IS NULL)),
    CONSTRAINT provider_models_probe_whole CHECK ((probe IS NULL) = (probe_until IS NULL))
);

-- What happened to them: the latest 1,000.
CREATE TABLE provider_events (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    key_id     text        NOT NULL,
    model      text        NOT NULL DEFAULT '', -- '' for the whole key
    kind       text        NOT NULL CONSTRAINT provider_events_kind
               CHECK (kind IN ('breaker_opened', 'breaker_closed', 'key_stopped', 'key_resumed')),
    detail     text        NOT NULL DEFAULT ''
);
