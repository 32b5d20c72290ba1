-- Agents write to each other: values of an enum are usable only after the transaction that adds them.

ALTER TYPE step_kind ADD VALUE 'agent_message'; -- what another agent wrote

ALTER TYPE status_reason ADD VALUE 'answer'; -- waiting: it asked another agent, and waits for the answer or its time
