-- What becomes of slots: values of an enum are usable only after the transaction that adds them.

ALTER TYPE slot_outcome ADD VALUE 'missed'; -- nobody was there at its time, and the catch-up policy drops it
