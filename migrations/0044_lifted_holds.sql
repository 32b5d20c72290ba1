-- Holds that the fleet gives itself while the provider refuses for its rate and names no time, and holds that a person
-- lifts.

-- Such refusals since the last answer: each makes the hold twice as long.
ALTER TABLE provider_models ADD COLUMN unnamed_limits integer NOT NULL DEFAULT 0;

ALTER TABLE provider_events DROP CONSTRAINT provider_events_kind;
ALTER TABLE provider_events ADD CONSTRAINT provider_events_kind
    CHECK (kind IN ('breaker_opened', 'breaker_closed', 'key_stopped', 'key_resumed', 'hold_lifted'));
