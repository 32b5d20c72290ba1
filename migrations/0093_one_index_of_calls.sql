-- The calls of a task are few enough to be found by the task alone. A second index of them cost three writes for each
-- call: its answer changes the row's state, which is in the condition of another index, and so writes into all of them.
DROP INDEX llm_calls_by_task;
