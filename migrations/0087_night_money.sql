-- What a night of an agent may spend on its cycle, whoever or whatever puts it to sleep.

ALTER TABLE sleep_settings
    ADD COLUMN night_nano_usd bigint NOT NULL DEFAULT 1000000000 -- a dollar, as for agents without settings
        CONSTRAINT sleep_settings_night CHECK (night_nano_usd >= 0);
