-- A task may wait for money: values of an enum are usable only after the transaction that adds them.

ALTER TYPE status_reason ADD VALUE 'budget'; -- waiting: its next call does not fit into a budget
