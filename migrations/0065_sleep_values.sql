-- Agents sleep: values of an enum are usable only after the transaction that adds them.

ALTER TYPE status_reason ADD VALUE 'asleep'; -- ready: handed back at a step edge, since its agent falls asleep

ALTER TYPE step_kind ADD VALUE 'briefing'; -- what happened while the agent slept
