//! What the counters of this crate mean.

use metrics::describe_counter;

/// Registers the meaning of every counter of this crate. Meant to be called once, after a recorder is installed.
pub fn describe_metrics() {
    describe_counter!(
        "hive_queue_announced_total",
        "Tickets offered to a lane: sent, already_there or over_cap"
    );
    describe_counter!(
        "hive_queue_announce_failed_total",
        "Tickets that did not reach Redis; the reconciler repeats them"
    );
    describe_counter!("hive_queue_taken_total", "Tickets that workers took, by lane");
    describe_counter!("hive_queue_bad_tickets_total", "Tickets that could not be read and were dropped");
    describe_counter!("hive_queue_handler_panics_total", "Tickets whose handling panicked");
    describe_counter!(
        "hive_queue_worker_restarts_total",
        "Times that the ticket loop of a lane was started again"
    );
    describe_counter!(
        "hive_queue_swept_total",
        "Entries of Redis that nobody needs any more and the janitor dropped"
    );
    describe_counter!(
        "hive_queue_notify_dropped_total",
        "Live events dropped because Redis was slow or away"
    );
    describe_counter!(
        "hive_queue_subscription_overflow_total",
        "Times that a watcher was too slow and was told to look itself"
    );
}
