-- From here on each slot of an enabled schedule leaves a row, whatever becomes of it, so that one that is missing is
-- seen. Slots that were dropped before this migration left none.

ALTER TABLE schedules
    -- Changes with the cadence, and when the schedule is enabled: the first slot after it is the first that counts.
    ADD COLUMN slots_since timestamptz NOT NULL DEFAULT now();
