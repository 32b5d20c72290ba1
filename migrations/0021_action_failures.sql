-- A slice that fails is tried again later and later, while other actions pass; in the end the action fails.

ALTER TABLE task_actions
    ADD COLUMN failures integer     NOT NULL DEFAULT 0, -- slices in a row that failed; a slice that is done sets it back
    ADD COLUMN retry_at timestamptz NOT NULL DEFAULT now(), -- no slice of it is begun before
    ADD COLUMN error    text,                           -- what the last failed slice met
    DROP CONSTRAINT task_actions_finished,
    ADD CONSTRAINT task_actions_finished CHECK ((status = 'working') = (finished_at IS NULL)),
    ADD CONSTRAINT task_actions_failed CHECK (status <> 'failed' OR (failures > 0 AND error IS NOT NULL));
