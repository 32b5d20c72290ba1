-- What a night found to be learnt again is fresh again while its version is active, and in the night itself: one that
-- fails, is rejected or is taken back leaves no trace. What an agent learnt again stays in context_uses.
CREATE TABLE context_renewals (
    context_id uuid        NOT NULL REFERENCES contexts (id) ON DELETE CASCADE,
    version_id uuid        NOT NULL REFERENCES memory_versions (id) ON DELETE CASCADE,
    renewed_at timestamptz NOT NULL, -- it is as fresh as if stored then
    PRIMARY KEY (context_id, version_id)
);
CREATE INDEX context_renewals_by_version ON context_renewals (version_id);
