-- What is ready is read in an order, a few at a time. After hours of work the statistics say that nothing is ready, and
-- that the two indexes are large: then any index of the status seems as good, with a sort of all that is ready behind
-- it, which is 60 ms beside 5,000 tasks. So each order has a condition that no other index answers.
CREATE INDEX tasks_ready_by_urgency ON tasks (priority, run_at, id) WHERE (status = 'ready') IS TRUE;
CREATE INDEX tasks_ready_by_age ON tasks (run_at) WHERE (status = 'ready') IS NOT FALSE;
DROP INDEX tasks_ready;
DROP INDEX tasks_ready_oldest;
