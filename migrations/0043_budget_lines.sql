-- A retry and a fork spend of the budgets of the task that they came from, as a child does of its parent's: otherwise a
-- cap on a task would be got round by trying it again.

CREATE INDEX tasks_by_fork ON tasks (forked_from) WHERE forked_from IS NOT NULL;

-- What the budgets that cover a task may be set on: all, its agent, its session, itself, and each task that it came from as
-- a child, a retry or a fork. Each task counts once and comes of earlier ones, so that the walk ends.
CREATE OR REPLACE FUNCTION budget_targets(task uuid, parent uuid, agent uuid, session uuid) RETURNS uuid[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE above AS (
        SELECT id FROM unnest(ARRAY[task, parent]) AS seed (id) WHERE id IS NOT NULL
        UNION
        SELECT came.id
        FROM above JOIN tasks t ON t.id = above.id
        CROSS JOIN unnest(ARRAY[t.parent_id, t.redriven_from, t.forked_from]) AS came (id)
        WHERE came.id IS NOT NULL
    )
    SELECT array_remove(ARRAY['00000000-0000-0000-0000-000000000000'::uuid, agent, session], NULL)
        || ARRAY(SELECT id FROM above)
$$;
DROP FUNCTION ancestors_of(uuid);

-- What the calls of a task and of all that came of it cost, and those of unknown outcome may have cost; of this day or ever.
CREATE OR REPLACE FUNCTION spent_of_tree(root uuid, today boolean) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE tree AS (
        SELECT root AS id
        UNION
        SELECT came.id
        FROM tree CROSS JOIN LATERAL (
            SELECT t.id FROM tasks t WHERE t.parent_id = tree.id
            UNION ALL SELECT t.id FROM tasks t WHERE t.redriven_from = tree.id
            UNION ALL SELECT t.id FROM tasks t WHERE t.forked_from = tree.id) AS came
    )
    SELECT coalesce(sum(c.cost_nano_usd + CASE WHEN c.state = 'unknown' THEN c.reserved_nano_usd ELSE 0 END), 0)::bigint
    FROM tree
    CROSS JOIN LATERAL (
        SELECT cost_nano_usd, state, reserved_nano_usd, finished_at FROM llm_calls WHERE task_id = tree.id
        UNION ALL
        SELECT cost_nano_usd, state, reserved_nano_usd, finished_at FROM batch_calls WHERE task_id = tree.id) AS c
    WHERE NOT today OR (c.finished_at AT TIME ZONE 'UTC')::date = (now() AT TIME ZONE 'UTC')::date
$$;

-- The budgets of tasks as they would stand if it had always been so. No call begins or ends meanwhile.
LOCK TABLE ONLY llm_calls IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE ONLY batch_calls IN SHARE ROW EXCLUSIVE MODE;
UPDATE budgets
SET spent_nano_usd = spent_of_tree(target, period = 'day'), day = (now() AT TIME ZONE 'UTC')::date
WHERE scope = 'task';
-- Their money is reserved by the trigger that books them.
UPDATE llm_calls c SET budgets = c.budgets || missed.budgets
FROM (
    SELECT o.task_id, o.id, array_agg(b.id) AS budgets
    FROM llm_calls o JOIN tasks t ON t.id = o.task_id
    JOIN budgets b ON b.scope = 'task' AND b.id <> ALL (o.budgets)
        AND b.target = ANY (budget_targets(t.id, t.parent_id, t.assigned_agent_id, t.session_id))
    WHERE o.state = 'intent' GROUP BY o.task_id, o.id) AS missed
WHERE c.task_id = missed.task_id AND c.id = missed.id;
