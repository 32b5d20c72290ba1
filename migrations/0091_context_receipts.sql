-- Which entries of the memory a task was given: with the ends of the tasks it says how well it goes for those who are told.

-- Written by the transaction of the journal entry that holds the receipt. Without a reference to the entry, which may be
-- deleted; housekeeping removes its rows then.
CREATE TABLE context_receipts (
    context_id uuid NOT NULL,
    task_id    uuid NOT NULL REFERENCES tasks (id),
    PRIMARY KEY (context_id, task_id)
);

-- What a task was given when it began, and what its calls brought.
CREATE FUNCTION note_receipts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO context_receipts (context_id, task_id)
    SELECT DISTINCT (given.entry ->> 'id')::uuid, NEW.task_id
    FROM jsonb_path_query(NEW.body::jsonb,
        CASE NEW.kind WHEN 'recalled' THEN '$.receipt.included[*]' ELSE '$.results[*].recalled.included[*]' END::jsonpath)
        AS given (entry)
    ORDER BY 1
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- The text is looked through before a row of this kind is read: few calls recall anything.
CREATE TRIGGER steps_note_receipts AFTER INSERT ON steps FOR EACH ROW
    WHEN (NEW.kind = 'recalled' OR NEW.kind = 'tool_results' AND strpos(NEW.body::text, '"recalled"') > 0)
    EXECUTE FUNCTION note_receipts();
