-- A conversation that grows too long goes on in a new segment: values of an enum are usable only after the transaction
-- that adds them.

ALTER TYPE step_kind ADD VALUE 'compacted'; -- a new segment begins; what came before stays, and is not sent again
