//! What the store counts.

use metrics::{describe_counter, describe_histogram};

/// Registers the meaning of every counter of this crate. Meant to be called once, after a recorder is installed.
pub fn describe_metrics() {
    describe_counter!("hive_tasks_created_total", "Tasks accepted into Postgres");
    describe_histogram!(
        "hive_group_size",
        "Claims, steps and ends that were written in one statement together"
    );
}

pub(crate) fn created(tasks: u64) {
    metrics::counter!("hive_tasks_created_total").increment(tasks);
}
