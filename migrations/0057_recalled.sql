-- What a run recalls: values of an enum are usable only after the transaction that adds them.

ALTER TYPE step_kind ADD VALUE 'recalled'; -- what the memory held for the task when it began
