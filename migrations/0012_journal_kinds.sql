-- Kinds of journal entries: values of an enum are usable only after the transaction that adds them.

ALTER TYPE step_kind ADD VALUE 'message'; -- a person told the model something
ALTER TYPE step_kind ADD VALUE 'intent';  -- a call with an effect outside of the workspace is about to be made
ALTER TYPE step_kind ADD VALUE 'outcome'; -- what came of such a call
