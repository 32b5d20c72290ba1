-- A person may undo the last turn of a run, and an action on many tasks may fail: values of an enum are usable only
-- after the transaction that adds them.

ALTER TYPE message_policy ADD VALUE 'rollback'; -- as interrupt, and the last turn is undone

ALTER TYPE step_kind ADD VALUE 'rollback'; -- the last turn was undone: the model does not read it again

ALTER TYPE task_action_status ADD VALUE 'failed'; -- its slices kept failing; some of its tasks were left as they are
