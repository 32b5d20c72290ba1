-- A change of sleep settings may be meant for what was read before it, and not for what somebody said in between.
ALTER TABLE sleep_settings
    ADD COLUMN version integer NOT NULL DEFAULT 1 -- one more with each change
        CONSTRAINT sleep_settings_version CHECK (version >= 1);
