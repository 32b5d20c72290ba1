-- What a night draws on, at the version that it was asked about, so that what somebody changed meanwhile is left out; what
-- nights failed over, so that it stops no further one; and when something was learnt again.

ALTER TABLE sleep_changes
    ADD COLUMN source_versions integer[], -- of the sources, as the night read them; none in rows of older builds
    ADD CONSTRAINT sleep_changes_source_versions CHECK (cardinality(source_versions) = cardinality(sources));
CREATE INDEX sleep_changes_by_born ON sleep_changes (born) WHERE born IS NOT NULL;
-- Found at once by a deletion, whose price is not what others wrote before it.
CREATE INDEX sleep_changes_by_retired ON sleep_changes USING gin (retired) WITH (fastupdate = off);
CREATE INDEX sleep_changes_by_source ON sleep_changes USING gin (sources) WITH (fastupdate = off);

-- Beside ended tasks, subjects are entries that a night asked about.
ALTER TABLE sleep_readings ADD COLUMN failed boolean NOT NULL DEFAULT false; -- the answer about it could not be taken

ALTER TABLE context_uses ADD COLUMN renewed_at timestamptz; -- when it was learnt again: it is as fresh as if stored then
